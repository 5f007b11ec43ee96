//! `--live`: a status line that leaves the command's own lines alone.

use std::time::Instant;

use tests::conform::Under;
use tests::terminal::Desk;

/// tracer with that flag, as the shell has it.
const LIVE: &str = "${T% --} --live --target sh --";
/// The same, where the command has a terminal of its own.
const APART: [&str; 2] =
    ["${T% --} --live --target sh --pty --", "${T% --} --live --target sh --until nosuch --"];

/// What is drawn between a saved and a restored cursor, and the text without it.
fn split(shown: &str) -> (Vec<String>, String) {
    let (mut drawn, mut rest) = (Vec::new(), String::new());
    for part in shown.split_inclusive("\x1b8") {
        let (before, words) = part.split_once("\x1b7").unwrap_or((part, ""));
        rest.push_str(before);
        drawn.extend(words.strip_suffix("\x1b8").map(str::to_owned));
    }
    (drawn, rest)
}

/// A command that runs for a while, in which `tracer` draws, and then asks for a line.
fn run(desk: &mut Desk, tracer: &str) -> (Vec<String>, String, f64) {
    let begun = Instant::now();
    desk.line(&format!("{tracer} sh -c 'printf \"half a \"; sleep 1.6; echo line; exit 3'"));
    let shown = desk.prompt(0, 3);
    let (drawn, rest) = split(&shown);
    (drawn, rest, begun.elapsed().as_secs_f64())
}

#[test]
fn time_processes_and_memory_are_shown_at_a_modest_rate_and_gone_at_the_end() {
    let (drawn, rest, seconds) = run(&mut Desk::with(Under::Nothing), LIVE);
    assert!(
        (2.0..=seconds * 4.0 + 2.0).contains(&(drawn.len() as f64)),
        "{} in {seconds} s: {drawn:?}",
        drawn.len()
    );
    assert!(
        drawn.iter().any(|words| words.contains("0:01, 2 proc, ") && words.ends_with(" MiB tree")),
        "{drawn:?}"
    );
    let (_, last) = drawn.last().unwrap().split_once('G').unwrap();
    assert!(last.trim().is_empty() && !last.is_empty(), "erased: {drawn:?}");
    assert!(rest.starts_with("half a line\r\n"), "the command's line is whole: {rest:?}");
    assert!(rest.contains("exited with code 3"), "{rest:?}");
}

#[test]
fn a_command_with_a_terminal_of_its_own_has_them_too_but_not_beside_a_screen_that_it_draws() {
    let mut desk = Desk::with(Under::Nothing);
    for tracer in APART {
        let (drawn, rest, _) = run(&mut desk, tracer);
        assert!(drawn.iter().any(|words| words.contains("0:01, 2 proc, ")), "{tracer}: {drawn:?}");
        let (_, last) = drawn.last().unwrap().split_once('G').unwrap();
        assert!(last.trim().is_empty() && !last.is_empty(), "erased: {drawn:?}");
        assert!(rest.starts_with("half a line\r\n"), "the command's line is whole: {rest:?}");
        desk.line(&format!("{tracer} sh -c 'stty -icanon; echo raw; sleep 0.6; echo still; stty icanon'"));
        desk.wait_for("raw\r\n");
        assert_eq!(desk.wait_for("still\r\n"), "", "{tracer}");
        desk.prompt(0, 0);
    }
}

#[test]
fn the_words_end_where_the_window_does() {
    let mut desk = Desk::with(Under::Nothing);
    desk.resize(20, 24);
    let (drawn, _, _) = run(&mut desk, LIVE);
    for words in &drawn {
        let (column, words) = words.strip_prefix("\x1b[").unwrap().split_once('G').unwrap();
        assert!(column.parse::<usize>().unwrap() + words.len() <= 20, "{drawn:?}");
    }
}

#[test]
fn a_terminal_that_takes_nothing_holds_nothing_up() {
    let mut desk = Desk::with(Under::Nothing);
    desk.line("${T% --} --live --timeout 2s --target sh -- sh -c 'echo go; exec sleep 100'");
    desk.wait_for("go\r\n");
    // Ctrl-S, and Ctrl-Q at the end.
    desk.send("\x13");
    assert_eq!(desk.summary()["termination_reason"], "TIMED_OUT");
    desk.send("\x11");
    desk.prompt(0, 124);
}

#[test]
fn nothing_is_drawn_where_stderr_is_no_terminal_or_a_program_has_the_terminal_in_raw_mode() {
    let mut desk = Desk::with(Under::Nothing);
    let elsewhere = format!("{LIVE} sh -c 'sleep 0.6' 2>words; grep -c $'\\e' words");
    assert_eq!(desk.does(&elsewhere, 0, 1), "0\r\n");
    desk.line(&format!("{LIVE} sh -c 'stty -icanon; echo raw; sleep 0.6; echo still; stty icanon'"));
    desk.wait_for("raw\r\n");
    assert_eq!(desk.wait_for("still\r\n"), "");
    desk.prompt(0, 0);
    desk.line(&format!("{LIVE} sh -c 'read line; echo \"read $line\"'"));
    desk.line("typed");
    let shown = desk.prompt(0, 0);
    assert!(split(&shown).1.starts_with("read typed\r\n"), "{shown:?}");
}
