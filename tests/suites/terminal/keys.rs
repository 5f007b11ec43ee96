//! What the keys of a terminal do to a job: Ctrl-C, Ctrl-\, Ctrl-Z, then `fg` and `bg`; and a job in the background.

use tests::conform::Under;
use tests::terminal::{CTRL_BACKSLASH, CTRL_C, CTRL_D, CTRL_Z, Desk, assert_same_scene};

#[test]
fn ctrl_c_and_ctrl_backslash_end_the_command_by_their_signals() {
    assert_same_scene(|desk| {
        desk.line("$W sh -c 'echo go; exec sleep 100'");
        desk.wait_for("go\r\n");
        desk.send(CTRL_C);
        let interrupted = desk.prompt(0, 130);
        desk.line("$W sh -c 'echo go; exec sleep 100'");
        desk.wait_for("go\r\n");
        desk.send(CTRL_BACKSLASH);
        (interrupted, desk.prompt(0, 131))
    });
}

#[test]
fn a_command_that_handles_ctrl_c_hears_it_once_and_decides() {
    assert_same_scene(|desk| {
        desk.line("$W $WORKLOAD hears 2");
        desk.wait_for("go\r\n");
        desk.send(CTRL_C);
        desk.wait_for("heard\r\n");
        hears_no_more(desk);
        desk.prompt(0, 9)
    });
}

/// Ends a command that counts what it hears, once a second signal would have come.
fn hears_no_more(desk: &mut Desk) {
    desk.settles();
    std::fs::write(desk.path("done"), "").unwrap();
    desk.wait_for("heard 1\r\n");
}

#[test]
fn ctrl_z_stops_the_job_and_fg_goes_on_with_it() {
    assert_same_scene(|desk| {
        desk.line("$W cat");
        desk.line("one");
        desk.wait_for("one\r\n");
        desk.send(CTRL_Z);
        let stopped = desk.prompt(1, 148);
        let jobs = desk.does("jobs", 1, 0);
        desk.line("fg");
        desk.wait_for("$W cat\r\n");
        desk.line("two");
        desk.wait_for("two\r\n");
        desk.send(CTRL_Z);
        desk.prompt(1, 148);
        desk.line("fg");
        desk.wait_for("$W cat\r\n");
        desk.send(CTRL_D);
        (stopped, jobs, desk.prompt(0, 0))
    });
}

#[test]
fn a_stopped_command_stands_still_and_bg_goes_on_with_it() {
    assert_same_scene(|desk| {
        desk.line(
            "$W sh -c 'echo $$ > pid; echo go; until [ -e on ] || ! [ -e ../cwd ]; do :; done; touch ended'",
        );
        desk.wait_for("go\r\n");
        desk.send(CTRL_Z);
        desk.prompt(1, 148);
        let state = desk.does("cut -d' ' -f3 /proc/$(cat pid)/stat", 1, 0);
        desk.line("touch on; bg");
        desk.wait_for("&\r\n");
        desk.does("wait %1", 0, 0);
        (state, desk.does("ls ended", 0, 0))
    });
}

