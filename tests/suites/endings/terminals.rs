//! `--pty`, and the terminal that a command has where its output is looked at and goes to one.

use rustix::process::Signal;
use tests::Trace;

use crate::terminal::{SIZE, Terminal};
use crate::{assert_ended, status, stdout};

const LOOP: &str = "echo ready; while :; do sleep 0.05; done";

#[test]
fn without_a_terminal_the_command_has_one_all_the_same() {
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size && cut -d' ' -f6 /proc/$$/stat && echo $$";
    let session = Trace::sh(script).flags(["--pty", "-q"]).run();
    let text = stdout(&session);
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!((status(&session), lines[0]), (0, "24 80"), "{text:?}");
    assert_eq!(lines[1], lines[2], "it leads a session of its own");
    session.assert_whole();
}

#[test]
fn what_is_piped_in_is_typed_and_its_end_is_the_end() {
    for (typed, expected) in [("a\nb\n", "a\r\nb\r\n"), ("a\nb", "a\r\nb"), ("", "")] {
        let session = Trace::command(["cat"]).stdin(typed.into()).flags(["--pty", "-q"]).run();
        assert_eq!((status(&session), stdout(&session).as_str()), (0, expected), "{typed:?}");
    }
}

#[test]
fn a_command_that_closes_its_terminal_is_not_hung_up_and_may_open_it_again() {
    // As cat does in its last moments, and a daemon for long.
    let closes = "tty=$(tty); exec </dev/null >/dev/null 2>&1; sleep 0.6";
    let session = Trace::sh(&format!("{closes}; echo again >$tty; exit 5")).flags(["--pty", "-q"]).run();
    assert_eq!((status(&session), stdout(&session).as_str()), (5, "again\r\n"));
    // As whoever asks for a password does. It holds the terminal, and tracer still hears everything.
    let asks =
        format!("{closes}; exec 3<>$tty; echo asks >&3; read line <&3; echo \"<$line>\" >&3; sleep 20");
    let mut terminal = Terminal::run(&["--pty", "--timeout", "20s"], &asks, true);
    terminal.await_text("asks");
    terminal.type_keys("secret\r");
    terminal.await_text("<secret>");
    terminal.signal_tracer(Signal::TERM);
    assert_eq!(terminal.end(), 128 + libc::SIGTERM);
}

#[test]
fn the_terminal_of_a_command_that_runs_as_somebody_else_is_that_users() {
    let session =
        Trace::sh("stat -c %U $(tty); echo more >$(tty)").flags(["--pty", "-q", "--user", "nobody"]).run();
    assert_eq!((status(&session), stdout(&session).as_str()), (0, "nobody\r\nmore\r\n"));
}

#[test]
fn all_that_a_command_writes_before_its_end_comes_out() {
    let session = Trace::command(["seq", "200000"]).flags(["--pty", "-q"]).run();
    let expected: String = (1..=200_000).map(|number| format!("{number}\r\n")).collect();
    assert!(stdout(&session) == expected, "{} bytes", stdout(&session).len());
}

#[test]
fn a_terminal_and_an_ending_go_together() {
    let session = Trace::sh("echo ready; sleep 20").flags(["--pty", "--until", "^ready$"]).run();
    assert_ended(&session, 0, "completed", "OUTPUT_MATCHED", "output_matched");
    let session = Trace::command(["sleep", "20"]).flags(["--pty", "--timeout", "200ms"]).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
}

#[test]
fn the_size_is_that_of_tracers_terminal_and_follows_it() {
    let script = format!("stty size; trap 'stty size' WINCH; {LOOP}");
    let mut terminal = Terminal::run(&["--pty", "--timeout", "20s"], &script, true);
    terminal.await_text(&format!("{} {}", SIZE.0, SIZE.1));
    terminal.await_text("ready");
    terminal.resize((41, 77));
    terminal.await_text("41 77");
    terminal.type_keys("\x1c");
    assert_eq!(terminal.end(), 128 + libc::SIGQUIT);
}

#[test]
fn the_keys_are_the_commands() {
    for (keys, signal) in [("\x03", "INT"), ("\x1c", "QUIT")] {
        let script = format!("trap 'exit 9' {signal}; {LOOP}");
        let mut terminal = Terminal::run(&["--pty", "--timeout", "20s"], &script, true);
        terminal.await_text("ready");
        assert!(terminal.is_raw(), "keys are passed on as they are");
        terminal.type_keys(keys);
        assert_eq!(terminal.end(), 9, "{signal}");
    }
}

