//! What is held of one process while it lives: enough for each kind, and no more however long it lives.

use std::time::Duration;

use jiff::Timestamp;

use super::kind::Kind;
use super::thresholds::Thresholds;
use crate::kernel::event::{Comm, Sender};
use crate::process::identity::Identity;
use crate::process::snapshot::Snapshot;

/// An episode is over below this share of its threshold, so that a figure that trembles around it is one episode.
const CLEARLY_BELOW: f64 = 0.9;

/// Names of one process that are told apart; one that has more can't be said to have a wrong one.
const NAMES: usize = 64;

/// One process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) id: Identity,
    /// The round of its last row.
    pub(super) sweep: u64,
    /// Names that the kernel reported, in the order of their first appearance.
    names: Vec<Comm>,
    /// Rows with a name that the kernel has not reported yet: the first of each name.
    pub(super) suspects: Vec<(Comm, Timestamp)>,
    /// The OOM killer chose it.
    pub(super) oom: bool,
    /// The latest sender of each signal.
    pub(super) signals: Vec<(u8, Option<Sender>)>,
    /// Kinds whose episode goes on.
    open: u16,
    oom_score: Option<u64>,
    zombie_since: Option<Timestamp>,
    /// Since when it sleeps, and the number of switches it began with.
    d_since: Option<(Timestamp, Option<u64>)>,
    busy_since: Option<Timestamp>,
    lowest: Option<Lowest>,
}

/// The lowest resident set of this half of the time and of the half before.
#[derive(Clone, Copy, Debug)]
struct Lowest {
    since: Timestamp,
    this_kb: u64,
    before_kb: u64,
}

/// Something that a row shows, in words.
pub(super) type Finding = (Kind, String);

impl Process {
    pub(super) fn new(id: Identity) -> Self {
        Self {
            id,
            sweep: 0,
            // Most have one name or two.
            names: Vec::with_capacity(2),
            suspects: Vec::new(),
            oom: false,
            signals: Vec::new(),
            open: 0,
            oom_score: None,
            zombie_since: None,
            d_since: None,
            busy_since: None,
            lowest: None,
        }
    }

    /// Whether an event named it.
    pub(super) fn is_named(&self) -> bool {
        !self.names.is_empty()
    }

    /// The kernel reported a name.
    pub(super) fn named(&mut self, comm: Comm) {
        self.suspects.retain(|(suspect, _)| *suspect != comm);
        if self.names.len() < NAMES && !self.names.contains(&comm) {
            self.names.push(comm);
        }
    }

    /// The rows whose name the kernel never reported, if all its names are known.
    pub(super) fn drifts(&mut self) -> Vec<(Comm, Timestamp)> {
        let known = self.is_named() && self.names.len() < NAMES;
        if known { std::mem::take(&mut self.suspects) } else { Vec::new() }
    }

    /// The names that the kernel reported.
    pub(super) fn names(&self) -> &[Comm] {
        &self.names
    }

    /// What a row shows that the row before did not.
    pub(super) fn row(&mut self, row: &Snapshot, limits: &Thresholds) -> Vec<Finding> {
        let checks =
            [Self::oom_spike, Self::oom_level, Self::zombie, Self::d_state, Self::cpu, Self::rss, Self::fd];
        let findings = checks.into_iter().filter_map(|check| check(self, row, limits)).collect();
        self.name_in_row(row);
        self.sweep = row.sweep;
        findings
    }

    fn name_in_row(&mut self, row: &Snapshot) {
        let known = self.names.contains(&row.comm) || self.suspects.iter().any(|(comm, _)| *comm == row.comm);
        if !known && self.suspects.len() < NAMES {
            self.suspects.push((row.comm, row.captured_at));
        }
    }

    /// Whether an episode begins: `value` reaches `threshold`, and was clearly below since the last one.
    fn begins(&mut self, kind: Kind, value: f64, threshold: f64) -> bool {
        let bit = 1 << kind as u16;
        let was_open = self.open & bit != 0;
        if value >= threshold {
            self.open |= bit;
            return !was_open;
        }
        if value < threshold * CLEARLY_BELOW {
            self.open &= !bit;
        }
        false
    }

    fn oom_spike(&mut self, row: &Snapshot, limits: &Thresholds) -> Option<Finding> {
        let score = row.values.oom_score?;
        let before = self.oom_score.replace(score)?;
        let rise = score.saturating_sub(before);
        let begins = self.begins(Kind::OomSpike, rise as f64, limits.oom_spike);
        begins.then(|| (Kind::OomSpike, format!("OOM score rose from {before} to {score}")))
    }

