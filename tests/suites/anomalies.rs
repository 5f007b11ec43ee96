//! Each kind of anomaly, shown by a real process that has the trouble, and by no other kind.
//!
//! `IDENTITY_DRIFT` is not among them. Every way to change a comm (exec, prctl, a write to `/proc/PID/comm`) goes through
//! `task_rename` or the exec event, so a row can only have a name that no event reported if events were lost; and where events
//! that carry names were lost, tracer withholds the kind. What is left is a recording made of two processes, such as a wrapper's
//! rows taken for the target's, which no process can bring about: the detectors' unit tests replay that. Here stands the other
//! half: who renames itself as fast as it can has none.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what goes wrong here fails the test with a backtrace"
)]

use serde_json::{Value, json};
use tests::Trace;

/// Rows every 20 ms, and this threshold.
fn trace<const N: usize>(case: [&str; N], threshold: &str) -> tests::Session {
    let trace = Trace::case(case).flags(["--interval", "20ms"]);
    let session =
        if threshold.is_empty() { trace.run() } else { trace.flags(["--threshold", threshold]).run() };
    assert_eq!(session.summary["anomaly_count"], session.anomalies.len(), "{:#?}", session.anomalies);
    session
}

fn kinds(session: &tests::Session) -> Vec<&str> {
    session.anomalies.iter().map(|anomaly| anomaly["kind"].as_str().unwrap()).collect()
}

/// The detail of the only anomaly, which is of this kind and about this process.
#[track_caller]
fn only<'s>(session: &'s tests::Session, kind: &str, process: &Value) -> &'s str {
    assert_eq!(kinds(session), [kind], "{:#?}", session.anomalies);
    let anomaly = &session.anomalies[0];
    for field in ["pid", "starttime_ticks"] {
        assert_eq!(anomaly[field], process[field], "{field} of {anomaly}");
    }
    let comm = anomaly["comm"].as_str().unwrap();
    assert!(process["comms"].as_array().unwrap().contains(&json!(comm)), "{comm} in {process}");
    anomaly["detail"].as_str().unwrap()
}

#[test]
fn a_quiet_process_has_none() {
    let session = trace(["quiet"], "");
    assert_eq!(session.anomalies, [] as [Value; 0]);
    assert!(session.summary["snapshot_count"].as_u64().unwrap() > 3, "it was looked at");
}

#[test]
fn a_leaker_grows() {
    let session = trace(["leaker", "64"], "RSS_GROWTH=40/20s");
    let detail = only(&session, "RSS_GROWTH", session.root());
    assert!(detail.ends_with("KiB within 20 s"), "{detail}");
}

#[test]
fn memory_that_is_taken_at_once_is_a_spike() {
    let session = trace(["taker", &mib_of_a_fiftieth()], "OOM_SPIKE=8");
    let detail = only(&session, "OOM_SPIKE", session.root());
    assert!(detail.starts_with("OOM score rose from "), "{detail}");
}

#[test]
fn memory_that_is_a_large_share_is_critical() {
    // 667 is nothing, and a hundredth of the memory 6.67.
    let session = trace(["taker", &mib_of_a_fiftieth()], "OOM_CRITICAL=676");
    only(&session, "OOM_CRITICAL", session.root());
    assert_eq!(session.anomalies[0]["severity"], "critical");
}

#[test]
fn a_process_that_offers_itself_to_the_oom_killer_is_a_spike_at_the_default_and_not_critical() {
    let session = trace(["martyr"], "OOM_CRITICAL=900");
    let detail = only(&session, "OOM_SPIKE", session.root());
    assert!(detail.starts_with("OOM score rose from 66"), "{detail}");
}

