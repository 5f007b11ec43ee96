//! How a run ends that does not end by itself: which ending comes first, what it does to the tree, and what is told of it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: what goes wrong here fails the test with a backtrace"
)]

mod orders;
mod orphans;
mod output;
mod peers;
mod terminal;
mod terminals;
mod times;
mod trees;
mod until;

use std::os::unix::process::ExitStatusExt;

use serde_json::Value;
use tests::Session;

/// How tracer itself ended: a code, or 128 and the signal.
fn status(session: &Session) -> i32 {
    let status = session.outcome.status;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Asserts what is told of an ending, that the session is whole, and that nobody of its tree is left.
#[track_caller]
fn assert_ended(session: &Session, code: i32, subtype: &str, reason: &str, cause: &str) {
    assert_told(session, code, subtype, reason, cause);
    session.assert_whole().assert_nobody_lives();
    let claims = session.summary["verdict"]["evidence"].as_array().unwrap();
    assert!(!claims.is_empty(), "a verdict without evidence");
    for claim in claims {
        let same = |event: &&Value| {
            ["event", "ktime_ns", "pid", "starttime_ticks"].iter().all(|field| event[field] == claim[field])
        };
        assert_eq!(session.all_events.iter().filter(same).count(), 1, "{claim} in events.jsonl");
    }
}

#[track_caller]
fn assert_told(session: &Session, code: i32, subtype: &str, reason: &str, cause: &str) {
    let (summary, stderr) = (&session.summary, &session.outcome.stderr);
    let told = [&summary["subtype"], &summary["termination_reason"], &summary["verdict"]["cause"]];
    assert_eq!(told, [subtype, reason, cause], "{:#}\n{stderr}", summary["verdict"]);
    assert_eq!(status(session), code, "stderr:\n{stderr}");
}

/// Asserts that tracer sent this process that signal, as its row tells.
#[track_caller]
fn assert_ended_by_tracer(row: &Value, signal: i32) {
    assert_eq!((&row["exit_signal"], &row["killed_by"]["comm"]), (&signal.into(), &"tracer".into()), "{row}");
}

fn stdout(session: &Session) -> String {
    String::from_utf8_lossy(&session.outcome.stdout).into_owned()
}

fn elapsed(session: &Session) -> f64 {
    session.summary["elapsed_seconds"].as_f64().unwrap()
}
