//! The files that tracer left, as JSON values with accessors.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::truth::{self, Note, Reaped, Row, Shown};
use crate::{Outcome, escape, schema};

/// A finished session, with the truth that the workloads wrote meanwhile.
#[derive(Debug)]
pub struct Session {
    /// How tracer itself ended.
    pub outcome: Outcome,
    /// `summary.json`.
    pub summary: Value,
    /// `processes.jsonl`.
    pub processes: Vec<Value>,
    /// `events.jsonl`.
    pub all_events: Vec<Value>,
    /// `anomalies.jsonl`; empty if there is none.
    pub anomalies: Vec<Value>,
    /// `sessions.jsonl`.
    pub index: Vec<Value>,
    /// `proc_trace.jsonl`.
    pub snapshots: Vec<Value>,
    /// Name of the session's directory.
    pub dir_name: String,
    /// That directory.
    pub dir: PathBuf,
    truth: Vec<Row>,
}

impl Session {
    /// Reads the one session of a run.
    pub(crate) fn load(outcome: Outcome) -> Self {
        let log = outcome.place.log();
        let dirs = entries(&log.join("sessions"));
        assert_eq!(
            dirs.len(),
            1,
            "one session, not {dirs:?}; status {}, stderr:\n{}",
            outcome.status,
            outcome.stderr
        );
        let dir = &dirs[0];
        let left = files_below(&outcome.place.runtime());
        assert!(left.is_empty(), "the runtime directory is left empty, not with {left:?}");
        files_below(&log).iter().filter(|path| !is_hidden(path)).for_each(|path| schema::assert_file(path));
        Self {
            summary: serde_json::from_str(&text(&dir.join("summary.json"))).unwrap(),
            processes: lines(&dir.join("processes.jsonl")),
            all_events: lines(&dir.join("events.jsonl")),
            anomalies: if dir.join("anomalies.jsonl").exists() {
                lines(&dir.join("anomalies.jsonl"))
            } else {
                Vec::new()
            },
            index: lines(&log.join("sessions.jsonl")),
            snapshots: lines(&dir.join("proc_trace.jsonl")),
            dir: dir.clone(),
            dir_name: dir.file_name().unwrap().to_str().unwrap().to_owned(),
            truth: truth::read(&outcome.place.truth()),
            outcome,
        }
    }

    /// Asserts that every process of the tree is gone, by `/proc` and by its row.
    ///
    /// # Panics
    /// If one is not.
    #[track_caller]
    pub fn assert_nobody_lives(&self) {
        for orphan in self.summary["orphans"].as_array().unwrap() {
            assert_ne!(orphan["ended_at"], Value::Null, "{orphan}");
        }
        for row in &self.processes {
            assert_ne!(row["ended_at"], Value::Null, "{row}");
            assert!(!is_alive(row), "{row}");
        }
    }

    /// The row of the process that tracer started.
    #[must_use]
    pub fn root(&self) -> &Value {
        one(&self.processes, |row| row["is_root"] == true, "a root")
    }

    /// The row of a process.
    #[must_use]
    pub fn process(&self, pid: u32) -> &Value {
        one(&self.processes, |row| row["pid"] == pid, format_args!("process {pid}"))
    }

    /// The row of the only process that ever had this comm.
    #[must_use]
    pub fn by_comm(&self, comm: &str) -> &Value {
        let named = |row: &Value| row["comms"].as_array().unwrap().iter().any(|name| name == comm);
        one(&self.processes, named, format_args!("process named {comm:?}"))
    }

    /// The summary's target.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    #[track_caller]
    pub fn target(&self) -> &Value {
        let target = &self.summary["target"];
        assert!(target.is_object(), "no target; stderr:\n{}", self.outcome.stderr);
        target
    }

    /// The snapshots of the target.
    #[must_use]
    pub fn target_rows(&self) -> Vec<&Value> {
        self.snapshots.iter().filter(|row| row["is_target"] == true).collect()
    }

    /// The snapshots of a process.
    #[must_use]
    pub fn rows_of(&self, pid: u32) -> Vec<&Value> {
        self.snapshots.iter().filter(|row| row["pid"] == pid).collect()
    }

