//! Pipes end when the command closes them, though tracer lives on. Each command here waits until the other end has noticed.

use tests::terminal::assert_same_scene;

#[test]
fn whoever_reads_what_the_command_writes_sees_its_end() {
    assert_same_scene(|desk| {
        let closes = "$W bash -c 'echo last; exec >&-; until [ -e noticed ]; do :; done; exit 3'";
        desk.does(&format!("{closes} | {{ cat; touch noticed; }}; (exit ${{PIPESTATUS[0]}})"), 0, 3)
    });
}

#[test]
fn whoever_writes_what_the_command_reads_gets_sigpipe() {
    assert_same_scene(|desk| {
        let closes =
            "$W bash -c 'read line; exec <&-; until [ -e noticed ]; do :; done; exit $(cat noticed)'";
        desk.does(&format!("{{ yes; echo $? > noticed; }} 2>/dev/null | {closes}"), 0, 141)
    });
}

#[test]
fn a_pipe_under_another_number_ends_too() {
    assert_same_scene(|desk| {
        let closes = "$W bash -c 'echo last >&5; exec 5>&-; until [ -e noticed ]; do :; done; cat noticed'";
        desk.does(&format!("mkfifo way; ( {{ cat way > got; mv got noticed; }} & ); {closes} 5> way"), 0, 0)
    });
}
