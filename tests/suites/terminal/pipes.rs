//! Pipes end when the command closes them, though tracer lives on. Each command here waits until the other end has noticed.

use tests::conform::Under;
use tests::terminal::{CTRL_Z, Desk, assert_same_scene};

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

#[test]
fn where_stderr_alone_is_a_terminal_it_is_one_for_the_command_too() {
    let mut desk = Desk::with(Under::Nothing);
    desk.resize(100, 30);
    let settings = desk.does("stty -a", 0, 0);
    desk.does("set -o pipefail; ps -o tty= -p $$ > ours", 0, 0);
    // The job, its session and its keys stay as they are.
    let script = "test -t 0 && test -t 2 && ! test -t 1 && stty size <&2 >&2; ps -o tty= -p $$ | cmp - ours >&2; echo go >&2; \
                  until [ \"$(stty size <&2)\" = \"41 77\" ] || ! [ -e ../cwd ]; do :; done; echo sized >&2; \
                  read line; echo \"<$line>\"; exit 3";
    for flags in ["--until nosuch", "--idle-timeout 20s"] {
        desk.resize(100, 30);
        desk.line(&format!("${{T% --}} -q {flags} -- sh -c '{script}' | {{ cat; echo end; }}"));
        assert_eq!(desk.wait_for("go\r\n"), "30 100\r\n", "{flags}");
        desk.resize(77, 41);
        desk.wait_for("sized\r\n");
        desk.send(CTRL_Z);
        desk.prompt(1, 148);
        desk.line("fg");
        desk.line("typed");
        desk.wait_for("<typed>\r\nend\r\n");
        desk.prompt(0, 3);
    }
    desk.resize(100, 30);
    assert_eq!(desk.does("stty -a", 0, 0), settings);
    let shown = desk.does("${T% --} --until '^there$' -- sh -c 'echo there >&2; sleep 20' | cat", 0, 0);
    assert!(shown.contains("there\r\n") && shown.contains("had what was waited for"), "{shown}");
}
