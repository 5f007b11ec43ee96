//! `summary.json`: a session in one object. Field names are a contract; unknown is null.

use std::collections::BTreeMap;

use serde::Serialize;

use super::clock::{Clock, Time};
use super::id::SessionId;
use super::process_row::AdoptedBy;
use super::target_row::TargetRow;
use super::text::Text;
use super::verdict::Verdict;
use crate::kernel::loss::Loss;
use crate::process::identity::Ticks;
use crate::process::member::Member;
use crate::process::proc::unread::UnreadRow;

/// Version of the shapes of all files of a session.
pub const SCHEMA_VERSION: u32 = 1;

/// A session in one object.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The session.
    pub session_id: SessionId,
    /// What its owner said about it.
    pub labels: &'a BTreeMap<String, String>,
    /// The command and its arguments.
    pub command: Vec<Text<'a>>,
    /// How it ended, in a word.
    pub subtype: Subtype,
    /// The command's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the command.
    pub exit_signal: Option<u8>,
    /// Which ending came first.
    pub termination_reason: Reason,
    /// Why it ended.
    pub verdict: Option<Verdict<'a>>,
    /// The root's pid.
    pub pid: u32,
    /// This boot.
    pub boot_id: &'a str,
    /// The root's start.
    pub starttime_ticks: Ticks,
    /// The target's usual comm.
    pub tracked_comm: Option<Text<'a>>,
    /// Whether the target had other comms too.
    pub tracked_comm_drift: Option<bool>,
    /// The workload behind its wrappers; null: none was looked for.
    pub target: Option<TargetRow<'a>>,
    /// When the root was forked.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// When the recording ended: with the root, or with the last of those who outlived it and were waited for.
    pub recorded_until: Time,
    /// The time between.
    pub elapsed_seconds: f64,
    /// Processes in the tree.
    pub process_count: u64,
    /// The deepest generation; the root's is 0.
    pub max_depth: u16,
    /// Rows in `proc_trace.jsonl`.
    pub snapshot_count: u64,
    /// The target's peak resident set.
    pub peak_rss_kb: Option<u64>,
    /// The peak of the sum over the tree.
    pub peak_tree_rss_kb: Option<u64>,
    /// The target's highest OOM score.
    pub peak_oom_score: Option<u64>,
    /// The target's highest share of its descriptor limit.
    pub peak_fd_ratio: Option<f64>,
    /// CPU time of the tree: what `wait` says of the root and all that were waited for, or the sum over all ends that
    /// were seen, whichever is more.
    pub cpu_seconds: Option<f64>,
    /// The process with the highest peak resident set.
    pub largest_process: Option<Largest<'a>>,
    /// Rows in `anomalies.jsonl`.
    pub anomaly_count: u64,
    /// Processes that outlived the root.
    pub orphans: Vec<Orphan<'a>>,
    /// Fields that snapshots lack, and why.
    pub unread: Vec<UnreadRow>,
    /// Whether all events are there.
    pub completeness: Completeness,
    /// This machine's name.
    pub host: Option<String>,
    /// The kernel's release.
    pub kernel: &'a str,
    /// The version that wrote this.
    pub tracer_version: &'static str,
}

impl Summary<'_> {
    /// The bytes of `summary.json`.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// How a session ended, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subtype {
    /// The command exited with 0.
    Completed,
    /// The command exited with another code, or could not be run.
    Failed,
    /// A signal ended the command, or tracer was told to end by one.
    Killed,
    /// tracer ended it: it took too long, or was silent for too long.
    TimedOut,
    /// tracer was killed, or could not write the session; a recovery wrote what was left.
    Crashed,
    /// The workload was not found in time.
    Unresolved,
}

/// Which ending came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The command exited.
    NaturalExit,
    /// The command took longer than it may.
    TimedOut,
    /// The command was silent for longer than it may.
    Idle,
    /// The output had what was waited for.
    OutputMatched,
    /// A signal ended the command, or tracer was told to end by one.
    Signalled,
    /// tracer was killed, or could not write the session.
    Crashed,
    /// The workload was not found in time.
    TargetUnresolved,
}

/// The process with the highest peak resident set.
#[derive(Debug, Serialize)]
pub struct Largest<'a> {
    /// Its id.
    pub pid: u32,
    /// Its comm.
    pub comm: Text<'a>,
    /// Its peak resident set.
    pub max_rss_kb: u64,
}

/// A process that outlived the root.
#[derive(Debug, Serialize)]
pub struct Orphan<'a> {
    /// Its id.
    pub pid: u32,
    /// Its start.
    pub starttime_ticks: Ticks,
    /// Its comm.
    pub comm: Text<'a>,
    /// Who adopted it; null: its parent lives.
    pub adopted_by: Option<AdoptedBy<'a>>,
    /// When it ended, if that was waited for; null: it outlived the session too.
    pub ended_at: Option<Time>,
}

impl<'a> Orphan<'a> {
    /// What is told of `member`.
    #[must_use]
    pub fn of(member: &'a Member, clock: Clock) -> Self {
        Self {
            pid: member.id.pid,
            starttime_ticks: member.id.start,
            comm: Text(member.comm()),
            adopted_by: AdoptedBy::of(member),
            ended_at: member.ended_ns.map(|ns| clock.at(ns)),
        }
    }
}

/// Whether all events are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// The answer.
    pub state: State,
    /// What is missing, by kind; null: tracer was killed, and nobody knows what came after.
    pub lost: Option<Loss>,
}

impl Completeness {
    /// Of a recording whose tracer was killed.
    pub const CRASHED: Self = Self { state: State::Lossy, lost: None };
}

/// Whether something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing.
    Complete,
    /// Something.
    Lossy,
}

impl From<Loss> for Completeness {
    fn from(lost: Loss) -> Self {
        Self { state: if lost.is_none() { State::Complete } else { State::Lossy }, lost: Some(lost) }
    }
}
