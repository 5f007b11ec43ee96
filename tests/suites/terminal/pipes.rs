//! Pipes end when the command closes them, though tracer lives on. Each command here waits until the other end has noticed.

use tests::conform::Under;
use tests::terminal::{Desk, assert_same_scene};

#[test]
fn whoever_reads_what_the_command_writes_sees_its_end() {
    assert_same_scene(|desk| {
        let closes =
            "$W bash -c 'echo last; exec >&-; until [ -e noticed ] || ! [ -e ../cwd ]; do :; done; exit 3'";
        desk.does(&format!("{closes} | {{ cat; touch noticed; }}; (exit ${{PIPESTATUS[0]}})"), 0, 3)
    });
}

#[test]
fn they_end_also_where_the_output_passes_through_tracer() {
    let mut desk = Desk::with(Under::Nothing);
    for (closes, is_read) in [(">&-", "|"), ("2>&-", "2>&1 >/dev/null |")] {
        let closes = format!(
            "echo last; echo last >&2; exec {closes}; until [ -e noticed ] || ! [ -e ../cwd ]; do :; done; exit 3"
        );
        let line = format!(
            "${{T% --}} -q --until nosuch -- bash -c '{closes}' {is_read} {{ cat; touch noticed; }}; (exit ${{PIPESTATUS[0]}})"
        );
        assert!(desk.does(&line, 0, 3).contains("last"));
        desk.does("rm noticed", 0, 0);
    }
}

#[test]
fn whoever_writes_what_the_command_reads_gets_sigpipe() {
    assert_same_scene(|desk| {
        let closes = "$W bash -c 'read line; exec <&-; until [ -e noticed ] || ! [ -e ../cwd ]; do :; done; exit $(cat noticed)'";
        desk.does(&format!("{{ yes; echo $? > noticed; }} 2>/dev/null | {closes}"), 0, 141)
    });
}

#[test]
fn a_pipe_under_another_number_ends_too() {
    assert_same_scene(|desk| {
        let closes = "$W bash -c 'echo last >&5; exec 5>&-; until [ -e noticed ] || ! [ -e ../cwd ]; do :; done; cat noticed'";
        desk.does(&format!("mkfifo way; ( {{ cat way > got; mv got noticed; }} & ); {closes} 5> way"), 0, 0)
    });
}
