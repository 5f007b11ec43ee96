//! `--timeout`, `--idle-timeout`, `--kill-after`, `--preserve-status`.

use serde_json::json;
use tests::Trace;

use crate::{assert_ended, assert_ended_by_tracer, elapsed, status, stdout};

#[test]
fn whoever_does_not_read_what_tracer_says_holds_up_no_ending() {
    // Its reader takes nothing, and the command has filled the pipe when tracer warns; and again when it reports.
    let prelude = "mkfifo err; sleep 8 <err & (sleep 3; kill -TERM $$) & exec 2>err";
    let flags = ["--target", "nosuch", "--resolve-timeout", "100ms", "--on-unresolved", "continue"];
    let session = Trace::sh("yes >&2")
        .after(prelude)
        .flags(flags)
        .flags(["--timeout", "500ms", "--kill-after", "1s"])
        .run();
    assert_eq!((status(&session), &session.summary["termination_reason"]), (124, &json!("TIMED_OUT")));
}

#[test]
fn when_its_time_is_up_the_command_is_ended_and_the_verdict_says_so() {
    let session = Trace::command(["sleep", "20"]).flags(["--timeout", "200ms"]).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    assert_ended_by_tracer(session.root(), libc::SIGTERM);
    assert!((0.2..10.0).contains(&elapsed(&session)), "{} s", elapsed(&session));
    let verdict = &session.summary["verdict"];
    let sentence = verdict["sentence"].as_str().unwrap();
    assert!(
        sentence.ends_with("by SIGTERM from tracer: the command's time was up (--timeout 200ms)"),
        "{sentence}"
    );
    assert_eq!(verdict["evidence"][0]["event"], "signal");
    assert!(session.outcome.stderr.contains(sentence), "{}", session.outcome.stderr);
}

#[test]
fn a_command_that_is_in_time_ends_as_it_would() {
    let flags = ["--timeout", "1h", "--idle-timeout", "1h", "--kill-after", "1h"];
    let session = Trace::sh("exit 3").flags(flags).run();
    assert_ended(&session, 3, "failed", "NATURAL_EXIT", "exited_non_zero");
}

#[test]
fn no_time_is_no_limit() {
    let flags = ["--timeout", "0s", "--idle-timeout", "0s", "--until", "nothing"];
    let session = Trace::sh("sleep 0.3; exit 3").flags(flags).run();
    assert_eq!(status(&session), 3, "{}", session.outcome.stderr);
}

#[test]
fn who_ignores_sigterm_is_killed_after_the_time_for_that() {
    let flags = ["--timeout", "200ms", "--kill-after", "300ms"];
    let session = Trace::case(["deaf"]).flags(flags).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    assert_ended_by_tracer(session.root(), libc::SIGKILL);
    assert!((0.5..10.0).contains(&elapsed(&session)), "{} s", elapsed(&session));
}

#[test]
fn who_takes_sigterm_in_its_own_way_has_its_own_status_in_the_session() {
    let script = "trap 'exit 7' TERM; while :; do :; done";
    let session = Trace::sh(script).flags(["--timeout", "200ms"]).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    assert_eq!(session.summary["exit_code"], 7);
    let sentence = session.summary["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("exited with code 7, after SIGTERM from tracer: "), "{sentence}");
}

#[test]
fn with_preserve_status_it_is_tracers_too() {
    let flags = ["--timeout", "200ms", "--preserve-status"];
    let session = Trace::sh("trap 'exit 7' TERM; while :; do :; done").flags(flags).run();
    assert_ended(&session, 7, "timed_out", "TIMED_OUT", "timeout");
    let session = Trace::command(["sleep", "20"]).flags(flags).run();
    assert_ended(&session, 128 + libc::SIGTERM, "timed_out", "TIMED_OUT", "timeout");
}

#[test]
fn a_command_that_stands_still_is_let_go_on_to_its_end() {
    let session = Trace::sh("kill -STOP $$").flags(["--timeout", "200ms", "--kill-after", "0s"]).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    assert_ended_by_tracer(session.root(), libc::SIGTERM);
}

#[test]
fn a_target_that_ended_before_is_not_said_to_have_been_ended() {
    let script = "workload exit 4; while :; do :; done";
    let flags = ["--timeout", "500ms", "--target", "workload"];
    let session = Trace::sh(script).after("PATH=$PWD:$PATH").workload_as("workload").flags(flags).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "exited_non_zero");
    let remark = session.outcome.stderr.lines().find(|line| line.contains("the command itself: ")).unwrap();
    assert!(remark.ends_with("the command's time was up (--timeout 500ms)"), "{remark}");
}

#[test]
fn without_a_target_at_that_time_it_is_the_time_that_ends_it() {
    let flags = ["--timeout", "200ms", "--target", "nosuch"];
    let session = Trace::command(["sleep", "20"]).flags(flags).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    assert_eq!(session.summary["target"], json!(null));
    assert!(session.outcome.stderr.contains("only lineage is recorded"), "{}", session.outcome.stderr);
}

#[test]
fn a_silent_command_is_ended_and_one_that_speaks_is_not() {
    let script = "for i in 1 2 3 4 5 6; do echo $i; echo $i >&2; sleep 0.1; done; exec sleep 20";
    let session = Trace::sh(script).flags(["--idle-timeout", "1s", "--target", "sh"]).run();
    assert_ended(&session, 124, "timed_out", "IDLE", "idle_timeout");
    assert_eq!(stdout(&session), "1\n2\n3\n4\n5\n6\n");
    assert!(elapsed(&session) >= 1.5, "{} s", elapsed(&session));
    let sentence = session.summary["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("(--idle-timeout 1s)"), "{sentence}");
}
