//! What a recording has to tell, beside its lines: figures over all processes, the target, the verdict on a death.

use super::clock::Clock;
use super::peaks::Peaks;
use super::text::Text;
use super::verdict::Verdict;
use crate::kernel::event::Comm;
use crate::process::cgroup::LimitHit;
use crate::process::identity::Identity;
use crate::process::member::Member;
use crate::process::proc::unread::Unread;
use crate::process::target::{TargetHistory, TraceTarget};
use crate::process::tree::Tree;

/// Figures over all processes whose lines are written.
#[derive(Debug, Default)]
pub struct Figures {
    /// The root, once it ended or was settled.
    pub root: Option<Member>,
    /// The target, likewise.
    pub target: Option<Member>,
    /// CPU time of those that ended, µs; `None`: no such end was seen.
    pub cpu_us: Option<u64>,
    /// Those that outlived the root.
    pub orphans: Vec<Member>,
    /// The one with the highest peak resident set, and that peak in KiB.
    pub largest: Option<(Member, u64)>,
}

/// All that is to be told of a recording.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// Figures over all processes.
    pub figures: &'a Figures,
    /// The tree.
    pub tree: &'a Tree,
    /// The highest figures.
    pub peaks: &'a Peaks,
    /// What snapshots lack.
    pub unread: &'a Unread,
    /// What somebody should look at: how often each kind.
    pub anomalies: &'a [(&'static str, u64)],
    /// The limit of a memory cgroup that was behind an OOM kill, and whose.
    pub limit: Option<&'a (Identity, LimitHit)>,
    /// The target.
    pub target: Option<&'a TraceTarget>,
    /// What it was called.
    pub history: Option<&'a TargetHistory>,
    /// Where boot time lies on the calendar.
    pub clock: Clock,
    /// Leaves arguments out.
    pub redact: bool,
}

impl<'a> Told<'a> {
    /// Why `member` ended.
    #[must_use]
    pub fn verdict(&self, member: &'a Member) -> Verdict<'a> {
        let limit = self.limit.filter(|(id, _)| *id == member.id);
        Verdict::of(member, limit.map(|(_, hit)| hit))
    }

    /// The target's usual comm: that of most rows, or without rows the one it was found under.
    #[must_use]
    pub fn tracked_comm(&self) -> Option<Text<'a>> {
        let usual = self.peaks.tracked_comm().map(Comm::bytes);
        usual.or(self.target.map(TraceTarget::comm)).map(Text)
    }
}
