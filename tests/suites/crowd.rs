//! Many at once in one runtime directory and one log directory: tracers that end together, recoveries, retention, readers.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::inotify::ReadFlags;
use serde_json::Value;
use tests::watch::{Dir, Watch};
use tests::{Outcome, Trace, tracer, workload};

const TRACERS: usize = 32;
const CRASHES: usize = 12;
/// Fewer than all, so that retention has something to do while others finish.
const KEPT: usize = 20;

/// Ends itself together with its tracer, once it is enrolled.
const CRASH: &str =
    "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; kill -9 $PPID";

/// A place with sessions that nobody finished.
fn crashed() -> Outcome {
    let outcome = Trace::command(["true"]).outcome();
    fs::remove_dir_all(outcome.log()).unwrap();
    let runs = (0..CRASHES).map(|number| outcome.start_run(&format!("crash-{number}"), ["sh", "-c", CRASH]));
    for mut run in runs.collect::<Vec<_>>() {
        assert_eq!(run.wait().unwrap().code(), None, "it was killed");
    }
    outcome.await_ends();
    outcome
}

/// Tracers whose commands all run, and end when what is returned first is dropped.
fn ready(outcome: &Outcome, flags: impl Fn(usize) -> Vec<String>) -> (std::io::PipeWriter, Vec<Child>) {
    let (gate, keeper) = pipe().unwrap();
    let (arrived, ready) = pipe().unwrap();
    let start = |number| {
        let mut run = Command::new(tracer());
        run.args(["run", "--session-id", &format!("crowd-{number}"), "--log-dir"]).arg(outcome.log());
        run.arg("--tmpfs-path").arg(outcome.runtime().parent().unwrap()).args(flags(number));
        run.args(["--", "sh", "-c", "echo here; exec cat"]).env("TRACER_TEST", "1");
        run.stdin(gate.try_clone().unwrap()).stdout(ready.try_clone().unwrap());
        run.stderr(fs::File::create(outcome.file(&format!("stderr-{number}"))).unwrap()).spawn().unwrap()
    };
    let tracers = (0..TRACERS).map(start).collect();
    drop(ready);
    let here = BufReader::new(arrived).lines().take(TRACERS).filter(|line| line.as_ref().unwrap() == "here");
    assert_eq!(here.count(), TRACERS, "each command runs");
    (keeper, tracers)
}

/// Reads as a reader does that asks for no lock: every line is whole, and every session that can be seen is.
fn reads_whole(log: &Path) -> usize {
    let index = fs::read_to_string(log.join("sessions.jsonl")).unwrap_or_default();
    assert!(index.is_empty() || index.ends_with('\n'), "half a line: {index:?}");
    let mut ids = BTreeSet::new();
    for line in index.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(ids.insert(line["session_id"].as_str().unwrap().to_owned()), "twice in the index: {line}");
    }
    for entry in fs::read_dir(log.join("sessions")).unwrap() {
        let entry = entry.unwrap();
        // Retention may take it away under a reader's hands, but only as a whole: then it has no file any more.
        if !entry.file_name().to_str().unwrap().starts_with('.')
            && let Ok(text) = fs::read(entry.path().join("summary.json"))
        {
            serde_json::from_slice::<Value>(&text).unwrap();
        }
    }
    ids.len()
}

/// Says that it is over however that came: whoever waits for it ends when an assertion fails, too.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All end at once while four recoveries work and two readers read. Everything that ever was a session, in order.
fn together(outcome: &Outcome, flags: impl Fn(usize) -> Vec<String>) -> Vec<String> {
    let mut watch = Watch::over(&outcome.runtime(), &outcome.log());
    let (keeper, tracers) = ready(outcome, flags);
    let over = AtomicBool::new(false);
    let log = outcome.log();
    let recovered = thread::scope(|scope| {
        let end = Over(&over);
        let readers = [0; 2].map(|_| {
            scope.spawn(|| {
                let mut rounds = 0;
                while !over.load(Ordering::Relaxed) {
                    reads_whole(&log);
                    rounds += 1;
                }
                rounds
            })
        });
        let recoveries = scope.spawn(|| outcome.recover_at_once(4));
        drop(keeper);
        for mut tracer in tracers {
            assert!(tracer.wait().unwrap().success());
        }
        let recovered = recoveries.join().unwrap();
        drop(end);
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0), "both have read meanwhile");
        recovered
    });
    assert!(recovered.iter().all(|one| one.code == Some(0)), "{recovered:#?}");
    let finished: Vec<&str> = recovered
        .iter()
        .flat_map(|one| one.with("finish"))
        .map(|report| report["session_id"].as_str().unwrap())
        .collect();
    assert_eq!(finished.len(), CRASHES, "{finished:?}");
    assert_eq!(BTreeSet::from_iter(&finished).len(), CRASHES, "each once: {finished:?}");
    assert_eq!(outcome.left(), Vec::<std::path::PathBuf>::new());
    for number in 0..TRACERS {
        let told = fs::read_to_string(outcome.file(&format!("stderr-{number}"))).unwrap();
        assert!(told.contains("session") && !told.contains("warning"), "{told}");
    }
    watch.read();
    let sessions = watch.history.iter().filter(|change| change.dir == Dir::Sessions);
    for gone in sessions.clone().filter(|change| change.kind.contains(ReadFlags::DELETE)) {
        assert!(gone.name.ends_with(".removed"), "{} was removed while it was written", gone.name);
    }
    let shown = sessions.filter(|change| change.kind.contains(ReadFlags::MOVED_TO));
    shown.map(|change| change.name.clone()).filter(|name| !name.starts_with('.')).collect()
}

fn everybody() -> Vec<String> {
    let crowd = (0..TRACERS).map(|number| format!("crowd-{number}"));
    let mut all: Vec<String> = crowd.chain((0..CRASHES).map(|number| format!("crash-{number}"))).collect();
    all.sort();
    all
}

fn indexed(outcome: &Outcome) -> Vec<String> {
    let mut ids: Vec<String> =
        outcome.index().iter().map(|line| line["session_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn thirty_two_tracers_that_end_at_once_beside_four_recoveries_lose_and_double_no_line() {
    let outcome = crashed();
    let mut shown = together(&outcome, |_| Vec::new());
    shown.sort();
    assert_eq!(shown, everybody(), "each was put in its place once");
    assert_eq!((outcome.session_names(), indexed(&outcome)), (everybody(), everybody()));
    outcome.assert_readable();
}

#[test]
fn retention_beside_them_removes_whole_sessions_and_none_that_is_being_written() {
    let outcome = crashed();
    let keep = format!("--keep-sessions={KEPT}");
    let mut shown =
        together(&outcome, |number| if number % 2 == 0 { vec![keep.clone()] } else { Vec::new() });
    shown.sort();
    assert_eq!(shown, everybody(), "each was put in its place once");
    let names = outcome.session_names();
    assert_eq!(names, indexed(&outcome), "index and directories agree");
    assert!((KEPT..=everybody().len()).contains(&names.len()), "{names:?}");
    let mut last = Command::new(tracer());
    last.args(["run", "-q", &keep, "--log-dir"]).arg(outcome.log()).arg("--tmpfs-path");
    last.arg(outcome.runtime().parent().unwrap()).arg("--").arg(workload()).arg("noop");
    assert!(last.env("TRACER_TEST", "1").status().unwrap().success());
    assert_eq!((outcome.session_names().len(), indexed(&outcome)), (KEPT, outcome.session_names()));
    outcome.assert_readable();
}
