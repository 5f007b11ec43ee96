//! Signals that are sent to tracer: SIGTERM is the order to end, a second one hurries, and all others are the command's.

use tests::Trace;

use crate::{assert_ended, assert_ended_by_tracer, assert_told, status};

const TERM: i32 = 128 + libc::SIGTERM;

#[test]
fn of_what_happened_while_tracer_stood_still_a_time_that_is_up_comes_before_a_signal() {
    // It stops when the command does, well before its time is up, and goes on well after, with a SIGTERM.
    let still = "(until grep -q '^State:.T' /proc/$$/status; do :; done; sleep 3; kill -TERM $$; kill -CONT $$) >/dev/null 2>&1 &";
    let session = Trace::sh("kill -TSTP $$; exec sleep 20")
        .after(still)
        .flags(["--timeout", "2s", "--target", "sleep"])
        .run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
}

#[test]
fn sigterm_is_passed_on_to_the_command_alone_and_tracer_ends_by_it() {
    let script = "trap 'echo told; exit 5' TERM; workload deaf & kill -TERM $PPID; while :; do :; done";
    let session = Trace::sh(script)
        .after("PATH=$PWD:$PATH")
        .workload_as("workload")
        .flags(["--target", "sh", "--orphans", "kill", "--kill-after", "300ms"])
        .run();
    assert_ended(&session, TERM, "killed", "SIGNALLED", "told_to_end");
    assert_eq!(session.summary["exit_code"], 5, "the command had time to end in its own way");
    assert_eq!(
        session.summary["orphans"].as_array().map(Vec::len),
        Some(1),
        "{}",
        session.summary["orphans"]
    );
    assert!(String::from_utf8_lossy(&session.outcome.stdout).contains("told"));
    let sentence = session.summary["verdict"]["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("exited with code 5, after SIGTERM from tracer: tracer was told to end"),
        "{sentence}"
    );
}

#[test]
fn who_is_told_to_end_waits_for_no_orphan_that_was_not() {
    let script = "sleep 25 & trap 'exit 5' TERM; kill -TERM $PPID; while :; do :; done";
    let session = Trace::sh(script).flags(["--target", "sh", "--orphans", "wait"]).run();
    assert_ended(&session, TERM, "killed", "SIGNALLED", "told_to_end");
    let orphans = session.summary["orphans"].as_array().unwrap();
    assert_eq!((orphans.len(), orphans[0]["comm"].as_str()), (1, Some("sleep")), "{orphans:?}");
    assert!(!orphans[0]["ended_at"].is_null(), "it was ended: {orphans:?}");
}

#[test]
fn with_preserve_status_the_commands_own_end_is_tracers() {
    let script = "trap 'exit 5' TERM; kill -TERM $PPID; while :; do :; done";
    let session = Trace::sh(script).flags(["--preserve-status"]).run();
    assert_ended(&session, 5, "killed", "SIGNALLED", "told_to_end");
}

#[test]
fn a_second_sigterm_hurries_and_nobody_is_left() {
    let session = Trace::case(["clan", "orders", "2"]).flags(["--target", "workload"]).run();
    assert_ended(&session, TERM, "killed", "SIGNALLED", "told_to_end");
    assert_ended_by_tracer(session.root(), libc::SIGKILL);
    for who in ["left", "daemon", "adopted", "subreaper", "stopped"] {
        assert_ended_by_tracer(session.process(session.note(who).pid), libc::SIGKILL);
    }
}

#[test]
fn with_kill_after_a_command_that_does_not_listen_is_killed() {
    let script = "trap '' TERM; kill -TERM $PPID; while :; do :; done";
    let session = Trace::sh(script).flags(["--kill-after", "300ms"]).run();
    assert_ended(&session, TERM, "killed", "SIGNALLED", "told_to_end");
    assert_ended_by_tracer(session.root(), libc::SIGKILL);
}

#[test]
fn a_command_that_takes_long_is_still_ended_when_its_time_is_up_and_the_order_came_first() {
    let script = "trap : TERM; kill -TERM $PPID; while :; do :; done";
    let session = Trace::sh(script).flags(["--timeout", "1s", "--kill-after", "2s"]).run();
    assert_ended(&session, TERM, "killed", "SIGNALLED", "told_to_end");
}

#[test]
fn other_signals_leave_the_commands_own_end() {
    let script = "trap 'exit 6' INT; kill -INT $PPID; while :; do :; done";
    let session = Trace::sh(script).run();
    assert_told(&session, 6, "failed", "NATURAL_EXIT", "exited_non_zero");
    let session = Trace::sh("kill -INT $PPID; while :; do :; done").run();
    assert_eq!((status(&session), &session.summary["subtype"]), (128 + libc::SIGINT, &"killed".into()));
    assert_eq!(session.summary["termination_reason"], "SIGNALLED");
}
