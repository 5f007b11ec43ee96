//! How processes end: one exit each, with the status and the totals that `wait4` reports, and the cause of death.

use std::time::Duration;

use serde_json::{Value, json};
use tests::machine::{fewer, slowed};
use tests::traced;

#[test]
fn a_leader_that_exits_first_does_not_end_its_process() {
    let session = traced(["leader-first"]);
    let truth = session.reaped()[0];
    assert_eq!(truth.exit_code, Some(7), "the workload does what it says");
    assert_ne!(session.events_of(truth.pid, "exit")[0]["tid"], truth.pid, "the leader was not the last");
}

#[test]
fn the_plain_exit_of_the_last_thread_ends_the_process() {
    let session = traced(["last-thread-exits"]);
    let code = session.reaped()[0].exit_code;
    assert!(matches!(code, Some(5 | 9)), "the workload does what it says, not {code:?}");
}

#[test]
fn an_exit_group_from_another_thread_is_the_status_of_the_process() {
    let session = traced(["thread-exits-group"]);
    assert_eq!(session.reaped()[0].exit_code, Some(6), "the workload does what it says");
}

#[test]
fn many_threads_that_end_at_once_are_one_process_with_one_end() {
    let session = traced(["thread-storm", "64"]);
    assert_eq!(session.reaped()[0].exit_code, Some(8), "the workload does what it says");
    assert_eq!(session.processes.len(), 2, "the observer and the case");
}

#[test]
fn a_process_of_many_threads_that_is_killed_ends_once() {
    let session = traced(["threads-killed", "64"]);
    let truth = session.reaped()[0];
    assert_eq!(truth.exit_signal, Some(libc::SIGTERM), "the workload does what it says");
    assert_eq!(session.process(truth.pid)["killed_by"]["pid"], truth.pid);
}

#[test]
fn every_exit_code_comes_back_as_it_was() {
    for code in ["0", "1", "127", "128", "255"] {
        let session = traced(["exit", code]);
        assert_eq!(session.reaped()[0].exit_code, code.parse().ok(), "the workload does what it says");
    }
}

#[test]
fn a_write_through_null_is_a_death_by_sigsegv_that_nobody_sent() {
    let session = traced(["segv"]);
    let truth = session.reaped()[0];
    assert_eq!(truth.exit_signal, Some(libc::SIGSEGV), "the workload does what it says");
    let signals = session.events_of(truth.pid, "signal");
    assert_eq!(signals.len(), 1, "{signals:?}");
    assert_eq!(signals[0]["signal"], libc::SIGSEGV);
    assert_eq!(signals[0]["sender"], Value::Null);
    assert_eq!(session.process(truth.pid)["killed_by"], Value::Null);
}

#[test]
fn a_process_that_terminates_itself_is_its_own_killer() {
    let session = traced(["raise", "15"]);
    let truth = session.reaped()[0];
    assert_eq!(truth.exit_signal, Some(libc::SIGTERM), "the workload does what it says");
    let killer = json!({"pid": truth.pid, "comm": "workload", "uid": 0});
    assert_eq!(session.process(truth.pid)["killed_by"], killer);
}

#[test]
fn a_victim_names_its_killer_by_the_comm_of_that_moment() {
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let session = traced(["assassin", &signal.to_string()]);
        let note = session.note("assassin");
        let victim = u32::try_from(note.value).unwrap();
        assert_eq!(session.process(victim)["exit_signal"], signal);
        let killer = json!({"pid": note.pid, "comm": "the assassin", "uid": 0});
        assert_eq!(session.process(victim)["killed_by"], killer);
        let signals = session.events_of(victim, "signal");
        assert_eq!(signals.len(), 1, "{signals:?}");
        let start = &session.process(note.pid)["starttime_ticks"];
        assert_eq!(&signals[0]["sender"]["starttime_ticks"], start);
        assert_eq!((&signals[0]["signal"], &signals[0]["handled"]), (&json!(signal), &json!(false)));
        assert_eq!(signals[0]["code"], libc::SI_USER);
    }
}

#[test]
fn of_two_senders_the_one_whose_signal_killed_is_the_killer() {
    let session = traced(["two-senders"]);
    let victim = session.process(session.note("victim").pid);
    assert_eq!(
        (&victim["exit_signal"], &victim["killed_by"]["comm"]),
        (&json!(libc::SIGKILL), &json!("culprit"))
    );
}

#[test]
fn a_signal_that_is_handled_kills_nobody() {
    let session = traced(["handled"]);
    let truth = session.reaped()[0];
    assert_eq!(truth.exit_code, Some(4), "the workload does what it says");
    assert_eq!(session.process(truth.pid)["killed_by"], Value::Null);
    let handled = session.events_of(truth.pid, "signal").iter().all(|signal| signal["handled"] == true);
    assert!(handled, "{:?}", session.events("signal"));
}

#[test]
fn a_core_dump_is_told_as_wait_tells_it() {
    let session = traced(["dump-core"]);
    assert_eq!(session.reaped()[0].exit_signal, Some(libc::SIGABRT), "the workload does what it says");
}

#[test]
fn who_falls_with_its_pid_namespace_is_killed_by_the_kernel() {
    let session = traced(["namespace-falls"]);
    let killed: Vec<&Value> =
        session.processes.iter().filter(|row| row["exit_signal"] == libc::SIGKILL).collect();
    assert_eq!(killed.len(), 1, "the workload does what it says: {:#?}", session.processes);
    assert_eq!((&killed[0]["ns_pid"], &killed[0]["killed_by"]), (&json!(2), &Value::Null));
}

#[test]
fn a_process_that_takes_too_much_memory_is_an_oom_victim() {
    let session = traced(["oom"]);
    let victim = session.note("victim").pid;
    let row = session.process(victim);
    assert_eq!((&row["exit_signal"], &row["oom_killed"]), (&json!(libc::SIGKILL), &json!(true)));
    assert_eq!(row["killed_by"], Value::Null, "the kernel did it, not who happened to run");
    assert_eq!(session.events_of(victim, "oom").len(), 1);
    assert!(session.processes.iter().filter(|row| row["oom_killed"] == true).count() == 1);
}

#[test]
fn the_cpu_time_of_a_tree_of_very_short_processes_is_what_wait_says() {
    let session = tests::Trace::observed(["parallel", "2", &fewer(400).to_string(), "exec"]).run();
    let waited = session.reaped().into_iter().find(|reaped| reaped.has_waited).unwrap().cpu_us;
    let told = Duration::from_secs_f64(session.summary["cpu_seconds"].as_f64().unwrap());
    let waited = Duration::from_micros(waited);
    let roots_own = slowed(Duration::from_millis(100));
    assert!((waited..waited + roots_own).contains(&told), "{told:?} told, {waited:?} waited for");
}
