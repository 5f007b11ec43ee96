//! `--orphans`: those who outlive the command.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::{Session, Trace, is_alive};

use crate::{assert_ended, assert_ended_by_tracer, assert_told};

/// The summary has this row as its only orphan, with its end.
#[track_caller]
fn assert_told_of(session: &Session, row: &Value) {
    let orphans = session.summary["orphans"].as_array().unwrap();
    assert_eq!(orphans.len(), 1, "{orphans:?}");
    for field in ["pid", "starttime_ticks", "adopted_by", "ended_at"] {
        assert_eq!(orphans[0][field], row[field], "{field}: {row}");
    }
    assert_eq!(row["orphaned"], true, "{row}");
}

#[test]
fn they_are_named_and_live_on_unless_told_otherwise() {
    let usual = || Trace::case(["orphans"]).after("exec >/dev/null 2>&1");
    for trace in [usual(), usual().flags(["--orphans", "report"])] {
        let session = trace.run();
        assert_told(&session, 3, "failed", "NATURAL_EXIT", "exited_non_zero");
        let orphan = session.process(session.note("orphan").pid);
        assert_eq!(
            (&session.summary["orphans"][0]["pid"], &orphan["orphaned"]),
            (&orphan["pid"], &true.into())
        );
        assert!(is_alive(orphan));
        let pid = Pid::from_raw(session.note("orphan").pid.cast_signed()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
}

#[test]
fn they_are_ended_where_that_is_wanted_and_the_status_is_the_commands() {
    let session = Trace::case(["orphans"]).flags(["--orphans", "kill"]).run();
    assert_ended(&session, 3, "failed", "NATURAL_EXIT", "exited_non_zero");
    let orphan = session.process(session.note("orphan").pid);
    assert_ended_by_tracer(orphan, libc::SIGTERM);
    assert_told_of(&session, orphan);
}

#[test]
fn those_who_ignore_sigterm_are_killed_after_the_time_for_that() {
    let flags = ["--orphans", "kill", "--kill-after", "200ms"];
    let session = Trace::case(["orphans", "deaf"]).flags(flags).run();
    assert_ended(&session, 3, "failed", "NATURAL_EXIT", "exited_non_zero");
    assert_ended_by_tracer(session.process(session.note("orphan").pid), libc::SIGKILL);
}

#[test]
fn they_are_waited_for_where_that_is_wanted() {
    let stdin = vec![b'x'; 1 << 20];
    let session = Trace::case(["orphans", "brief"]).stdin(stdin).flags(["--orphans", "wait"]).run();
    assert_ended(&session, 3, "failed", "NATURAL_EXIT", "exited_non_zero");
    let orphan = session.process(session.note("orphan").pid);
    assert_eq!(orphan["exit_code"], 5, "it ended by itself, and its end was seen: {orphan}");
    assert_told_of(&session, orphan);
    let time = |value: &Value| value.as_str().unwrap().to_owned();
    let (ended, until) = (time(&session.summary["ended_at"]), time(&session.summary["recorded_until"]));
    let orphan_ended = time(&orphan["ended_at"]);
    assert!(ended < orphan_ended && orphan_ended <= until, "{ended} {orphan_ended} {until}");
    let told = session.outcome.stderr.contains("1 orphan ended after the command: ");
    assert!(told, "{}", session.outcome.stderr);
    assert!(session.anomalies.iter().all(|anomaly| anomaly["kind"] != "ZOMBIE"), "{:?}", session.anomalies);
}

#[test]
fn while_they_are_waited_for_the_time_still_runs_and_the_status_is_the_commands() {
    let flags = ["--orphans", "wait", "--timeout", "500ms"];
    let session = Trace::case(["orphans"]).flags(flags).run();
    assert_ended(&session, 3, "failed", "NATURAL_EXIT", "exited_non_zero");
    assert_ended_by_tracer(session.process(session.note("orphan").pid), libc::SIGTERM);
}