#[test]
fn a_line_that_is_typed_is_read() {
    let mut terminal =
        Terminal::run(&["--pty", "--timeout", "20s"], "read a; echo \"<$a>\"; cat; exit 4", true);
    terminal.type_keys("hello\r");
    terminal.await_text("<hello>");
    terminal.type_keys("\x04");
    assert_eq!(terminal.end(), 4);
}

#[test]
fn a_terminal_of_another_session_is_read_and_put_back_too() {
    let script = "trap 'stty size' WINCH; echo ready; until read a; do :; done; echo \"<$a>\"; cat; exit 4";
    let mut terminal = Terminal::run_in_another_session(&["--pty", "--timeout", "20s"], script);
    terminal.await_text("ready");
    assert!(terminal.is_raw(), "keys are passed on as they are");
    // Nobody tells tracer of it.
    terminal.resize((41, 77));
    terminal.await_text("41 77");
    terminal.type_keys("hello\r");
    terminal.await_text("<hello>");
    // Nobody could go on with who stops there.
    terminal.type_keys("\x1amore\r\x04");
    assert_eq!(terminal.end(), 4);
    let mut terminal = Terminal::run_in_another_session(&["--pty", "--timeout", "20s"], LOOP);
    terminal.await_text("ready");
    terminal.type_keys("\x03");
    assert_eq!(terminal.end(), 128 + libc::SIGINT);
    let script = format!("test -t 0 && test -t 1 && echo both; {LOOP}");
    let mut terminal = Terminal::run_in_another_session(&["--until", "both", "--drain", "1s"], &script);
    terminal.await_text("both");
    assert!(!terminal.is_raw(), "it may be a shell's, which takes keys itself");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_shell_inside_has_its_jobs() {
    let mut terminal = Terminal::run(&["--pty", "--timeout", "20s"], "exec bash --norc --noprofile -i", true);
    terminal.type_keys("sh -c 'echo in''side; exec sleep 15'\r");
    terminal.await_text("inside");
    terminal.type_keys("\x1a");
    terminal.await_text("Stopped");
    terminal.type_keys("kill -9 %1; while jobs | grep -q Stopped; do :; done; exit 6\r");
    assert_eq!(terminal.end(), 6);
}

#[test]
fn the_terminal_is_put_back_whatever_ends_the_run() {
    // `end` asserts it.
    let mut told = Terminal::run(&["--pty", "--timeout", "20s"], LOOP, true);
    told.await_text("ready");
    assert!(told.is_raw());
    told.signal_tracer(Signal::TERM);
    assert_eq!(told.end(), 128 + libc::SIGTERM);
    let timed_out = Terminal::run(&["--pty", "--timeout", "300ms"], "sleep 20", true);
    assert_eq!(timed_out.end(), 124);
    let not_run = Terminal::run(&["--pty"], "exec ./nosuch", true);
    assert_eq!(not_run.end(), 127);
}

#[test]
fn a_tracer_that_stood_still_passes_keys_on_again() {
    let script = format!("trap 'exit 9' INT; {LOOP}");
    let mut terminal = Terminal::run(&["--pty", "--timeout", "20s"], &script, true);
    terminal.await_text("ready");
    terminal.signal_tracer(Signal::STOP);
    terminal.put_back();
    assert!(!terminal.is_raw(), "as a shell puts its own settings back");
    terminal.signal_tracer(Signal::CONT);
    terminal.await_raw();
    terminal.type_keys("\x03");
    assert_eq!(terminal.end(), 9);
}

#[test]
fn output_that_is_looked_at_and_goes_to_a_terminal_still_does_for_the_command() {
    for typed in [true, false] {
        let script = format!("test -t 1 && test -t 2 && echo both; {LOOP}");
        let mut terminal = Terminal::run(&["--until", "both", "--drain", "100ms"], &script, typed);
        terminal.await_text("both");
        assert_eq!(terminal.end(), 0);
    }
}

#[test]
fn a_key_reaches_the_command_also_where_nobody_types_into_it() {
    let script = format!("trap 'exit 9' INT; {LOOP}");
    let mut terminal = Terminal::run(&["--until", "no such line", "--timeout", "20s"], &script, false);
    terminal.await_text("ready");
    terminal.type_keys("\x03");
    assert_eq!(terminal.end(), 9);
}

#[test]
fn a_terminal_whose_output_nobody_takes_any_more_hangs_up() {
    let tracer = tests::tracer().into_os_string();
    let line = "$0 run -q --pty --log-dir ../log --tmpfs-path ../run -- yes | head -n 1";
    let outcome = Trace::command(["sh".into(), "-c".into(), line.into(), tracer]).within(30).without_tracer();
    assert_eq!(outcome.stdout.trim_ascii(), b"y", "{}", outcome.stderr);
}