/// So much memory that the OOM score rises by 13 points.
fn mib_of_a_fiftieth() -> String {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap();
    let kib = |name: &str| -> u64 {
        let line = info.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    ((kib("MemTotal:") + kib("SwapTotal:")) / 1024 / 50).to_string()
}

#[test]
fn a_child_that_nobody_waits_for_is_a_zombie() {
    let session = trace(["zombie-maker"], "ZOMBIE=0.1");
    let child = session.processes.iter().find(|row| row["is_root"] == false).unwrap();
    let detail = only(&session, "ZOMBIE", child);
    assert!(detail.ends_with("nobody has waited for it"), "{detail}");
}

#[test]
fn a_vfork_whose_child_takes_its_time_is_uninterruptible_sleep() {
    let session = trace(["sleeper"], "D_STATE=0.1");
    let detail = only(&session, "D_STATE", session.root());
    assert!(detail.starts_with("in uninterruptible sleep for 0."), "{detail}");
}

#[test]
fn a_descriptor_hoarder_is_told_at_the_default() {
    let session = trace(["hoarder"], "");
    let detail = only(&session, "FD_HIGH", session.root());
    assert!(detail.ends_with(" of 64 descriptors are open"), "{detail}");
}

#[test]
fn a_spinner_is_told_after_its_time() {
    // 20 ms are two clock ticks, so a row in that rhythm would say little. And others want the processors too: a row in
    // which it got nothing ends an episode, so there may be several.
    let spinner = || Trace::case(["spinner"]).flags(["--interval", "200ms"]);
    let session = spinner().flags(["--threshold", "HIGH_CPU=5/400ms"]).run();
    assert!(!session.anomalies.is_empty(), "it was busy for more than a second");
    for anomaly in &session.anomalies {
        assert_eq!((&anomaly["kind"], &anomaly["pid"]), (&json!("HIGH_CPU"), &session.root()["pid"]));
        let detail = anomaly["detail"].as_str().unwrap();
        assert!(detail.contains("% of a processor, and no less than 5% for 0."), "{detail}");
    }
    assert_eq!(spinner().run().anomalies, [] as [Value; 0], "seconds of work are nothing by default");
}

#[test]
fn a_death_by_the_oom_killer_is_told_as_that_alone() {
    let session = trace(["oom"], "");
    only(&session, "OOM_KILLED", session.process(session.note("victim").pid));
}

#[test]
fn a_victim_names_its_killer() {
    let session = trace(["assassin", "9"], "");
    let note = session.note("assassin");
    let detail = only(&session, "KILLED_BY_SIGNAL", session.process(u32::try_from(note.value).unwrap()));
    assert_eq!(detail, format!("killed by SIGKILL from the assassin ({}), uid 0", note.pid));
}

#[test]
fn a_core_dump_is_told_beside_its_signal_if_wait_says_so() {
    let session = trace(["observe", "--", "dump-core"], "");
    let truth = session.reaped()[0];
    let expected: &[&str] =
        if truth.core_dumped { &["KILLED_BY_SIGNAL", "CORE_DUMPED"] } else { &["KILLED_BY_SIGNAL"] };
    assert_eq!(kinds(&session), expected);
    assert!(session.anomalies.iter().all(|anomaly| anomaly["pid"] == truth.pid), "{:#?}", session.anomalies);
    assert!(session.anomalies.iter().all(|anomaly| anomaly["severity"] == "critical"));
}

#[test]
fn events_that_were_lost_are_an_anomaly_of_the_session() {
    let flags = ["--ring-size", "life=4M,detail=4096"];
    let session = Trace::case(["fork", "20", "exec", "600"]).flags(flags).run();
    assert_eq!(kinds(&session), ["EVENTS_LOST"], "{:#?}", session.anomalies);
    let anomaly = &session.anomalies[0];
    assert_eq!((&anomaly["pid"], &anomaly["comm"]), (&Value::Null, &Value::Null));
    let lost = session.lost("exec");
    assert_eq!(anomaly["detail"], format!("{lost} events are missing: exec {lost}"));
}

#[test]
fn who_renames_itself_as_fast_as_it_can_does_not_drift() {
    let session = trace(["renamer"], "");
    session.assert_whole();
    assert!(session.events("rename").len() >= 20, "the workload does what it says");
    assert_eq!(session.anomalies, [] as [Value; 0]);
}
