//! A shell with job control under tracer: its jobs are its own, and it may itself be stopped.

use tests::terminal::{CTRL_C, CTRL_Z, Desk, assert_same_scene};

/// Another shell, with a prompt of its own.
const INNER: &str = r"PS1='in[\j $?]> ' $W bash --norc --noprofile --noediting -i";

fn enter(desk: &mut Desk) {
    desk.line(INNER);
    desk.wait_for("in[0 0]> ");
}

#[test]
fn jobs_in_a_shell_stop_and_go_on_as_its_own() {
    assert_same_scene(|desk| {
        enter(desk);
        desk.line("cat");
        desk.line("one");
        desk.wait_for("one\r\n");
        desk.send(CTRL_Z);
        desk.wait_for("in[1 148]> ");
        desk.line("sleep 100 &");
        desk.wait_for("in[2 0]> ");
        desk.line("fg %1");
        desk.line("two");
        desk.wait_for("two\r\n");
        desk.send(CTRL_C);
        desk.wait_for("in[1 130]> ");
        desk.line("kill %2; wait %2");
        desk.wait_for("in[0 143]> ");
        desk.line("exit 7");
        desk.prompt(0, 7);
    });
}

#[test]
fn a_shell_that_suspends_itself_is_a_stopped_job_and_has_the_terminal_again_after_fg() {
    assert_same_scene(|desk| {
        enter(desk);
        desk.line("suspend");
        desk.prompt(1, 147);
        desk.line("fg");
        desk.line("");
        desk.wait_for("in[0 0]> ");
        desk.line("cat");
        desk.line("typed");
        desk.wait_for("typed\r\n");
        desk.send(CTRL_C);
        desk.wait_for("in[0 130]> ");
        desk.line("exit");
        desk.prompt(0, 130);
    });
}