#[test]
fn a_command_that_ignores_ctrl_z_is_not_left_behind_by_a_stopped_wrapper() {
    assert_same_scene(|desk| {
        desk.line(r#"$W sh -c 'trap "" TSTP; echo go; read line; echo "read $line"; exit 5'"#);
        desk.wait_for("go\r\n");
        desk.send(CTRL_Z);
        desk.line("more");
        desk.prompt(0, 5)
    });
}

#[test]
fn keys_come_to_a_command_that_has_left_tracers_process_group() {
    for (key, signal) in [(CTRL_C, "INT"), (CTRL_BACKSLASH, "QUIT")] {
        let mut desk = Desk::with(Under::Tracer);
        desk.line(&format!(
            "$W setsid sh -c 'trap \"exit 9\" {signal}; echo go; while [ -e ../cwd ]; do :; done'"
        ));
        desk.wait_for("go\r\n");
        desk.send(key);
        desk.prompt(0, 9);
    }
}

/// As editors do at Ctrl-Z, each with a handler of its own: a second one would stop them again after `fg`.
#[test]
fn a_command_that_sends_a_stop_to_its_whole_job_hears_it_once() {
    assert_same_scene(|desk| {
        desk.line(
            r#"$W bash -c 'echo $$ > pid; trap "echo settled" RTMAX; n=0; trap "n=\$((n+1)); echo heard" TSTP; kill -TSTP 0; until [ -e done ] || ! [ -e ../cwd ]; do :; done; echo heard $n; exit 9'"#,
        );
        desk.wait_for("heard\r\n");
        desk.settles();
        std::fs::write(desk.path("done"), "").unwrap();
        desk.wait_for("heard 1\r\n");
        desk.prompt(0, 9)
    });
}

#[test]
fn a_command_that_stops_itself_stops_its_job() {
    for (signal, status) in [("TSTP", 148), ("STOP", 147), ("TTIN", 149)] {
        assert_same_scene(|desk| {
            desk.line(&format!("$W sh -c 'kill -{signal} $$; echo on'"));
            desk.prompt(1, status);
            desk.line("fg");
            desk.wait_for("on\r\n");
            desk.prompt(0, 0)
        });
    }
}

#[test]
fn whoever_stops_and_continues_a_command_in_the_background_does_not_stop_tracer() {
    let mut desk = Desk::with(Under::Tracer);
    desk.line("$W sh -c 'echo $$ > pid; echo go; until [ -e on ] || ! [ -e ../cwd ]; do :; done; exit 6' & tracer=$!");
    desk.wait_for("go\r\n");
    desk.does("kill -STOP $(cat pid); until grep -q '^State:.T' /proc/$(cat pid)/status; do :; done", 1, 0);
    desk.does("touch on; kill -CONT $(cat pid)", 1, 0);
    desk.does("wait $tracer", 0, 6);
}

#[test]
fn a_job_in_the_background_that_reads_the_terminal_stops_until_it_is_in_the_foreground() {
    assert_same_scene(|desk| {
        desk.line("$W sh -c 'read line; echo \"read $line\"' &");
        desk.does("until jobs | grep -q Stopped; do :; done", 1, 0);
        desk.line("fg");
        desk.line("hello");
        desk.wait_for("read hello\r\n");
        desk.prompt(0, 0)
    });
}

#[test]
fn with_tostop_a_job_in_the_background_stops_before_it_writes() {
    assert_same_scene(|desk| {
        desk.does("stty tostop", 0, 0);
        desk.line("$W sh -c 'echo here' &");
        desk.does("until jobs | grep -q Stopped; do :; done", 1, 0);
        desk.line("fg");
        desk.wait_for("here\r\n");
        desk.prompt(0, 0)
    });
}

#[test]
fn a_pipeline_with_tracer_in_it_is_one_job() {
    assert_same_scene(|desk| {
        let through = desk.does("echo hi | $W cat | cat", 0, 0);
        desk.line("$W sh -c 'echo go; exec cat' | cat");
        desk.wait_for("go\r\n");
        desk.send(CTRL_Z);
        let stopped = desk.prompt(1, 148);
        desk.line("fg");
        desk.line("more");
        desk.wait_for("more\r\n");
        desk.send(CTRL_C);
        (through, stopped, desk.prompt(0, 130))
    });
}

#[test]
fn a_signal_to_the_whole_job_is_heard_once() {
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        assert_same_scene(|desk| {
            desk.line(&format!("$W $WORKLOAD hears {number} &"));
            desk.wait_for("go\r\n");
            desk.line(&format!("kill -{name} %1"));
            desk.wait_for("heard\r\n");
            hears_no_more(desk);
        });
    }
}

#[test]
fn a_signal_by_timeout_to_all_that_it_started_is_heard_once() {
    // Its own child hears two at times: `timeout` sends one to that, and one to the group. With tracer in between that is tracer.
    let mut desk = Desk::with(Under::Tracer);
    desk.line("timeout 0.3 $W $WORKLOAD hears 15");
    desk.wait_for("heard\r\n");
    hears_no_more(&mut desk);
    desk.prompt(0, 124);
}

#[test]
fn a_signal_that_is_sent_to_tracer_alone_is_heard_once() {
    for signal in [1, 2, 3, 10, 12, 14, 28, 34] {
        assert_same_scene(|desk| {
            desk.line(&format!("$W $WORKLOAD hears {signal} & it=$!"));
            desk.wait_for("go\r\n");
            desk.line(&format!("kill -{signal} $it"));
            desk.wait_for("heard\r\n");
            hears_no_more(desk);
        });
    }
}
