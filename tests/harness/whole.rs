//! What every session without loss promises, whatever ran.

use std::collections::HashMap;

use serde_json::Value;

use crate::Session;

/// What completeness may have lost, by name.
const LOSSES: [&str; 9] = ["fork", "exec", "exit", "rename", "signal", "oom", "untracked", "skipped", "gaps"];

/// Fields that a process's row takes from its exit event as they are.
const OF_EXIT: [&str; 12] = [
    "exit_code",
    "exit_signal",
    "core_dumped",
    "max_rss_kb",
    "utime_us",
    "stime_us",
    "min_flt",
    "maj_flt",
    "nvcsw",
    "nivcsw",
    "read_bytes",
    "write_bytes",
];

/// A process: pid and start.
pub type Identity = (u64, u64);

impl Session {
    /// Asserts that nothing is lost, that events are in kernel order, and that each process has one whole life.
    ///
    /// # Panics
    /// If the session breaks one of these promises.
    #[track_caller]
    pub fn assert_whole(&self) -> &Self {
        self.assert_complete();
        for what in LOSSES {
            assert_eq!(self.lost(what), 0, "lost {what}");
        }
        self.assert_ordered();
        self.assert_lives();
        assert_family(&self.processes);
        let depths = self.processes.iter().map(|row| number(row, "depth"));
        assert_eq!(self.summary["max_depth"].as_u64(), depths.max(), "max_depth");
        self.assert_summary();
        self
    }

    /// Asserts that nothing is lost, also where the kernel preempts programs: then their copies are at work.
    ///
    /// # Panics
    /// If anything is lost.
    #[track_caller]
    pub fn assert_complete(&self) {
        assert_eq!(self.state(), "complete", "{}", self.summary["completeness"]);
    }

    #[track_caller]
    fn assert_lives(&self) {
        let (forks, exits) = (self.by_identity("fork"), self.by_identity("exit"));
        assert_eq!(forks.len(), self.processes.len(), "a fork for each process");
        assert_eq!(exits.len(), self.processes.len(), "an exit for each process");
        for row in &self.processes {
            assert!(forks.contains_key(&identity(row)), "no fork for {row}");
            let exit = exits.get(&identity(row)).unwrap_or_else(|| panic!("no exit for {row}"));
            for field in OF_EXIT {
                assert_eq!(row[field], exit[field], "{field} of {row} in {exit}");
            }
            assert_eq!(row["ended_at"], exit["at"], "end of {row}");
            assert_ne!(
                row["exit_code"].is_null(),
                row["exit_signal"].is_null(),
                "a code or a signal in {row}"
            );
        }
    }

    #[track_caller]
    fn assert_summary(&self) {
        let root = self.root();
        for field in ["pid", "starttime_ticks", "exit_code", "exit_signal"] {
            assert_eq!(self.summary[field], root[field], "{field} of the summary is the root's");
        }
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(self.summary["boot_id"], boot_id.trim());
        assert_eq!(number(&self.summary, "process_count"), self.processes.len() as u64, "process_count");
        assert_eq!(self.summary["session_id"], self.dir_name, "the directory has the session's name");
        let indexed: Vec<&Value> = self.index.iter().map(|line| &line["session_id"]).collect();
        assert_eq!(indexed, [&self.summary["session_id"]], "one line in the index");
    }

    /// Each process's event of a kind.
    fn by_identity(&self, kind: &str) -> HashMap<Identity, &Value> {
        self.events(kind).into_iter().map(|event| (identity(event), event)).collect()
    }
}

/// Asserts that each process has one row, and each but the root a parent above it.
///
/// # Panics
/// If one has not.
#[track_caller]
pub fn assert_family(processes: &[Value]) {
    let depths: HashMap<Identity, u64> =
        processes.iter().map(|row| (identity(row), number(row, "depth"))).collect();
    assert_eq!(depths.len(), processes.len(), "each identity once");
    for row in processes.iter().filter(|row| row["is_root"] == false) {
        let above = depths.get(&parent(row)).unwrap_or_else(|| panic!("no parent of {row}"));
        assert_eq!(number(row, "depth"), above + 1, "depth of {row}");
    }
}

/// Whom a row or an event is about.
#[must_use]
pub fn identity(row: &Value) -> Identity {
    (number(row, "pid"), number(row, "starttime_ticks"))
}

/// Who forked it.
pub(crate) fn parent(row: &Value) -> Identity {
    (number(row, "ppid"), number(row, "parent_starttime_ticks"))
}

/// A field that is a number in every row.
pub(crate) fn number(row: &Value, field: &str) -> u64 {
    row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"))
}
