//! The spool's bounds: what a long run takes in memory and in the runtime directory, and that nothing is lost for it.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::faults::Spooled;
use tests::{Outcome, Session, Trace};

/// Forks many, and tells how much memory tracer has of its own by then, in KiB.
const FORKS_20000: &str = "$1 fork 20000; sed -n 's/RssAnon:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$PPID/status";

fn assert_whole_and_small(outcome: Outcome) -> Session {
    let memory: u64 = String::from_utf8_lossy(&outcome.stdout).trim().parse().unwrap();
    assert!(memory < 12 << 10, "{memory} KiB after 20,000 processes");
    let session = outcome.session();
    session.assert_whole();
    assert!(session.processes.len() > 20_000);
    let lines = fs::metadata(session.dir.join("events.jsonl")).unwrap().len();
    assert!(lines > 12 << 20, "what is kept is more than what memory takes: {lines} bytes");
    assert_eq!(session_names(&session), 1, "nothing but the session is left in the log directory");
    session
}

fn session_names(session: &Session) -> usize {
    fs::read_dir(session.dir.join("..")).unwrap().count()
}

#[test]
fn a_long_run_takes_no_more_than_its_limit_and_keeps_every_line() {
    // The file system has room for the limit, the sidecar and little else: more would be a warning.
    let session = assert_whole_and_small(Trace::inside(&format!(
        "mount -t tmpfs -o size=320k none ../run && \
         exec $0 run --spool-limit 256K --log-dir ../log --tmpfs-path ../run -- sh -c '{}' sh $1",
        FORKS_20000.replace('\'', "'\\''")
    )));
    assert!(!session.outcome.stderr.contains("warning"), "{}", session.outcome.stderr);
}

#[test]
fn without_a_runtime_directory_memory_is_bounded_too() {
    let session = assert_whole_and_small(Trace::inside(&format!(
        "echo >../run/file; $0 run --log-dir ../log --tmpfs-path ../run/file -- sh -c '{}' sh $1; rm ../run/file",
        FORKS_20000.replace('\'', "'\\''")
    )));
    let warnings = session.outcome.stderr.lines().filter(|line| line.contains("warning")).count();
    assert_eq!(warnings, 1, "{}", session.outcome.stderr);
    assert!(session.outcome.stderr.contains("run/file"), "{}", session.outcome.stderr);
}

#[test]
fn a_log_directory_that_could_not_be_used_for_a_while_bounds_memory_again_afterwards() {
    let session = assert_whole_and_small(Trace::inside(&format!(
        "$0 run --log-dir ../log --tmpfs-path ../run -- sh -c 'rm -r ../log; true >../log; $1 fork 5000; rm ../log; {}' sh $1",
        FORKS_20000.replace('\'', "'\\''")
    )));
    let told: Vec<&str> = session.outcome.stderr.lines().filter(|line| line.contains("warning")).collect();
    assert!(told.len() == 1 && told[0].contains("no scratch file in ../log/sessions"), "{told:?}");
}

/// Runs numbered programs, so that a line that is missing in the middle shows.
fn numbered(count: u64) -> String {
    numbered_from(0, count)
}

fn numbered_from(first: u64, end: u64) -> String {
    format!("i={first}; while [ $i -lt {end} ]; do /bin/true $i; i=$((i+1)); done")
}

/// The numbers of the programs that a session has seen.
fn numbers(session: &Path) -> Vec<u64> {
    let number = |event: &Value| {
        let is_numbered = event["event"] == "exec" && event["argv"][0] == "/bin/true";
        is_numbered.then(|| event["argv"][1].as_str().unwrap().parse().ok()).flatten()
    };
    events(session).iter().filter_map(number).collect()
}

