//! The ground truth: rows that the workloads append to one file, each in a single write.
//!
//! Everything comes from the kernel by a road that tracer does not take: `wait4`, `/proc`, `getauxval`; and [`accounted`] reads what it wrote
//! down itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Environment variable that names the truth file to a workload.
pub const FILE: &str = "WORKLOAD_TRUTH";

/// One row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// A child that ended, told by its waiter.
    Reaped(Reaped),
    /// A program's own view of the exec that started it.
    Shown(Shown),
    /// Something that one case knows.
    Note(Note),
}

/// What `/proc` and `wait4` said of a child that ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reaped {
    /// Process id.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`, read before the child was reaped.
    pub starttime_ticks: u64,
    /// `/proc/PID/comm` of the zombie.
    pub comm: Vec<u8>,
    /// Who waited.
    pub waiter: u32,
    /// Status, if it exited.
    pub exit_code: Option<i32>,
    /// Signal, if one killed it.
    pub exit_signal: Option<i32>,
    /// `WCOREDUMP`.
    pub core_dumped: bool,
    /// Whether the child waited for children of its own: then the totals below include theirs.
    pub has_waited: bool,
    /// `ru_maxrss`.
    pub max_rss_kb: u64,
    /// `ru_utime` and `ru_stime` together.
    pub cpu_us: u64,
    /// `ru_minflt`.
    pub min_flt: u64,
    /// `ru_majflt`.
    pub maj_flt: u64,
    /// `ru_nvcsw`.
    pub nvcsw: u64,
    /// `ru_nivcsw`.
    pub nivcsw: u64,
}

/// What a program sees of itself after exec.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Shown {
    /// Process id in the namespace of `/proc`.
    pub pid: u32,
    /// `getpid()`.
    pub ns_pid: u32,
    /// Inode of its pid namespace.
    pub pid_ns: u64,
    /// Real user.
    pub uid: u32,
    /// Effective user.
    pub euid: u32,
    /// The file name that was given to exec (`AT_EXECFN`).
    pub filename: Vec<u8>,
    /// The first 64 KiB of `/proc/self/cmdline`.
    pub args: Vec<u8>,
    /// All bytes of it.
    pub args_bytes: u64,
    /// `/proc/self/comm`.
    pub comm: Vec<u8>,
    /// Working directory.
    pub cwd: Vec<u8>,
    /// Inode of its cgroup v2 directory, where that hierarchy is mounted.
    pub cgroup_id: Option<u64>,
}

/// A fact that one case tells its test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Note {
    /// What it is, in the case's own words.
    pub what: String,
    /// The process that it is about.
    pub pid: u32,
    /// The fact; -1 where there is no number to tell.
    pub value: i64,
}

/// Appends a row.
///
/// # Panics
/// If the file can't be written: a test without its truth proves nothing.
pub fn append(file: &Path, row: &Row) {
    let mut line = serde_json::to_vec(row).unwrap();
    line.push(b'\n');
    let mut out = fs::OpenOptions::new().append(true).open(file).unwrap();
    assert_eq!(out.write(&line).unwrap(), line.len(), "a truth row in one write");
}

/// Every row of the file.
///
/// # Panics
/// If one is none.
#[must_use]
pub fn read(file: &Path) -> Vec<Row> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The ends in a file of process accounting (version 3, acct(5)), by process id and status: how many of each.
///
/// # Panics
/// If that is no such file.
#[must_use]
pub fn accounted(file: &[u8]) -> BTreeMap<(u64, u32), usize> {
    // A record is 64 bytes, with the exit code at 4 and the process id at 16.
    let (records, rest) = file.as_chunks::<64>();
    assert_eq!(rest, b"", "whole records");
    let word = |record: &[u8; 64], at: usize| {
        u32::from_ne_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    };
    let mut ends = BTreeMap::new();
    for record in records {
        assert_eq!(record[1] & 0x7f, 3, "records of version 3");
        *ends.entry((u64::from(word(record, 16)), word(record, 4))).or_default() += 1;
    }
    ends
}
