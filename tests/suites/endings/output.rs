//! Output that passes through tracer is what it would be without: byte for byte, in order, at the reader's pace.

use tests::Trace;

use crate::{assert_ended, status, stdout};

/// What makes the output pass through tracer.
const SEEN: [&str; 2] = ["--until", "no such line"];

#[test]
fn megabytes_of_any_bytes_are_the_same_on_both_streams() {
    let bytes: Vec<u8> =
        (0..4_000_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let session = Trace::sh("tee /dev/stderr").stdin(bytes.clone()).flags(["-q"]).flags(SEEN).run();
    assert!(session.outcome.stdout == bytes, "other bytes: {}", session.outcome.stdout.len());
    assert_eq!(session.outcome.stderr, String::from_utf8_lossy(&bytes));
    session.assert_whole();
}

#[test]
fn where_both_streams_are_one_their_order_stays() {
    let script = "i=0; while [ $i -lt 3000 ]; do printf a$i; printf b$i >&2; i=$((i+1)); done";
    let session = Trace::sh(script).after("exec 2>&1").flags(["-q"]).flags(SEEN).run();
    let expected: String = (0..3000).map(|number| format!("a{number}b{number}")).collect();
    assert!(stdout(&session) == expected, "{}", stdout(&session));
}

#[test]
fn files_are_appended_to_as_they_would_be() {
    let script = "echo one; echo two >&2; echo three";
    let session = Trace::sh(script).after("echo old >log; exec >>log 2>&1").flags(["-q"]).flags(SEEN).run();
    let text = std::fs::read_to_string(session.outcome.file("log")).unwrap();
    assert_eq!(text, "old\none\ntwo\nthree\n");
}

#[test]
fn a_closed_stream_stays_closed() {
    let look = || Trace::sh("echo lost || echo as it should >&2").after("exec >&-");
    let traced = look().flags(["-q"]).flags(SEEN).run().outcome.stderr;
    assert_eq!(traced, look().without_tracer().stderr);
    assert!(traced.contains("as it should"), "{traced}");
}

#[test]
fn somebody_else_may_open_its_streams_by_their_names() {
    let script = "echo more >/dev/stdout; echo words >/dev/stderr; exit 4";
    let session = Trace::sh(script).flags(["-q", "--user", "nobody"]).flags(SEEN).run();
    let told = (status(&session), stdout(&session), session.outcome.stderr.clone());
    assert_eq!(told, (4, "more\n".to_owned(), "words\n".to_owned()));
}

#[test]
fn a_reader_that_goes_away_is_the_commands_to_notice() {
    let prelude = "mkfifo out; head -n 1 <out >/dev/null 2>&1 & exec >out";
    let session = Trace::sh("exec yes").after(prelude).flags(SEEN).run();
    assert_eq!(status(&session), 128 + libc::SIGPIPE, "{}", session.outcome.stderr);
    assert_eq!(session.root()["exit_signal"], libc::SIGPIPE);
}

#[test]
fn somebody_who_holds_the_pipe_after_the_command_is_not_waited_for_till_the_end() {
    let session =
        Trace::sh("setsid sleep 25 & echo last words; exit 3").flags(["--target", "sh"]).flags(SEEN).run();
    assert_eq!((status(&session), stdout(&session).as_str()), (3, "last words\n"));
    let pid = session.summary["orphans"][0]["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn what_is_written_right_after_the_command_by_those_it_left_behind_comes_out_too() {
    for flags in [SEEN, ["--idle-timeout", "20s"]] {
        // As in `cmd > >(tee log)`; here it is certain that the command has been waited for.
        let late = "(until ! [ -e /proc/$$ ]; do :; done; echo late; echo words >&2) & echo first; exit 3";
        let session = Trace::sh(late).flags(["--target", "sh"]).flags(flags).run();
        assert_eq!((status(&session), stdout(&session).as_str()), (3, "first\nlate\n"));
        assert!(session.outcome.stderr.starts_with("words\n"), "{}", session.outcome.stderr);
        let orphans = session.summary["orphans"].as_array().unwrap();
        // It may have ended before anybody could look who is left.
        assert!(orphans.iter().all(|orphan| orphan["ended_at"].is_string()), "{orphans:?}");
        session.assert_whole();
    }
}

#[test]
fn who_is_not_heard_is_not_silent() {
    // The reader takes nothing for longer than the command may be silent; then all of it.
    let prelude = "mkfifo out; (sleep 1; exec wc -c) <out >count 2>/dev/null & exec >out";
    let script = "head -c 1000000 /dev/zero; exit 3";
    let flags = ["--idle-timeout", "300ms"];
    let session = Trace::sh(script).after(prelude).flags(flags).run();
    assert_ended(&session, 3, "failed", "NATURAL_EXIT", "exited_zero");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let count = || std::fs::read_to_string(session.outcome.file("count")).unwrap_or_default();
    while count().is_empty() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(count().trim(), "1000000");
}

#[test]
fn a_reader_that_takes_nothing_is_waited_for_until_somebody_tells_tracer_to_end() {
    // What is written fits into the two pipes and what tracer holds, so the command ends; not so its output.
    let prelude =
        "mkfifo out; sleep 6 <out 2>/dev/null & (sleep 1; kill -TERM $$) >/dev/null 2>&1 & exec >out";
    let session = Trace::sh("head -c 100000 /dev/zero; exit 3").after(prelude).flags(SEEN).run();
    assert_eq!((status(&session), &session.summary["termination_reason"]), (3, &"NATURAL_EXIT".into()));
    assert!(session.outcome.stderr.contains("bytes of output are lost"), "{}", session.outcome.stderr);
    session.assert_whole();
}
