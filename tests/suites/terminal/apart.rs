//! A command with a terminal of its own (`--pty`, or `--until` at a terminal) is a job of the shell all the same.

use tests::conform::Under;
use tests::terminal::{CTRL_C, CTRL_D, CTRL_Z, Desk};

/// tracer with these flags, as the shell has it.
fn with(flags: &str, command: &str) -> String {
    format!("${{T% --}} -q {flags} -- {command}")
}

/// Both ways to such a terminal.
const WAYS: [&str; 2] = ["--pty", "--until nosuch"];

/// A shell with this line, and a command in it that has begun.
#[track_caller]
fn begun(line: &str) -> Desk {
    let mut desk = Desk::with(Under::Nothing);
    desk.line(line);
    desk.wait_for("go\r\n");
    desk
}

/// The shell has its keys and its terminal's settings.
#[track_caller]
fn the_shell_has_its_terminal(desk: &mut Desk, settings: &str, jobs: u32) {
    for _ in 0..3 {
        assert_eq!(desk.does("echo mine", jobs, 0), "mine\r\n");
    }
    assert_eq!(desk.does("stty -a", jobs, 0), settings);
}

#[test]
fn in_the_background_it_takes_no_key_and_in_the_foreground_all() {
    for flags in WAYS {
        let mut desk = Desk::with(Under::Nothing);
        let settings = desk.does("stty -a", 0, 0);
        desk.line(&format!(
            "{} &",
            with(flags, "sh -c 'stty -echo; echo go; read line; echo \"read $line\"; exec cat'")
        ));
        // Where the outer terminal is not passed through, it gives the end of the line a second return.
        desk.wait_for("go\r");
        desk.line("");
        desk.prompt(1, 0);
        the_shell_has_its_terminal(&mut desk, &settings, 1);
        desk.line("fg");
        desk.line("hello");
        desk.wait_for("read hello\r\n");
        desk.send(CTRL_Z);
        desk.prompt(1, 148);
        desk.line("bg");
        desk.prompt(1, 0);
        the_shell_has_its_terminal(&mut desk, &settings, 1);
        desk.line("fg");
        desk.line("more");
        desk.wait_for("more\r\n");
        desk.send(CTRL_D);
        desk.prompt(0, 0);
        the_shell_has_its_terminal(&mut desk, &settings, 0);
    }
}

#[test]
fn ctrl_z_stops_it_and_gives_the_terminal_back_and_fg_goes_on_with_it() {
    for flags in WAYS {
        let mut desk = Desk::with(Under::Nothing);
        let settings = desk.does("stty -a", 0, 0);
        // Two in one process group: both stand still.
        desk.line(&with(flags, "sh -c 'echo $$ > pid; cat; echo ended; exit 5'"));
        for word in ["one", "two"] {
            desk.line(word);
            desk.wait_for(&format!("{word}\r\n"));
            desk.send(CTRL_Z);
            desk.prompt(1, 148);
            the_shell_has_its_terminal(&mut desk, &settings, 1);
            assert!(desk.does("jobs", 1, 0).contains("Stopped "));
            assert_eq!(desk.does("ps -o stat= -s $(cat pid) | cut -c 1 | sort -u", 1, 0), "T\r\n");
            desk.line("fg");
        }
        desk.line("three");
        desk.wait_for("three\r\n");
        desk.send(CTRL_D);
        desk.wait_for("ended\r\n");
        desk.prompt(0, 5);
        the_shell_has_its_terminal(&mut desk, &settings, 0);
    }
}

#[test]
fn a_command_that_stops_itself_stops_its_job_and_gives_the_terminal_back() {
    for flags in WAYS {
        let mut desk = Desk::with(Under::Nothing);
        let settings = desk.does("stty -a", 0, 0);
        desk.line(&with(flags, "sh -c 'kill -STOP $$; echo on; exit 4'"));
        desk.prompt(1, 147);
        the_shell_has_its_terminal(&mut desk, &settings, 1);
        desk.line("fg");
        desk.wait_for("on\r\n");
        desk.prompt(0, 4);
    }
}

