//! A session of millions of lines, counted as it is read: for those there is no room as [`Session`](crate::Session).

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::order::{Order, Told};
use crate::schema::assert_shape;
use crate::truth::{self, Note, Row};
use crate::{Outcome, session};

/// Lines of each file that are held against their schema; other suites look at every line.
const SHAPED: usize = 1000;

/// What was counted.
#[derive(Debug)]
pub struct Ledger {
    /// How tracer itself ended.
    pub outcome: Outcome,
    /// `summary.json`.
    pub summary: Value,
    /// Events of each kind.
    pub events: BTreeMap<String, u64>,
    /// Children of each process that forked, by its pid.
    pub children: HashMap<u64, u64>,
    /// Rows of `processes.jsonl`: pid in its namespace, status as wait(2) has it, and inode of the namespace.
    pub ends: BTreeMap<(u64, u32, u64), usize>,
    /// The root's pid namespace.
    pub outside: u64,
    truth: Vec<Row>,
}

/// What is read of an event.
#[derive(Deserialize)]
struct EventLine<'a> {
    event: &'a str,
    ktime_ns: u64,
    pid: u64,
    starttime_ticks: u64,
    #[serde(default)]
    depth: u64,
    #[serde(default)]
    ppid: u64,
    #[serde(default)]
    parent_starttime_ticks: u64,
}

/// What is read of a process's row.
#[derive(Deserialize)]
struct ProcessLine {
    pid: u64,
    starttime_ticks: u64,
    is_root: bool,
    ns_pid: u64,
    pid_ns: u64,
    exit_code: Option<u32>,
    exit_signal: Option<u32>,
    core_dumped: Option<bool>,
}

impl Ledger {
    /// Reads the one session of a run. What every session promises that lacks nothing is held on the way: order, one fork,
    /// one end and one row for each process. Whether it lacks something is for the test to say.
    ///
    /// # Panics
    /// If the session breaks one of these promises.
    #[track_caller]
    pub(crate) fn read(outcome: Outcome) -> Self {
        let sessions = session::entries(&outcome.place.log().join("sessions"));
        assert_eq!(sessions.len(), 1, "one session; stderr:\n{}", outcome.stderr);
        let dir = &sessions[0];
        let summary: Value = serde_json::from_slice(&fs::read(dir.join("summary.json")).unwrap()).unwrap();
        assert_shape("summary", &summary);
        // Else an event that was counted as lost would be one out of order.
        let is_whole = summary["completeness"]["state"] == "complete";
        let (mut order, mut events, mut children) = (Order::default(), BTreeMap::new(), HashMap::new());
        each_line(dir, "events", |line| {
            let event: EventLine<'_> = serde_json::from_slice(line).unwrap();
            count(&mut events, event.event);
            let parent = (event.event == "fork" && event.depth > 0)
                .then_some((event.ppid, event.parent_starttime_ticks));
            if let Some((pid, _)) = parent {
                *children.entry(pid).or_default() += 1;
            }
            let (kind, process) = (event.event, (event.pid, event.starttime_ticks));
            if is_whole {
                order.see(&Told { kind, ktime_ns: event.ktime_ns, process, parent });
            }
        });
        let (mut ends, mut outside) = (BTreeMap::new(), 0);
        each_line(dir, "processes", |line| {
            let row: ProcessLine = serde_json::from_slice(line).unwrap();
            let process = (row.pid, row.starttime_ticks);
            let had = (order.forked.remove(&process), order.exited.remove(&process).is_some());
            assert!(!is_whole || had == (true, true), "one row, a fork and an exit for process {process:?}");
            *ends.entry((row.ns_pid, row.status(), row.pid_ns)).or_default() += 1;
            if row.is_root {
                outside = row.pid_ns;
            }
        });
        assert_eq!((order.forked.len(), order.exited.len()), (0, 0), "a row for each process");
        let truth = truth::read(&outcome.place.truth());
        Self { outcome, summary, events, children, ends, outside, truth }
    }

    /// How many processes have a row.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.ends.values().sum()
    }

    /// The events of a kind.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        self.events.get(kind).copied().unwrap_or(0)
    }

    /// The notes of a kind.
    #[must_use]
    pub fn notes(&self, what: &str) -> Vec<&Note> {
        let notes = self.truth.iter().filter_map(|row| if let Row::Note(it) = row { Some(it) } else { None });
        notes.filter(|note| note.what == what).collect()
    }
}

impl ProcessLine {
    fn status(&self) -> u32 {
        let core = if self.core_dumped == Some(true) { 0x80 } else { 0 };
        self.exit_code.unwrap_or(0) << 8 | self.exit_signal.unwrap_or(0) | core
    }
}

fn count(counts: &mut BTreeMap<String, u64>, kind: &str) {
    if let Some(count) = counts.get_mut(kind) {
        *count += 1;
    } else {
        counts.insert(kind.to_owned(), 1);
    }
}

fn each_line(dir: &Path, name: &str, mut take: impl FnMut(&[u8])) {
    let path = dir.join(format!("{name}.jsonl"));
    let mut file = BufReader::with_capacity(1 << 20, File::open(&path).unwrap());
    let mut line = Vec::new();
    for number in 0.. {
        line.clear();
        if file.read_until(b'\n', &mut line).unwrap() == 0 {
            break;
        }
        assert_eq!(line.last(), Some(&b'\n'), "{}: line {number} is whole", path.display());
        if number < SHAPED {
            assert_shape(name, &serde_json::from_slice(&line).unwrap());
        }
        take(&line);
    }
}
