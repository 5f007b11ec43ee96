//! No workload: an error and an ended tree, or lineage alone; never the wrapper.

use serde_json::{Value, json};
use tests::{Session, Trace};

use crate::{assert_target, wrappers};

const NOBODY: [&str; 2] = ["--target", "nosuch"];

/// Asserts that the run failed for want of a target, said so, and left nobody alive.
#[track_caller]
fn assert_unresolved(session: &Session) {
    let (summary, stderr) = (&session.summary, &session.outcome.stderr);
    assert_eq!(session.outcome.status.code(), Some(125), "stderr:\n{stderr}");
    assert_eq!(summary["subtype"], "unresolved");
    assert_eq!(summary["termination_reason"], "TARGET_UNRESOLVED");
    assert_eq!((&summary["exit_code"], &summary["exit_signal"]), (&json!(125), &Value::Null));
    assert_eq!((&summary["target"], &summary["tracked_comm"]), (&Value::Null, &Value::Null));
    assert_eq!((&summary["snapshot_count"], session.snapshots.len()), (&json!(0), 0));
    let error = stderr.lines().find(|line| line.starts_with("tracer: error: ")).unwrap_or_default();
    let root = format!("root {} ", summary["pid"]);
    assert!(error.contains(&root) && error.contains("\"nosuch\""), "no {root:?} in:\n{stderr}");
    session.assert_nobody_lives();
    session.assert_ordered();
    assert_eq!(session.state(), "complete");
}

/// Asserts that one who left the session, one who stood still and the last of those who forked were ended by tracer.
#[track_caller]
fn assert_family_was_killed(session: &Session) {
    for who in ["left", "stopped"] {
        let row = session.process(session.note(who).pid);
        assert_eq!(row["exit_signal"], libc::SIGKILL, "{who}: {row}");
        assert_eq!(row["killed_by"]["comm"], "tracer", "{who}: {row}");
    }
    let named = |row: &&Value| row["comms"].as_array().is_some_and(|comms| comms.contains(&"relay".into()));
    let killed = session.processes.iter().filter(named).filter(|row| row["exit_signal"] == libc::SIGKILL);
    assert!(killed.count() >= 1, "the relay was cut, and did not end by itself");
}

#[test]
fn a_root_that_ends_without_the_target_is_an_error() {
    let session = Trace::sh("true; exit 0").flags(NOBODY).run();
    assert_unresolved(&session);
    assert!(session.outcome.stderr.contains("before the root ended"), "{}", session.outcome.stderr);
}

#[test]
fn whoever_outlives_a_root_without_a_target_is_killed() {
    let session = Trace::case(["stubborn", "exit", "0"]).flags(NOBODY).run();
    assert_unresolved(&session);
    assert_family_was_killed(&session);
}

#[test]
fn when_the_time_to_find_a_target_is_up_the_whole_tree_is_killed() {
    let session = Trace::case(["stubborn"]).flags(NOBODY).flags(["--resolve-timeout", "300ms"]).run();
    assert_unresolved(&session);
    assert_family_was_killed(&session);
    assert!(
        session.outcome.stderr.contains("before the time to find it was up"),
        "{}",
        session.outcome.stderr
    );
    assert_eq!(session.root()["killed_by"]["comm"], "tracer", "{}", session.root());
    let elapsed = session.summary["elapsed_seconds"].as_f64();
    assert!(elapsed.is_some_and(|seconds| (0.3..10.0).contains(&seconds)), "{elapsed:?} s");
}

#[test]
fn a_wrapper_is_never_taken_for_the_target() {
    let script = ["script", "-qec", "exec sh -s", "/dev/null"];
    let session = Trace::command(script).flags(NOBODY).run();
    assert_unresolved(&session);
    assert!(session.outcome.stderr.contains("seen: script ("), "{}", session.outcome.stderr);
}

#[test]
fn with_on_unresolved_continue_the_command_keeps_its_end_and_only_lineage_is_recorded() {
    let flags = ["--on-unresolved", "continue", "--resolve-timeout", "100ms", "--interval", "10ms"];
    let root_ends = Trace::sh("true; exit 7").flags(NOBODY).flags(flags);
    // Alive for longer than the search: until its stdin, which it has from its parent, says so.
    let time_up = Trace::sh("timeout 0.4 cat /dev/zero >/dev/null; exit 7").flags(NOBODY).flags(flags);
    for trace in [root_ends, time_up] {
        let session = trace.run();
        let (summary, stderr) = (&session.summary, &session.outcome.stderr);
        assert_eq!(session.outcome.status.code(), Some(7), "stderr:\n{stderr}");
        assert_eq!((&summary["target"], &summary["peak_rss_kb"]), (&Value::Null, &Value::Null));
        assert_eq!((&summary["snapshot_count"], session.snapshots.len()), (&json!(0), 0));
        assert_eq!(stderr.matches("\"nosuch\"").count(), 1, "{stderr}");
        assert!(stderr.contains("only lineage is recorded"), "{stderr}");
        session.assert_whole();
    }
}

#[test]
fn a_shell_that_runs_no_program_is_the_workload_itself() {
    let inner = ["timeout", "60", "sh", "-c", "sh -c 'exit 4'; exit 3"];
    for (trace, code, around) in [
        (Trace::sh("exit 3"), 3, &[][..]),
        // The inner shell is the innermost, although it ended long before the search did.
        (Trace::command(inner), 4, &["timeout", "sh -c"]),
    ] {
        let session = trace.run();
        assert_eq!(session.outcome.status.code(), Some(3), "stderr:\n{}", session.outcome.stderr);
        assert_target(&session, "only_a_shell", "sh -c");
        assert_eq!(wrappers(&session), around);
        assert_eq!(session.summary["termination_reason"], "NATURAL_EXIT");
        assert_eq!(session.summary["verdict"]["exit_code"], code, "of the target");
        assert!(session.summary["peak_rss_kb"].as_u64() > Some(0), "{}", session.summary["peak_rss_kb"]);
        session.assert_whole();
    }
}
