//! `--until` and `--drain`.

use serde_json::json;
use tests::Trace;

use crate::{assert_ended, assert_ended_by_tracer, status, stdout};

#[test]
fn what_was_waited_for_ends_the_command_with_success() {
    let script = "echo one; echo listening on 80; exec sleep 20";
    let session = Trace::sh(script).flags(["--until", "listening on [0-9]+", "--target", "sh"]).run();
    assert_ended(&session, 0, "completed", "OUTPUT_MATCHED", "output_matched");
    assert_ended_by_tracer(session.root(), libc::SIGTERM);
    assert_eq!(stdout(&session), "one\nlistening on 80\n");
    let sentence = session.summary["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("(--until listening on [0-9]+)"), "{sentence}");
}

#[test]
fn stderr_is_looked_at_too_and_a_match_may_come_in_pieces() {
    let script = "printf 're' >&2; sleep 0.1; printf 'ady' >&2; exec sleep 20";
    let session = Trace::sh(script).flags(["--until", "^ready$"]).run();
    assert_eq!(status(&session), 0, "{}", session.outcome.stderr);
    assert_eq!(session.summary["termination_reason"], "OUTPUT_MATCHED");
    assert!(session.outcome.stderr.starts_with("ready"), "{}", session.outcome.stderr);
}

#[test]
fn the_two_streams_are_two_texts() {
    let session = Trace::sh("printf re; printf ady >&2; exit 3").flags(["--until", "ready"]).run();
    assert_ended(&session, 3, "failed", "NATURAL_EXIT", "exited_non_zero");
}

#[test]
fn for_the_time_of_the_drain_output_still_goes_through() {
    let script = "echo ready; sleep 0.2; echo more; exec sleep 20";
    let session = Trace::sh(script).flags(["--until", "ready", "--drain", "1500ms", "--target", "sh"]).run();
    assert_ended(&session, 0, "completed", "OUTPUT_MATCHED", "output_matched");
    assert_eq!(stdout(&session), "ready\nmore\n");
}

#[test]
fn a_command_that_ends_within_the_drain_or_with_the_match_has_matched() {
    let within =
        Trace::sh("echo ready; sleep 0.1; exit 3").flags(["--until", "ready", "--drain", "20s"]).run();
    assert_eq!(within.summary["termination_reason"], "OUTPUT_MATCHED");
    assert_eq!((status(&within), &within.summary["exit_code"]), (0, &3.into()));
    let flags = ["--until", "ready", "--preserve-status", "--drain", "20s"];
    let preserved = Trace::sh("echo ready; exit 3").flags(flags).run();
    assert_ended(&preserved, 3, "completed", "OUTPUT_MATCHED", "exited_non_zero");
}

#[test]
fn the_end_of_what_has_come_so_far_is_not_the_end_of_the_line() {
    let script = "printf ready; sleep 0.3; echo ' in 5 minutes, not now'; exit 3";
    let session = Trace::sh(script).flags(["--until", "^ready$", "--drain", "5s"]).run();
    assert_eq!((status(&session), &session.summary["termination_reason"]), (3, &json!("NATURAL_EXIT")));
    let session = Trace::sh("printf ready; exit 3").flags(["--until", "^ready$"]).run();
    assert_ended(&session, 0, "completed", "OUTPUT_MATCHED", "exited_non_zero");
}

#[test]
fn a_match_in_the_very_last_output_comes_before_the_end() {
    for _ in 0..20 {
        let session = Trace::sh("printf ready; exit 3").flags(["--until", "ready"]).run();
        assert_eq!(session.summary["termination_reason"], "OUTPUT_MATCHED");
    }
}

#[test]
fn an_expression_that_is_none_is_refused_and_nothing_runs() {
    let outcome = Trace::sh("touch ran").flags(["--until", "("]).outcome();
    assert_eq!(outcome.status.code(), Some(125));
    assert!(outcome.stderr.contains("--until"), "{}", outcome.stderr);
    assert!(!outcome.file("ran").exists());
    let outcome = Trace::sh("touch ran").flags(["--drain", "1s"]).outcome();
    assert_eq!(outcome.status.code(), Some(125));
    assert!(outcome.stderr.contains("--until"), "{}", outcome.stderr);
}
