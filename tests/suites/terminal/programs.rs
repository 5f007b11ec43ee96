//! Programs that take the terminal over, and sudo.

use tests::conform::Under;
use tests::terminal::{CTRL_C, CTRL_Z, Desk, assert_same_scene};

#[test]
fn less_pages_stops_goes_on_and_gives_the_terminal_back() {
    assert_same_scene(|desk| {
        let before = desk.does("seq 1000 > numbers; stty -a", 0, 0);
        desk.line("$W less numbers");
        desk.wait_for("23\r\n");
        desk.send(" ");
        desk.wait_for("46\r\n");
        desk.insists(CTRL_Z, 1, 148);
        let stopped = desk.does("stty -a", 1, 0);
        desk.line("fg");
        desk.wait_for("46\r\n");
        desk.send("q");
        desk.prompt(0, 0);
        let after = desk.does("stty -a", 0, 0);
        assert_eq!((&before, &before), (&stopped, &after));
    });
}

#[test]
fn vim_edits_a_file_without_a_screen_and_with_one() {
    assert_same_scene(|desk| {
        desk.does("$W vim -es -u NONE -c 'normal iabc' -c wq file; cat file", 0, 0);
        desk.line("$W vim -u NONE -i NONE file");
        desk.wait_for("abc");
        desk.insists(CTRL_Z, 1, 148);
        desk.line("fg");
        desk.wait_for("abc");
        desk.send("onew line\x1b:wq\r");
        desk.prompt(0, 0);
        let file = desk.does("cat file", 0, 0);
        assert_eq!(file, "abc\r\nnew line\r\n");
        desk.does("stty -a", 0, 0)
    });
}

#[test]
fn under_sudo_the_keys_do_the_same() {
    let mut desk = Desk::with(Under::Tracer);
    desk.line("sudo -n TRACER_TEST=1 $W cat");
    desk.line("one");
    desk.wait_for("one\r\n");
    desk.send(CTRL_Z);
    desk.prompt(1, 148);
    desk.line("fg");
    desk.line("two");
    desk.wait_for("two\r\n");
    desk.send(CTRL_C);
    desk.prompt(0, 130);
    assert_eq!(desk.summary()["exit_signal"], 2);
}

#[test]
fn sudo_under_tracer_does_the_same() {
    assert_same_scene(|desk| {
        desk.line("$W sudo -n cat");
        desk.line("one");
        desk.wait_for("one\r\n");
        desk.send(CTRL_Z);
        desk.prompt(1, 148);
        desk.line("fg");
        desk.line("two");
        desk.wait_for("two\r\n");
        desk.send(CTRL_C);
        desk.prompt(0, 130)
    });
}
