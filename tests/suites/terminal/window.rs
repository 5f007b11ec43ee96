//! The window's size, the terminal's settings, and its end.

use tests::conform::Under;
use tests::terminal::{Desk, assert_same_scene};

#[test]
fn a_change_of_the_windows_size_is_heard_once_and_seen() {
    let shown = assert_same_scene(|desk| {
        desk.line(r#"$W bash -c 'echo $$ > pid; trap "echo settled" RTMAX; n=0; trap "n=\$((n+1)); stty size" WINCH; echo go; until [ -e done ] || ! [ -e ../cwd ]; do :; done; echo heard $n'"#);
        desk.wait_for("go\r\n");
        desk.resize(132, 43);
        desk.wait_for("43 132\r\n");
        desk.settles();
        std::fs::write(desk.path("done"), "").unwrap();
        desk.prompt(0, 0)
    });
    assert_eq!(shown, "heard 1\r\n");
}

#[test]
fn the_terminal_is_as_before_afterwards() {
    assert_same_scene(|desk| {
        let before = desk.does("stty -a", 0, 0);
        desk.does("$W true", 0, 0);
        desk.does("$W sh -c 'exit 3'", 0, 3);
        let after = desk.does("stty -a", 0, 0);
        assert_eq!(before, after);
        let foreground = "read -r _ _ _ _ _ _ _ group _ < /proc/$$/stat; echo $((group == $$))";
        assert_eq!(desk.does(foreground, 0, 0), "1\r\n");
    });
}

#[test]
fn a_hang_up_ends_the_command_and_leaves_a_session() {
    let mut desk = Desk::with(Under::Tracer);
    desk.line("$W sh -c 'echo $$ > pid; echo go; exec sleep 100'");
    desk.wait_for("go\r\n");
    desk.hang_up();
    let summary = desk.summary();
    assert_eq!((summary["exit_signal"].as_i64(), summary["subtype"].as_str()), (Some(1), Some("killed")));
    desk.status();
}

#[test]
fn a_command_that_survives_a_hang_up_is_recorded_to_its_end() {
    let mut desk = Desk::with(Under::Tracer);
    desk.line("$W sh -c \"trap '' HUP; echo go; until [ -e done ] || ! [ -e ../cwd ]; do :; done; exit 8\"");
    desk.wait_for("go\r\n");
    desk.hang_up();
    desk.status();
    std::fs::write(desk.path("done"), "").unwrap();
    assert_eq!(desk.summary()["exit_code"], 8);
}

#[test]
fn tracers_words_come_after_all_that_the_command_wrote() {
    let mut desk = Desk::with(Under::Tracer);
    let shown = desk.does("$T sh -c 'echo one; echo two >&2; exit 4'", 0, 4);
    assert!(shown.starts_with("one\r\ntwo\r\ntracer: \x1b[31msh ("), "{shown:?}");
    assert!(shown.contains("exited with code 4\x1b[0m\r\n") && shown.ends_with("\r\n"), "{shown:?}");
    let shown = desk.does("NO_COLOR=1 $T true; $T true 2>&1 | cat", 0, 0);
    assert!(shown.contains("exited with code 0") && !shown.contains('\x1b'), "{shown:?}");
}