    /// The events of a kind.
    #[must_use]
    pub fn events(&self, kind: &str) -> Vec<&Value> {
        self.all_events.iter().filter(|event| event["event"] == kind).collect()
    }

    /// A process's events of a kind.
    #[must_use]
    pub fn events_of(&self, pid: u32, kind: &str) -> Vec<&Value> {
        self.events(kind).into_iter().filter(|event| event["pid"] == pid).collect()
    }

    /// What waiters said of their children.
    #[must_use]
    pub fn reaped(&self) -> Vec<&Reaped> {
        self.truth.iter().filter_map(|row| if let Row::Reaped(it) = row { Some(it) } else { None }).collect()
    }

    /// What programs said of themselves after exec.
    #[must_use]
    pub fn shown(&self) -> Vec<&Shown> {
        self.truth.iter().filter_map(|row| if let Row::Shown(it) = row { Some(it) } else { None }).collect()
    }

    /// The only program that said something of itself.
    #[must_use]
    pub fn shown_once(&self) -> &Shown {
        let shown = self.shown();
        assert_eq!(shown.len(), 1, "one program shows itself in {:?}", self.truth);
        shown[0]
    }

    /// The exec event of that program, which is its process's last.
    #[must_use]
    pub fn last_exec(&self) -> &Value {
        self.events_of(self.shown_once().pid, "exec")
            .last()
            .expect("an exec of the program that shows itself")
    }

    /// The notes of a kind.
    #[must_use]
    pub fn notes(&self, what: &str) -> Vec<&Note> {
        let notes = self.truth.iter().filter_map(|row| if let Row::Note(it) = row { Some(it) } else { None });
        notes.filter(|note| note.what == what).collect()
    }

    /// The only note of a kind.
    #[must_use]
    pub fn note(&self, what: &str) -> &Note {
        let notes = self.notes(what);
        assert_eq!(notes.len(), 1, "one note {what:?} in {:?}", self.truth);
        notes[0]
    }

    /// How many records of a kind, or for another reason, tracer counted as lost.
    #[must_use]
    pub fn lost(&self, what: &str) -> usize {
        let lost = &self.summary["completeness"]["lost"];
        let count = lost[what].as_u64().and_then(|count| usize::try_from(count).ok());
        count.unwrap_or_else(|| panic!("no count of lost {what:?} in {lost}"))
    }

    /// `complete` or `lossy`.
    #[must_use]
    pub fn state(&self) -> &str {
        self.summary["completeness"]["state"].as_str().unwrap()
    }
}

/// Whether a row's process is there still, and no zombie.
#[must_use]
pub fn is_alive(row: &Value) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", row["pid"])).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let start = fields.get(19).and_then(|start| start.parse::<u64>().ok());
    start.is_some() && start == row["starttime_ticks"].as_u64() && !["Z", "X"].contains(&fields[0])
}

/// The bytes that a JSON string stands for.
pub(crate) fn raw(value: &Value) -> Vec<u8> {
    escape::bytes(value.as_str().unwrap_or_else(|| panic!("{value} is no string")))
}

/// The bytes of each string of a JSON array.
#[must_use]
pub fn words(argv: &Value) -> Vec<Vec<u8>> {
    argv.as_array().unwrap_or_else(|| panic!("{argv} is no array")).iter().map(raw).collect()
}

fn one(rows: &[Value], wanted: impl Fn(&Value) -> bool, what: impl std::fmt::Display) -> &Value {
    let found: Vec<&Value> = rows.iter().filter(|row| wanted(row)).collect();
    assert_eq!(found.len(), 1, "exactly one row for {what} in:\n{rows:#?}");
    found[0]
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of a file.
///
/// # Panics
/// If a line is none.
#[must_use]
pub fn lines(path: &Path) -> Vec<Value> {
    let text = text(path);
    let parsed =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    parsed.collect()
}

/// Marks and locks are no files of a session.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).map_or_else(|_| Vec::new(), |found| found.map(|entry| entry.unwrap().path()).collect())
}

/// All that is below a directory and is none itself.
#[must_use]
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let (dirs, mut files): (Vec<_>, Vec<_>) = entries(dir).into_iter().partition(|path| path.is_dir());
    files.extend(dirs.iter().flat_map(|dir| files_below(dir)));
    files
}
