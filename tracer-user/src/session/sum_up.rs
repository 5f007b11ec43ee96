//! A recording and how it ended -> its summary: for a clean end and for a recovery alike.

use std::collections::BTreeMap;

use super::id::SessionId;
use super::summary::{Completeness, Largest, Orphan, Reason, SCHEMA_VERSION, Subtype, Summary};
use super::target_row::TargetRow;
use super::text::Text;
use super::told::Told;
use super::verdict::Verdict;
use crate::process::member::Member;

/// How a session ended, and what its owner said about it.
pub struct Ending<'a> {
    /// The session.
    pub session_id: &'a SessionId,
    /// What its owner said about it.
    pub labels: &'a BTreeMap<String, String>,
    /// The command, as far as it may be told.
    pub command: Vec<Text<'a>>,
    /// How it ended, in a word.
    pub subtype: Subtype,
    /// The command's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the command.
    pub exit_signal: Option<u8>,
    /// Which ending came first.
    pub reason: Reason,
    /// Why it ended.
    pub verdict: Verdict<'a>,
    /// The root; if its events were lost, what is known of it otherwise.
    pub root: &'a Member,
    /// When the recording ended, which is also the root's end if that was not seen; nanoseconds since boot.
    pub ended_ns: u64,
    /// This boot.
    pub boot_id: &'a str,
    /// The kernel's release.
    pub kernel: &'a str,
    /// CPU time that `wait` told, µs.
    pub waited_cpu_us: Option<u64>,
    /// Whether all events are there.
    pub completeness: Completeness,
}

/// The summary.
#[must_use]
pub fn sum_up<'a>(told: &Told<'a>, ending: Ending<'a>) -> Summary<'a> {
    let Told { figures, peaks, clock, .. } = *told;
    let root = ending.root;
    let ended_ns = root.ended_ns.filter(|_| !root.end_lost).unwrap_or(ending.ended_ns);
    let started_ns = root.started_ns.unwrap_or(ended_ns);
    // Either may miss something: `wait` those that nobody waited for, the ends what is booked after them.
    let cpu_us = ending.waited_cpu_us.max(figures.cpu_us);
    Summary {
        schema_version: SCHEMA_VERSION,
        session_id: ending.session_id.clone(),
        labels: ending.labels,
        command: ending.command,
        subtype: ending.subtype,
        exit_code: ending.exit_code,
        exit_signal: ending.exit_signal,
        termination_reason: ending.reason,
        verdict: Some(ending.verdict),
        pid: root.id.pid,
        boot_id: ending.boot_id,
        starttime_ticks: root.id.start,
        tracked_comm: told.tracked_comm(),
        tracked_comm_drift: peaks.tracked_comm_drift(),
        target: told.target.map(|target| TargetRow::new(target, told.history, clock, told.redact)),
        started_at: clock.at(started_ns),
        ended_at: clock.at(ended_ns),
        recorded_until: clock.at(ended_ns.max(ending.ended_ns)),
        elapsed_seconds: seconds(ended_ns.saturating_sub(started_ns) / 1000),
        process_count: told.tree.processes(),
        max_depth: told.tree.max_depth(),
        snapshot_count: peaks.snapshot_count(),
        peak_rss_kb: peaks.peak_rss_kb(),
        peak_tree_rss_kb: peaks.peak_tree_rss_kb(),
        peak_oom_score: peaks.peak_oom_score(),
        peak_fd_ratio: peaks.peak_fd_ratio(),
        cpu_seconds: cpu_us.map(seconds),
        largest_process: figures.largest.as_ref().map(largest),
        anomaly_count: told.anomalies.iter().map(|(_, count)| count).sum(),
        orphans: figures.orphans.iter().map(|member| Orphan::of(member, clock)).collect(),
        unread: told.unread.rows(),
        completeness: ending.completeness,
        host: Some(rustix::system::uname().nodename().to_string_lossy().into_owned()),
        kernel: ending.kernel,
        tracer_version: env!("CARGO_PKG_VERSION"),
    }
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "exact below 285 years")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn largest((member, rss): &(Member, u64)) -> Largest<'_> {
    Largest { pid: member.id.pid, comm: Text(member.comm()), max_rss_kb: *rss }
}
