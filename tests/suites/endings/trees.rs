//! Whom an ending reaches: every member of the tree, wherever it went, and nobody else.

use std::fs;

use tests::{Outcome, Session, Trace};

use crate::{assert_ended, assert_ended_by_tracer, assert_told};

const CLAN: [&str; 5] = ["left", "daemon", "stopped", "adopted", "subreaper"];

/// A neighbour: tracer's own child and in its session and process group, with the name of a member, but not of the tree.
const NEIGHBOUR: &str = "sleep 50 >/dev/null 2>&1 </dev/null & echo $! >neighbour";

/// Asserts that the neighbour lives, and ends it.
#[track_caller]
fn assert_neighbour_lives(session: &Session) {
    let pid = fs::read_to_string(session.outcome.file("neighbour")).unwrap();
    let pid = pid.trim().parse().unwrap();
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).expect("the neighbour lives");
    assert_eq!(comm, "sleep\n");
    let pidfd = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pidfd, rustix::process::Signal::KILL).unwrap();
    assert!(session.processes.iter().all(|row| row["pid"] != pid), "it is not of the tree");
}

#[test]
fn who_left_the_session_or_its_parent_or_stands_still_is_ended_by_sigterm() {
    let flags = ["--timeout", "1s", "--kill-after", "0s", "--target", "workload"];
    let session = Trace::case(["clan"]).flags(flags).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    for who in CLAN {
        assert_ended_by_tracer(session.process(session.note(who).pid), libc::SIGTERM);
    }
}

#[test]
fn parents_are_asked_before_their_children_so_that_no_shell_goes_on() {
    let script = "(sh -c 'sleep 20; :'; :); touch went-on; sleep 20";
    let session = Trace::sh(script).flags(["--timeout", "300ms", "--target", "sleep"]).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    assert!(!session.outcome.file("went-on").exists());
    let pid = |row: &serde_json::Value| u32::try_from(row["pid"].as_u64().unwrap()).unwrap();
    let asked = session.events("signal").into_iter().filter(|event| event["sender"]["comm"] == "tracer");
    let depths: Vec<u64> =
        asked.map(|event| session.process(pid(event))["depth"].as_u64().unwrap()).collect();
    assert!(depths.len() >= 3 && depths.is_sorted(), "{depths:?}");
}

#[test]
fn who_ignores_sigterm_and_forks_for_ever_is_killed() {
    let flags = ["--timeout", "500ms", "--kill-after", "200ms", "--target", "workload"];
    let session = Trace::case(["stubborn"]).flags(flags).run();
    assert_ended(&session, 124, "timed_out", "TIMED_OUT", "timeout");
    for who in ["left", "stopped"] {
        assert_ended_by_tracer(session.process(session.note(who).pid), libc::SIGKILL);
    }
}

#[test]
fn many_who_fork_while_they_are_killed_are_all_killed() {
    let flags = ["--until", "ready", "--kill-after", "100ms", "--target", "workload", "--ring-size", "32M"];
    let session = Trace::case(["bomb", "8"]).flags(flags).run();
    assert_told(&session, 0, "completed", "OUTPUT_MATCHED", "output_matched");
    session.assert_nobody_lives();
    let killed = session.processes.iter().filter(|row| row["exit_signal"] == libc::SIGKILL).count();
    assert!(killed >= 9, "each of 8 relays was cut, and their parent: {killed}");
}

/// Runs tracer, which can't open some of the process descriptors that it asks for: calls of pidfd_open(2), counted from 1.
fn without_descriptors(calls: &str, flags: &str, script: &str) -> Outcome {
    let line = format!(
        "exec strace -o /dev/null -e trace=pidfd_open -e inject=pidfd_open:error=EMFILE:when={calls} \
         $0 run --log-dir ../log --tmpfs-path ../run {flags} -- sh -c \"$1\""
    );
    let words = ["sh".into(), "-c".into(), line.into(), tests::tracer().into_os_string(), script.into()];
    Trace::command::<std::ffi::OsString>(words).without_tracer()
}

/// Whether the process whose id is in this file lives. One that nobody has waited for yet does not.
fn lives(outcome: &Outcome, name: &str) -> bool {
    let pid = fs::read_to_string(outcome.file(name)).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim()));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

#[test]
fn who_could_not_be_reached_is_tried_again() {
    let script = "trap '' TERM; setsid sleep 20 & echo $! >other; echo $$ >command; exec sleep 20";
    let flags = "--timeout 300ms --kill-after 200ms --target sleep";
    // The first is the command's, and is had. Those that follow are for SIGTERM, and for the first steps of killing.
    let outcome = without_descriptors("2..12", flags, script);
    assert_eq!(outcome.status.code(), Some(124), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("can't be ended (Too many open files"), "{}", outcome.stderr);
    assert!(!lives(&outcome, "other") && !lives(&outcome, "command"), "{}", outcome.stderr);
}

#[test]
fn a_command_that_cant_be_watched_does_not_run_on() {
    let outcome = without_descriptors("1", "", "echo $$ >command; exec sleep 20");
    assert_eq!(outcome.status.code(), Some(125), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no process can be started"), "{}", outcome.stderr);
    assert!(!outcome.file("command").exists() || !lives(&outcome, "command"), "{}", outcome.stderr);
}

#[test]
fn nobody_outside_the_tree_is_touched_by_any_ending() {
    let script = "echo started; (trap '' TERM; sleep 20) & setsid sleep 20 & sleep 20";
    let run = || Trace::sh(script).after(NEIGHBOUR);
    for trace in [
        run().flags(["--timeout", "300ms"]),
        run().flags(["--until", "started"]),
        run().flags(["--target", "nosuch", "--resolve-timeout", "300ms"]),
    ] {
        let session = trace.flags(["--kill-after", "200ms"]).run();
        session.assert_nobody_lives();
        assert_neighbour_lives(&session);
    }
}
