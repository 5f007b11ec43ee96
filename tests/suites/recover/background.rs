//! The recovery beside a run, which neither the run nor its command waits for.

use std::fs;

use tests::{Outcome, Trace, tracer};

use crate::{enrol, killed, script};

#[test]
fn the_next_run_recovers_in_the_background() {
    let outcome = killed();
    outcome.age();
    let (log, run) = (outcome.runtime().join("../../log"), outcome.runtime().join(".."));
    let mut next = std::process::Command::new(tracer());
    next.arg("run").arg("-q").arg("--log-dir").arg(log).arg("--tmpfs-path").arg(run).args(["--", "true"]);
    assert!(next.env("TRACER_TEST", "1").status().unwrap().success());
    assert_eq!((outcome.session_count(), outcome.index().len(), outcome.left().len()), (2, 2, 0));
}

#[test]
fn what_takes_a_recovery_in_the_background_too_long_is_named_once_by_the_run_that_does_not_wait() {
    // Somebody has the lock on the index of that crash, which recovery waits for much longer than a run does for recovery.
    let wait = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; kill -9 $PPID";
    let next = |flags: &str| {
        format!("flock ../log/sessions.jsonl $0 run {flags} --log-dir ../there --tmpfs-path ../run -- true")
    };
    let outcome = script(&format!(
        "$T -- sh -c '{wait}'; while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         touch -d '1 minute ago' ../run/tracer-0/*; ls ../run/tracer-0/tracer_trace_*; {}; {}",
        next("-q").replace("../there", "../quiet"),
        next("")
    ));
    let trace = String::from_utf8_lossy(&outcome.stdout).trim().rsplit('/').next().unwrap().to_owned();
    let told: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("warning")).collect();
    assert_eq!(told.len(), 1, "{}", outcome.stderr);
    assert!(told[0].contains(&trace) && told[0].contains("run: tracer recover"), "{told:?}");
    assert_eq!(outcome.recover([]).code, Some(0));
    assert_eq!((outcome.session_count(), outcome.left().len()), (1, 0));
}

/// A run beside a recovery of `MANY` crashes that takes a fifth of a second over each: what the run said, and the calls by which its
/// command and that recovery came to be.
fn beside_a_slow_recovery() -> (Outcome, std::process::Output, String) {
    let outcome = Trace::command(["true"]).outcome();
    enrol(&outcome, MANY);
    outcome.age();
    let calls = outcome.file("calls");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-e", "trace=clone,clone3,fork,vfork,prctl,flock"]);
    strace.args(["-e", "inject=flock:delay_enter=200ms", "-o"]).arg(&calls).arg(tracer()).arg("run");
    strace.arg("--log-dir").arg(outcome.log()).arg("--tmpfs-path").arg(outcome.runtime().join(".."));
    strace.args(["--", "sh", "-c", "ls \"$0\" | grep -c ^tracer_enrollment_5"]).arg(outcome.runtime());
    let output = strace.env("TRACER_TEST", "1").output().unwrap();
    let calls = fs::read_to_string(calls).unwrap();
    (outcome, output, calls)
}

const MANY: u32 = 50;

#[test]
fn a_command_does_not_wait_for_what_is_to_be_recovered() {
    let (_, output, calls) = beside_a_slow_recovery();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let seen: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    assert!(seen > MANY / 2, "the command saw {seen} of {MANY}; {stderr}");
    let is_fork = |line: &&str| line.contains(" fork(") || line.contains("clone") && line.contains("SIGCHLD");
    let before: Vec<&str> = calls.lines().take_while(|line| !is_fork(line)).collect();
    assert!(before.len() < calls.lines().count() && calls.contains("\"tracer-recover\""), "{calls}");
    let count = |word| before.iter().filter(|line| line.contains(word)).count();
    assert_eq!(count("flock("), 0, "it begins once the command is started:\n{calls}");
    assert_eq!(
        count("CLONE_THREAD"),
        count("\"tracer-load\""),
        "of the threads before it, none is another:\n{calls}"
    );
}

#[test]
fn a_run_that_does_not_wait_for_many_crashes_says_so_once_and_how_many_may_be_left() {
    let (outcome, output, _) = beside_a_slow_recovery();
    let left = outcome.left().len();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = stderr.lines().filter(|line| line.contains("warning")).collect();
    assert_eq!((told.len(), output.status.code()), (1, Some(0)), "{stderr}");
    let words = told[0].split_once("up to ").unwrap().1;
    let (many, words) = words.split_once(' ').unwrap();
    assert!(words.starts_with("crashed sessions are left") && words.ends_with("tracer recover"), "{told:?}");
    assert!((left..=MANY as usize).contains(&many.parse().unwrap()) && left > 1, "{left} are left: {told:?}");
    assert_eq!((outcome.recover([]).code, outcome.session_count()), (Some(0), 2 + MANY as usize));
}