#[test]
fn one_that_handles_ctrl_z_or_ignores_it_decides() {
    let mut desk = begun(&with(
        "--pty",
        "sh -c 'trap \"echo no\" TSTP; echo go; until read a; do :; done; echo \"$a\"; exit 4'",
    ));
    desk.send(CTRL_Z);
    desk.wait_for("no\r\n");
    desk.line("then");
    desk.wait_for("then\r\n");
    desk.prompt(0, 4);
}

#[test]
fn a_ctrl_z_that_is_quoted_is_a_character() {
    for flags in WAYS {
        let mut desk =
            begun(&with(flags, "bash -c 'echo go; read -r line; printf %q \"$line\"; echo; exit 4'"));
        // Ctrl-V, Ctrl-Z.
        desk.send("\x16\x1a\n");
        desk.wait_for("$'\\032'\r\n");
        desk.prompt(0, 4);
    }
}

#[test]
fn ctrl_z_stops_the_rest_of_its_pipeline_too() {
    let mut desk = begun(&format!("{} | cat", with("--pty", "sh -c 'echo go; exec cat'")));
    desk.send(CTRL_Z);
    desk.prompt(1, 148);
    desk.line("fg");
    desk.line("more");
    desk.wait_for("more\r\n");
    desk.send(CTRL_D);
    desk.prompt(0, 0);
}

#[test]
fn a_signal_that_stops_jobs_stops_it_also_in_the_background() {
    let mut desk = Desk::with(Under::Nothing);
    desk.line(&format!("{} &", with("--pty", "sh -c 'echo go; read line; echo \"read $line\"'")));
    desk.wait_for("go\r");
    desk.line("kill -TSTP %1; until jobs | grep -q Stopped; do :; done; echo stands");
    desk.wait_for("stands\r\n");
    desk.line("fg");
    desk.line("hello");
    desk.wait_for("read hello\r\n");
    desk.prompt(0, 0);
}

#[test]
fn who_is_waited_for_stops_by_ctrl_z_and_ends_by_ctrl_c() {
    // Whoever outlives the command says so when that has been waited for.
    let outlives = "trap \"\" HUP; p=$$; (until ! [ -e /proc/$p ]; do :; done; echo go; \
                    until [ -e end ] || ! [ -e ../cwd ]; do :; done; echo ended) & exit 3";
    let mut desk = Desk::with(Under::Nothing);
    let settings = desk.does("stty -a", 0, 0);
    desk.line(&with("--orphans wait", &format!("sh -c '{outlives}'")));
    desk.wait_for("go\r\n");
    desk.send(CTRL_Z);
    desk.prompt(1, 148);
    the_shell_has_its_terminal(&mut desk, &settings, 1);
    desk.line("touch end; fg");
    desk.wait_for("ended\r\n");
    desk.prompt(0, 3);
    desk.does("rm end", 0, 0);
    desk.line(&with("--pty --orphans wait", &format!("sh -c '{outlives}'")));
    desk.wait_for("go\r");
    desk.send(CTRL_C);
    desk.prompt(0, 3);
    the_shell_has_its_terminal(&mut desk, &settings, 0);
}

#[test]
fn after_a_hang_up_its_input_ends() {
    for flags in WAYS {
        let mut desk = begun(&with(flags, "sh -c 'trap \"\" HUP; echo go; cat; exit 8'"));
        desk.hang_up();
        assert_eq!(desk.summary()["exit_code"], 8);
    }
}

#[test]
fn under_sudo_ctrl_z_does_the_same() {
    let mut desk = Desk::with(Under::Nothing);
    desk.line(&format!("sudo -n TRACER_TEST=1 {}", with("--pty", "cat")));
    for word in ["one", "two"] {
        desk.line(word);
        desk.wait_for(&format!("{word}\r\n"));
        desk.send(CTRL_Z);
        desk.prompt(1, 148);
        desk.line("fg");
    }
    desk.line("three");
    desk.wait_for("three\r\n");
    desk.send(CTRL_D);
    desk.prompt(0, 0);
}