    fn oom_level(&mut self, row: &Snapshot, limits: &Thresholds) -> Option<Finding> {
        let score = row.values.oom_score?;
        // Two thirds of the adjustment are in the score (fs/proc/base.c, `proc_oom_score`).
        let own = score as f64 - row.values.oom_score_adj.unwrap_or(0) as f64 * 2.0 / 3.0;
        let begins = self.begins(Kind::OomCritical, own, limits.oom_critical);
        begins.then(|| (Kind::OomCritical, format!("OOM score is {score}")))
    }

    fn zombie(&mut self, row: &Snapshot, limits: &Thresholds) -> Option<Finding> {
        let (state, threads) = (row.values.state?, row.values.threads?);
        // A main thread that ended before its threads is no zombie process.
        let since =
            (state == b'Z' && threads <= 1).then(|| *self.zombie_since.get_or_insert(row.captured_at));
        self.zombie_since = since;
        let seconds = since.map_or(0.0, |since| seconds(since, row.captured_at));
        let begins = self.begins(Kind::Zombie, seconds, limits.zombie);
        begins.then(|| {
            (Kind::Zombie, format!("has ended {seconds:.1} s ago or more, and nobody has waited for it"))
        })
    }

    fn d_state(&mut self, row: &Snapshot, limits: &Thresholds) -> Option<Finding> {
        let state = row.values.state?;
        let switches = row.values.ctx_switches_voluntary;
        let same = self.d_since.filter(|(_, before)| *before == switches);
        let since = (state == b'D').then(|| same.unwrap_or((row.captured_at, switches)));
        self.d_since = since;
        let seconds = since.map_or(0.0, |(since, _)| seconds(since, row.captured_at));
        let begins = self.begins(Kind::DState, seconds, limits.d_state);
        let place = || {
            row.values.wchan.as_deref().map_or_else(String::new, |at| format!(", in {}", at.escape_ascii()))
        };
        begins.then(|| (Kind::DState, format!("in uninterruptible sleep for {seconds:.1} s{}", place())))
    }

    fn cpu(&mut self, row: &Snapshot, limits: &Thresholds) -> Option<Finding> {
        let percent = row.cpu_percent?;
        let since = (percent >= limits.high_cpu).then(|| *self.busy_since.get_or_insert(row.captured_at));
        self.busy_since = since;
        let busy = since.map_or(0.0, |since| seconds(since, row.captured_at));
        let begins = self.begins(Kind::HighCpu, busy, limits.high_cpu_for.as_secs_f64());
        begins.then(|| {
            (
                Kind::HighCpu,
                format!(
                    "{percent:.0}% of a processor, and no less than {:.0}% for {busy:.1} s",
                    limits.high_cpu
                ),
            )
        })
    }

    fn rss(&mut self, row: &Snapshot, limits: &Thresholds) -> Option<Finding> {
        let rss = row.values.vm_rss_kb?;
        let half = limits.rss_growth_within / 2;
        let fresh = Lowest { since: row.captured_at, this_kb: rss, before_kb: rss };
        let lowest = self.lowest.map_or(fresh, |lowest| lowest.with(rss, row.captured_at, half));
        self.lowest = Some(lowest);
        let base = lowest.this_kb.min(lowest.before_kb);
        let growth = rss.saturating_sub(base) as f64 / 1024.0;
        let begins = self.begins(Kind::RssGrowth, growth, limits.rss_growth);
        let within = limits.rss_growth_within.as_secs_f64();
        begins.then(|| (Kind::RssGrowth, format!("RSS grew from {base} to {rss} KiB within {within} s")))
    }

    fn fd(&mut self, row: &Snapshot, limits: &Thresholds) -> Option<Finding> {
        let (count, limit) = (row.values.fd_count?, row.values.fd_soft_limit?);
        let share = if limit == 0 { return None } else { count as f64 / limit as f64 };
        let begins = self.begins(Kind::FdHigh, share, limits.fd_high);
        begins.then(|| (Kind::FdHigh, format!("{count} of {limit} descriptors are open")))
    }
}

impl Lowest {
    fn with(self, rss: u64, at: Timestamp, half: Duration) -> Self {
        let age = seconds(self.since, at);
        if age < half.as_secs_f64() {
            return Self { this_kb: self.this_kb.min(rss), ..self };
        }
        // After a gap in the rows, the half before is older than it may be.
        let before_kb = if age < 2.0 * half.as_secs_f64() { self.this_kb } else { rss };
        Self { since: at, this_kb: rss, before_kb }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
