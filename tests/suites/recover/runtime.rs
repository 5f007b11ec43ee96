//! A runtime directory that is full, or is removed under way.

use std::fs;

use tests::{Trace, tracer};

#[test]
fn a_runtime_directory_that_is_full_is_one_warning_and_a_whole_session() {
    let many = "i=0; while [ $i -lt 150 ]; do /bin/true; i=$((i+1)); done; exit 3";
    let inside = format!(
        "mount -t tmpfs -o size=64k none ../run && exec $0 run --log-dir ../log --tmpfs-path ../run -- sh -c '{many}'"
    );
    let tracer = tracer().into_os_string();
    let outcome =
        Trace::command(["unshare".into(), "-m".into(), "sh".into(), "-c".into(), inside.into(), tracer]);
    let outcome = outcome.without_tracer();
    assert_eq!(outcome.status.code(), Some(3), "{}", outcome.stderr);
    let warnings = outcome.stderr.lines().filter(|line| line.contains("warning")).count();
    assert_eq!(warnings, 1, "{}", outcome.stderr);
    let session = outcome.session();
    session.assert_whole();
    assert_eq!(session.processes.len(), 151);
}

#[test]
fn a_runtime_directory_that_is_removed_under_way_is_one_warning_and_costs_nothing() {
    let vanish = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; rm -r ../run/tracer-0; exit 3";
    let in_its_place = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; until { true >../run/tracer-0; } 2>/dev/null; do rm -r ../run/tracer-0; done; exit 3";
    for (script, told) in [(vanish, "it is made again"), (in_its_place, "can't be made again")] {
        let outcome = Trace::sh(script).outcome();
        assert_eq!(outcome.status.code(), Some(3));
        if script == in_its_place {
            fs::remove_file(outcome.runtime()).unwrap();
        }
        let session = outcome.session();
        session.assert_whole();
        let warnings: Vec<&str> =
            session.outcome.stderr.lines().filter(|line| line.contains("warning")).collect();
        assert_eq!(warnings.len(), 1, "{}", session.outcome.stderr);
        assert!(
            warnings[0].contains("run/tracer-0/tracer_") && warnings[0].contains("was removed"),
            "{warnings:?}"
        );
        assert!(script == in_its_place || warnings[0].contains(told), "{warnings:?}");
    }
}

#[test]
fn files_that_are_removed_under_way_are_made_again_and_a_kill_after_that_loses_nothing() {
    let programs = |count: usize| format!("i=0; while [ $i -lt {count} ]; do /bin/true; i=$((i+1)); done");
    let until = |what: &str| format!("timeout 20 sh -c \"until {what}; do :; done\"");
    let there = |name: &str| until(&format!("ls ../run/tracer-0/{name}"));
    let (sidecar, trace) = ("tracer_enrollment_*.json", "tracer_trace_*.jsonl");
    for (removed, before) in [("", 0), ("", 200), (sidecar, 100), (trace, 0), (trace, 200)] {
        let script = format!(
            "{}; {}; rm -r ../run/tracer-0/{removed}; {}; {}; {}; /bin/true the-last-one; {}; kill -9 $PPID",
            there(trace),
            programs(before),
            there(sidecar),
            there(trace),
            programs(100),
            until(&format!(
                "grep -aqs 'true.,.the-last-on[e]' ../run/tracer-0/{trace} ../log/sessions/.*.spool"
            ))
        );
        let outcome =
            Trace::sh(&format!("{{ {script}; }} >ls 2>&1")).flags(["--spool-limit", "64K"]).outcome();
        outcome.await_ends();
        assert_eq!(outcome.recover([]).code, Some(0), "{removed} {before}");
        assert_eq!(outcome.left(), Vec::<std::path::PathBuf>::new(), "{removed} {before}");
        let warnings =
            outcome.stderr.lines().filter(|line| line.contains("was removed; it is made again")).count();
        assert_eq!(warnings, 1, "{removed} {before}: {}", outcome.stderr);
        let session = outcome.session();
        assert_eq!(session.summary["subtype"], "crashed");
        let runs = session.events("exec").iter().filter(|event| event["comm"] == "true").count();
        assert_eq!(runs, before + 101, "{removed} {before}");
    }
}
