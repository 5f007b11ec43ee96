//! Runs that are on: left alone, and their ids left to them.

use std::fs;

use tests::{Trace, tracer};

use crate::KILLS_ITS_TRACER;

#[test]
fn a_session_that_is_being_recorded_is_left_alone() {
    let tracer = tracer();
    let recover = format!(
        "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; \
         {} recover --min-age 0s --json --tmpfs-path ../run",
        tracer.display()
    );
    let session = Trace::sh(&recover).run();
    session.assert_whole();
    let report: serde_json::Value = serde_json::from_slice(&session.outcome.stdout).unwrap();
    assert_eq!((&report["action"], &report["gate"]), (&"leave".into(), &"G6".into()));
}

#[test]
fn an_id_that_is_given_again_after_a_crash_is_the_runs_that_is_on_and_the_crash_has_one_beside_it() {
    // By the recovery in the background of that run; and by another one, that knows the run by its sidecar.
    [true, false].into_iter().for_each(assert_id_is_kept);
}

fn assert_id_is_kept(is_old: bool) {
    let outcome =
        Trace::sh(KILLS_ITS_TRACER).flags(["--interval", "10ms", "--session-id", "nightly"]).outcome();
    outcome.await_ends();
    if is_old {
        outcome.age();
    }
    let looks = format!(
        "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; \
         {} recover --min-age 0s --tmpfs-path ../run >&2; exit 3",
        tracer().display()
    );
    assert_eq!(outcome.start_run("nightly", ["sh", "-c", &looks]).wait().unwrap().code(), Some(3));
    let names = outcome.session_names();
    assert!(names.len() == 2 && names[0] == "nightly" && names[1].starts_with("nightly-pid"), "{names:?}");
    let summary = |name: &str| -> serde_json::Value {
        let path = outcome.log().join("sessions").join(name).join("summary.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    assert_eq!(
        (&summary("nightly")["subtype"], &summary("nightly")["exit_code"]),
        (&"failed".into(), &3.into())
    );
    let crashed = summary(&names[1]);
    assert_eq!((&crashed["subtype"], crashed["session_id"].as_str()), (&"crashed".into(), Some(&*names[1])));
    assert_eq!((outcome.left().len(), outcome.index().len()), (0, 2));
    outcome.assert_readable();
}

#[test]
fn of_two_runs_at_once_under_one_id_the_later_to_end_is_not_lost() {
    let inner = format!(
        "{} run -q --session-id nightly --log-dir ../log --tmpfs-path ../run -- true; exit 3",
        tracer().display()
    );
    let flags = ["--session-id", "nightly", "--summary-json", "told.json"];
    let outcome = Trace::sh(&inner).flags(flags).outcome();
    assert_eq!(outcome.status.code(), Some(3), "{}", outcome.stderr);
    let names = outcome.session_names();
    assert!(names.len() == 2 && names[0] == "nightly" && names[1].starts_with("nightly-pid"), "{names:?}");
    assert!(
        outcome.stderr.contains("another session nightly") && outcome.stderr.contains(&names[1]),
        "{}",
        outcome.stderr
    );
    let told: serde_json::Value =
        serde_json::from_slice(&fs::read(outcome.file("told.json")).unwrap()).unwrap();
    assert_eq!((told["session_id"].as_str(), &told["exit_code"]), (Some(&*names[1]), &3.into()));
    assert_eq!((outcome.left().len(), outcome.index().len()), (0, 2));
    outcome.assert_readable();
}
