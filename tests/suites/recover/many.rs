//! Many crashes, and many recoveries.

use std::collections::BTreeSet;
use std::fs;

use tests::{Trace, tracer};

use crate::{enrol, script};

#[test]
fn a_recovery_that_can_not_tell_goes_on_to_its_end_and_fails_only_where_somebody_would_have_read() {
    const MANY: u32 = 200;
    for (stdout, code, words) in [
        (">/dev/full", 125, "stdout can't be written (No space left"),
        ("| head -1 >/dev/null", 0, ""),
        ("| :", 0, ""),
    ] {
        for json in ["", "--json"] {
            let outcome = Trace::command(["true"]).outcome();
            enrol(&outcome, MANY);
            let mut shell = std::process::Command::new("bash");
            shell.args(["-c", &format!("\"$@\" {json} {stdout}; exit ${{PIPESTATUS[0]}}"), "bash"]);
            shell.arg(tracer()).args(["recover", "--min-age", "0s", "--tmpfs-path"]);
            shell.arg(outcome.runtime().parent().unwrap()).env("TRACER_TEST", "1");
            let output = shell.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), outcome.left().len()), (Some(code), 0), "{stdout}: {stderr}");
            assert!(stderr.contains(words), "{stdout}: {stderr}");
            assert_eq!(json.is_empty(), stderr.contains("200 recovered, 0 removed, 0 left"), "{stderr}");
            assert_eq!(outcome.session_count(), 1 + MANY as usize);
        }
    }
}

#[test]
fn the_log_directory_is_not_listed_for_each_of_many_crashes() {
    const MANY: u32 = 300;
    let outcome = Trace::command(["true"]).outcome();
    enrol(&outcome, MANY);
    let calls = outcome.file("calls");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-y", "-e", "trace=getdents64", "-o"]).arg(&calls).arg(tracer());
    assert!(strace.args(outcome.recovery()).env("TRACER_TEST", "1").output().unwrap().status.success());
    assert_eq!((outcome.left().len(), outcome.session_count()), (0, 1 + MANY as usize));
    let calls = fs::read_to_string(calls).unwrap();
    // At the end of a directory nothing comes any more (getdents64(2)).
    let is_end = |line: &&str| line.contains("/log/sessions>") && line.ends_with("= 0");
    let listed = calls.lines().filter(is_end).count();
    assert!((1..20).contains(&listed), "it was listed {listed} times");
}

#[test]
fn four_recoveries_at_once_finish_twenty_crashes_once_each() {
    let wait = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; kill -9 $PPID";
    let outcome = script(&format!("for i in $(seq 20); do $T -- sh -c '{wait}'; done; true"));
    outcome.await_ends();
    assert_eq!(outcome.left().len(), 40, "a trace file and a sidecar each");
    let all = outcome.recover_at_once(4);
    let finished: Vec<String> = all
        .iter()
        .flat_map(|one| one.with("finish"))
        .map(|report| report["session_id"].to_string())
        .collect();
    let distinct: BTreeSet<&String> = finished.iter().collect();
    assert_eq!((finished.len(), distinct.len()), (20, 20), "{all:#?}");
    assert!(all.iter().all(|one| one.code == Some(0)));
    assert_eq!((outcome.session_count(), outcome.index().len(), outcome.left().len()), (20, 20, 0));
}

#[test]
fn a_name_that_a_file_system_hands_on_twice_is_told_of_once() {
    // tmpfs goes on reading a directory at another place if the name at which it stopped was renamed meanwhile.
    let count = 300;
    let outcome = Trace::inside(&format!(
        "mount -t tmpfs none ../run; $0 run -q --log-dir ../log --tmpfs-path ../run -- \
         sh -c 'until ls ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID' >/dev/null 2>&1
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         cd ../run/tracer-0; S=$(ls tracer_e*); T=$(ls tracer_t*); N=$(echo $S | cut -d_ -f3)
         for i in $(seq {count}); do
           P=$((5000000 + i)); sed \"s/\\\"pid\\\":$N,/\\\"pid\\\":$P,/; s/\\(session_id\\\":\\\"\\)/\\1x$i-/\" $S >$(echo $S | sed s/_$N/_$P/)
           sed \"s/\\\"pid\\\":$N,/\\\"pid\\\":$P,/\" $T >$(echo $T | sed s/_$N/_$P/)
         done; rm $S $T; chmod 600 *; cd ../../cwd
         $0 recover --json --min-age 0s --tmpfs-path ../run --log-dir ../there"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let reports: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let files: BTreeSet<&str> = reports.iter().map(|report| report["file"].as_str().unwrap()).collect();
    assert_eq!((reports.len(), files.len()), (count, count), "{}", outcome.stderr);
    assert!(
        reports.iter().all(|report| report["action"] == "finish" && report["error"].is_null()),
        "{stdout}"
    );
}