fn events(session: &Path) -> Vec<Value> {
    let text = fs::read_to_string(session.join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is left of a run with a small limit: the older rows, and the trace file.
fn left(outcome: &Outcome) -> (Vec<PathBuf>, Option<PathBuf>) {
    let sessions = outcome.runtime().join("../../log/sessions");
    let older =
        fs::read_dir(sessions).map_or(vec![], |found| found.map(|entry| entry.unwrap().path()).collect());
    let trace = outcome.left().into_iter().find(|path| path.extension().is_some_and(|end| end == "jsonl"));
    (older.into_iter().filter(|path| path.extension().is_some_and(|end| end == "spool")).collect(), trace)
}

#[test]
fn a_tracer_that_is_killed_after_rows_were_moved_leaves_every_one_of_them() {
    let last =
        "until grep -aq the-last-one ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID";
    let script = format!("{}; /bin/true the-last-one; {last}", numbered(250));
    let outcome = Trace::sh(&script).flags(["--spool-limit", "64K"]).outcome();
    outcome.await_ends();
    let (older, trace) = left(&outcome);
    let (older, trace) = (older[0].clone(), fs::read(trace.unwrap()).unwrap());
    let moved = trace.iter().take_while(|byte| **byte == 0).count();
    let held = trace.len() - moved;
    assert!(moved > 80 << 10 && held <= 72 << 10, "{moved} bytes moved, {held} held");
    let mut rows = fs::read(&older).unwrap()[..moved].to_vec();
    rows.extend_from_slice(&trace[moved..]);

    let recovered = outcome.recover([]);
    assert_eq!((recovered.code, recovered.with("finish").len()), (Some(0), 1), "{recovered:?}");
    assert!(!older.exists() && outcome.left().is_empty(), "nothing is left behind");
    assert_eq!(outcome.session_names().len(), 1);
    let session = outcome.session();
    assert!(numbers(&session.dir).into_iter().eq(0..250));
    let lines = rows.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(session.all_events.len() + session.snapshots.len(), lines);
    assert_eq!(session.summary["subtype"], "crashed");
    assert!(session.processes.len() > 251);
}

#[test]
fn a_tracer_that_is_killed_after_the_log_directory_was_removed_under_way_leaves_every_row() {
    for removed in ["../log", "../log/sessions", "../log/sessions/.*.spool"] {
        let last =
            "until grep -aq the-last-one ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID";
        let script = format!(
            "{}; ls ../log/sessions/.*.spool; rm -r {removed}; {}; /bin/true the-last-one; {last}",
            numbered(200),
            numbered_from(200, 800)
        );
        let outcome = Trace::sh(&script).flags(["--spool-limit", "64K"]).outcome();
        outcome.await_ends();
        let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(stdout.contains(".spool"), "rows were moved before: {stdout}\n{}", outcome.stderr);
        assert!(!outcome.stderr.contains("warning"), "{removed}: {}", outcome.stderr);
        let (older, _) = left(&outcome);
        assert_eq!(older.len(), 1, "{removed}: {older:?}");
        let recovered = outcome.recover([]);
        assert_eq!(
            (recovered.code, recovered.with("finish").len()),
            (Some(0), 1),
            "{removed}: {recovered:?}"
        );
        assert!(outcome.left().is_empty(), "{removed}: nothing is left behind");
        let session = outcome.session();
        assert!(numbers(&session.dir).into_iter().eq(0..800), "{removed}");
        assert!(session.processes.len() > 801, "{removed}: {}", session.processes.len());
    }
}

/// Each row that was written to the trace file before the kill is in the session, byte by byte as many.
#[track_caller]
fn assert_rows(session: &Path, spooled: Spooled, when: &str) {
    let files = ["events.jsonl", "proc_trace.jsonl"].map(|name| fs::read(session.join(name)).unwrap());
    let rows = files.iter().flatten().filter(|byte| **byte == b'\n').count();
    let bytes = files.iter().map(|file| file.len() as u64).sum::<u64>();
    assert!(spooled.rows > 50, "{when}: {spooled:?}");
    if spooled.one_more && rows == spooled.rows + 1 {
        assert!(bytes > spooled.bytes, "{when}: {bytes} bytes of {spooled:?}");
    } else {
        assert_eq!((rows, bytes), (spooled.rows, spooled.bytes), "{when}: {spooled:?}");
    }
}

#[test]
fn a_kill_at_any_system_call_of_a_move_leaves_each_line_once() {
    let outcome = Trace::command(["true"]).outcome();
    fs::remove_dir_all(outcome.runtime().join("../../log")).unwrap();
    let mut moments = BTreeSet::new();
    // The first ones are the move of the first rows; the last ones, the end of the run.
    for call in ["pwrite64", "fdatasync", "fallocate", "unlinkat"] {
        for nth in [1, 2] {
            let when = format!("{call} {nth}");
            let spooled = outcome.spooling_is_killed_at(call, nth, &numbered(120));
            let is_killed = spooled.is_killed;
            outcome.await_ends();
            let (older, trace) = left(&outcome);
            assert!(older.len() <= 1, "{when}: {older:?}");
            if is_killed && trace.is_some() {
                moments.insert((older.first().map(|path| fs::metadata(path).unwrap().len() > 0), call));
            }
            outcome.age();
            assert_eq!(outcome.recover([]).code, Some(0), "{when}");
            assert_eq!(outcome.left(), Vec::<PathBuf>::new(), "{when}");
            let names = outcome.session_names();
            assert!(names.iter().all(|name| !name.starts_with('.')), "{when}: {names:?}");
            assert_eq!(names.len(), 1, "{when}: {names:?}");
            for name in names {
                let session = outcome.runtime().join("../../log/sessions").join(name);
                assert_rows(&session, spooled, &when);
                let numbers = numbers(&session);
                assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{when}: {numbers:?}");
                assert!(is_killed || numbers.len() == 120, "{when}: {}", numbers.len());
                let events = events(&session);
                let distinct: BTreeSet<String> = events.iter().map(Value::to_string).collect();
                assert_eq!(distinct.len(), events.len(), "{when}: no line twice");
            }
            outcome.assert_readable();
            fs::remove_dir_all(outcome.runtime().join("../../log")).unwrap();
        }
    }
    assert!(moments.len() >= 5, "it was killed while rows moved: {moments:?}");
}
