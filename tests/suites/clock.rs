//! A clock that somebody sets back under way.
//!
//! No namespace has a calendar of its own, and to set the machine's would harm whatever else runs on it. So tracer, and nothing
//! else, gets a clock that goes back by a year once a file is there: the C library's `clock_gettime`, interposed.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::{Command, Stdio};

use tests::Trace;

const CLOCK: &str = r#"
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, id, now);
    if (!failed && id == CLOCK_REALTIME && access(SET_BACK, F_OK) == 0) now->tv_sec -= 365 * 24 * 3600;
    return failed;
}
"#;

/// Compiles the clock, which goes back once `file` is there.
fn clock(to: &std::path::Path, file: &std::path::Path) {
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-x", "c", "-", "-o"]).arg(to);
    cc.arg(format!("-DSET_BACK=\"{}\"", file.display()));
    let mut running = cc.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut running.stdin.take().unwrap(), CLOCK.as_bytes()).unwrap();
    assert!(running.wait().unwrap().success());
}

#[test]
fn a_clock_that_is_set_back_by_a_year_leaves_times_in_order() {
    let rows = "rows() { grep -c '\"vm_rss_kb\":' ../run/tracer-0/tracer_trace_$$_*.jsonl; }";
    let wait = |count| format!("until [ $(rows) -ge {count} ]; do :; done");
    let script =
        format!("{rows}; {}; true >set-back; before=$(rows); {}; exit 3", wait("3"), wait("$((before+10))"));
    let trace = Trace::sh(&script).flags(["--interval", "10ms", "--target", "sh", "--sample", "target"]);
    let (library, file) = (trace.file("clock.so"), trace.file("set-back"));
    clock(&library, &file);
    let session = trace.after(&format!("export LD_PRELOAD={}", library.display())).run();
    session.assert_whole();
    assert_eq!(session.outcome.status.code(), Some(3));

    let at = |row: &serde_json::Value| -> jiff::Timestamp {
        row["captured_at"].as_str().unwrap().parse().unwrap()
    };
    let times: Vec<jiff::Timestamp> = session.snapshots.iter().map(at).collect();
    let steps: Vec<i128> =
        times.windows(2).map(|two| (two[1].as_nanosecond() - two[0].as_nanosecond()) / 1000).collect();
    assert!(steps.iter().all(|step| *step > 0), "{steps:?}");
    let stood = steps.iter().rev().take_while(|step| **step == 1).count();
    assert!(stood >= 8, "behind the step each row is one microsecond later: {steps:?}");

    let summary =
        |name: &str| -> jiff::Timestamp { session.summary[name].as_str().unwrap().parse().unwrap() };
    let (started, ended) = (summary("started_at"), summary("ended_at"));
    let elapsed = ended.duration_since(started).as_secs_f64();
    assert!((0.0..60.0).contains(&elapsed), "the session's own times do not jump: {elapsed} s");
    assert!(jiff::Timestamp::now().duration_since(ended).as_secs() < 3600);
}

#[test]
fn a_session_that_ended_while_the_clock_was_set_back_takes_no_younger_one_along() {
    let outcome = Trace::command(["true"]).outcome();
    let (library, file) = (outcome.file("clock.so"), outcome.file("set-back"));
    clock(&library, &file);
    let run = |id: &str, keep: &str| {
        let mut run = Command::new(tests::tracer());
        run.args(outcome.run(id, ["--keep-for", keep])).env("TRACER_TEST", "1");
        run.env("LD_PRELOAD", &library);
        assert!(run.status().unwrap().success(), "{id}");
    };
    run("young", "3650d");
    std::fs::write(&file, "").unwrap();
    run("old", "3650d");
    std::fs::remove_file(&file).unwrap();
    run("last", "30d");
    let names = outcome.session_names();
    assert_eq!(names.len(), 3, "what is seconds old stays: {names:?}");
    assert!(!names.contains(&"old".to_owned()), "{names:?}");
    assert_eq!(outcome.index().len(), 3);
}
