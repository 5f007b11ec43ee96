//! A session in the making: events fold into the tree, and their lines into the spool.
//!
//! What lives is held; of what ended there are lines, here in the making and on disk once they are many.

use std::collections::HashMap;
use std::io;

use bytes::Bytes;

use super::anomaly::Anomaly;
use super::anomaly::detectors::Detectors;
use super::anomaly::thresholds::Thresholds;
use super::clock::Clock;
use super::event_row::EventRow;
use super::lines::Lines;
use super::peaks::Peaks;
use super::process_row::{Context, ProcessRow};
use super::snapshot_row::SnapshotRow;
use super::told::{Figures, Told};
use crate::kernel::event::{Event, Status, What};
use crate::kernel::loss::Loss;
use crate::process::cgroup::LimitHit;
use crate::process::cwd::Directories;
use crate::process::identity::{Identity, Ticks};
use crate::process::member::{End, Member};
use crate::process::proc::unread::Unread;
use crate::process::settle::{outlives, settle};
use crate::process::snapshot::Snapshot;
use crate::process::stat::Stat;
use crate::process::target::unresolved::After;
use crate::process::target::{Resolver, TraceTarget, Unresolved};
use crate::process::tree::Tree;
use crate::record::log_place::LogPlace;
use crate::record::scratch::Scratch;

/// The root of a session of which no event was seen.
pub const NOBODY: Identity = Identity { pid: 0, start: Ticks(0) };

/// A session in the making.
pub struct Recording {
    /// The living.
    pub tree: Tree,
    /// The lines that are to stay.
    pub lines: Lines,
    /// Where boot time lies on the calendar.
    pub clock: Clock,
    directories: Directories,
    resolver: Resolver,
    peaks: Peaks,
    unread: Unread,
    redact: bool,
    detectors: Detectors,
    /// How often each kind of anomaly occurred.
    anomalies: Vec<(&'static str, u64)>,
    ended: Vec<Identity>,
    figures: Figures,
    /// Ended, but it may yet turn out to be the target: then its line and the figures say so.
    held: Option<Member>,
    limit: Option<(Identity, LimitHit)>,
    /// Lines that could not be made.
    dropped: u64,
    /// `/proc` as it was while events were still coming.
    last_look: HashMap<u32, Option<Stat>>,
}

impl Recording {
    /// One that begins now, and looks for its target with `resolver`. `redact` leaves arguments out;
    /// `scratch` is where a file for what is too much for memory is made.
    #[must_use]
    pub fn new(
        clock: Clock,
        resolver: Resolver,
        thresholds: Thresholds,
        redact: bool,
        scratch: Option<LogPlace>,
    ) -> Self {
        Self {
            tree: Tree::default(),
            lines: Lines::new(&Scratch::new(scratch)),
            clock,
            directories: Directories::default(),
            resolver,
            peaks: Peaks::default(),
            unread: Unread::default(),
            redact,
            detectors: Detectors::new(thresholds, clock),
            anomalies: Vec::new(),
            ended: Vec::new(),
            figures: Figures::default(),
            held: None,
            limit: None,
            dropped: 0,
            last_look: HashMap::new(),
        }
    }

    /// Takes one event.
    pub fn take(&mut self, event: &Event) {
        let cwd = match &event.what {
            What::Exec(exec) => exec.cwd,
            _ => None,
        };
        let near = [event.process.pid, event.parent.pid];
        let cwd = cwd.and_then(|cwd| self.directories.resolve(cwd, &near));
        let kept = self.lines.events.push(&EventRow { event, clock: self.clock, cwd, redact: self.redact });
        self.count(kept);
        self.fold(event);
    }

    /// Takes an event whose line is there already, with the working directory that it names.
    pub fn replay(&mut self, mut event: Event, cwd: Option<Bytes>) {
        if let (What::Exec(exec), Some(path)) = (&mut event.what, cwd) {
            exec.cwd = Some(self.directories.recorded(path));
        }
        self.fold(&event);
        // Nobody asks who ended.
        self.ended.clear();
    }

    fn fold(&mut self, event: &Event) {
        if self.directories.are_many() {
            let here = match &event.what {
                What::Exec(exec) => exec.cwd,
                _ => None,
            };
            let members = self.tree.living().chain(&self.held).filter_map(|member| member.image.as_deref());
            self.directories.keep(members.filter_map(|image| image.cwd).chain(here));
        }
        let anomalies = self.detectors.event(event);
        self.keep_anomalies(&anomalies);
        let change = self.tree.apply(event);
        self.resolver.observe(event, &self.tree);
        for member in change.settled.into_iter().chain(change.ended) {
            self.ended.push(member.id);
            self.write_or_hold(member);
        }
    }

    /// A line that can't be made is counted, and told of once.
    fn count(&mut self, kept: io::Result<()>) {
        if let Err(error) = kept {
            if self.dropped == 0 {
                log::warn!("a line of the session can't be made ({error}); such lines are counted as lost");
            }
            self.dropped += 1;
        }
    }

    /// Lines that could not be made.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn write_or_hold(&mut self, member: Member) {
        if self.resolver.last_resort() != Some(member.id) {
            self.write(member);
        } else if let Some(before) = self.held.replace(member) {
            self.write(before);
        }
    }

    /// Looks at all who live, to be done before the programs are detached: who is there now and has no end among the events
    /// that follow outlives the session. Who ends after that is nobody's loss.
    pub fn look_at_the_living(&mut self) {
        self.last_look =
            self.tree.living().map(|member| (member.id.pid, Stat::read(member.id.pid))).collect();
    }

    /// The root has ended by itself, and those who live are waited for, or ended: they are orphans, whatever becomes of them.
    pub fn root_is_outlived(&mut self) {
        let root = self.tree.root();
        for member in self.tree.living_mut().filter(|member| Some(member.id) != root) {
            outlives(member, Stat::read);
        }
    }

    /// At the end: asks `/proc` about those whose end was not seen, and writes their lines. `waited` is what `wait`
    /// said of the root, whose own event may be lost too; `None`: nobody could wait for it.
    pub fn settle(&mut self, now_ns: u64, waited: Option<Status>, loss: &Loss) {
        if let Some(held) = self.held.take() {
            self.write(held);
        }
        let ends_lost = loss.exit + loss.skipped + loss.gaps + loss.untracked > 0;
        for mut member in self.tree.drain() {
            settle(&mut member, now_ns, ends_lost, |pid| {
                self.last_look.get(&pid).cloned().unwrap_or_else(|| Stat::read(pid))
            });
            if let Some(status) = waited.filter(|_| Some(member.id) == self.tree.root()) {
                member.end = Some(Box::new(End { status, totals: None }));
            }
            self.write(member);
        }
    }

    fn write(&mut self, member: Member) {
        let target = self.target().map(TraceTarget::identity);
        let context = Context {
            root: self.tree.root(),
            target,
            clock: self.clock,
            directories: &self.directories,
            redact: self.redact,
        };
        let row = ProcessRow::new(&member, context);
        let kept = self.lines.processes.push(member.started_ns.unwrap_or(0), &row);
        self.count(kept);
        let figures = &mut self.figures;
        if member.orphaned {
            figures.orphans.push(member.clone());
        }
        if let Some(totals) = member.end.as_ref().and_then(|end| end.totals) {
            *figures.cpu_us.get_or_insert(0) += totals.utime_us + totals.stime_us;
            self.peaks.exit(target == Some(member.id), totals.max_rss_kb);
            let rss = totals.max_rss_kb.unwrap_or(0);
            if figures.largest.as_ref().is_none_or(|(_, largest)| rss > *largest) {
                figures.largest = Some((member.clone(), rss));
            }
        }
        if Some(member.id) == target {
            figures.target = Some(member.clone());
        }
        if Some(member.id) == self.tree.root() {
            figures.root = Some(member);
        }
    }

    /// Takes a row of a round of `target` and its tree.
    pub fn snapshot(&mut self, _target: &TraceTarget, row: &Snapshot) {
        let kept = self.lines.events.push(&SnapshotRow::new(row));
        self.count(kept);
        self.replay_snapshot(row);
    }

    /// Takes a row whose line is there already.
    pub fn replay_snapshot(&mut self, row: &Snapshot) {
        self.peaks.snapshot(row);
        let anomalies = self.detectors.snapshot(row);
        self.keep_anomalies(&anomalies);
    }

    fn keep_anomalies(&mut self, anomalies: &[Anomaly]) {
        for anomaly in anomalies {
            // No anomaly is from before 1970, and none from after 2554.
            let place = u64::try_from(anomaly.captured_at.as_nanosecond()).unwrap_or(0);
            let kept = self.lines.anomalies.push(place, anomaly);
            self.count(kept);
            let name = anomaly.kind.name();
            match self.anomalies.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => self.anomalies.push((name, 1)),
            }
        }
    }

    /// Who ended since the last call: zombies, as long as nobody waits for them.
    pub fn take_ended(&mut self) -> Vec<Identity> {
        std::mem::take(&mut self.ended)
    }

    /// Whether the OOM killer chose this process: the root, the target, or one that lives.
    #[must_use]
    pub fn is_oom_victim(&self, id: Identity) -> bool {
        let ended = [&self.figures.target, &self.figures.root].into_iter().flatten();
        let member = self.tree.get(id).or_else(|| ended.into_iter().find(|member| member.id == id));
        member.is_some_and(|member| member.oom_ns.is_some())
    }

    /// Takes note of the limit that was behind it.
    pub fn limit_hit(&mut self, id: Identity, hit: LimitHit) {
        self.limit = Some((id, hit));
    }

    /// At the very end: anomalies that are only known now.
    pub fn conclude(&mut self, loss: &Loss, now_ns: u64) {
        let at = self.clock.at(now_ns).0;
        let anomalies = self.detectors.finish(loss, at);
        self.keep_anomalies(&anomalies);
    }

    /// Takes note of what snapshots lack, in all.
    pub fn lacking(&mut self, unread: &Unread) {
        self.unread = unread.clone();
    }

    /// The root as it is, or was at its end; `None`: no event of it was seen.
    #[must_use]
    pub fn root(&self) -> Option<&Member> {
        let id = self.tree.root()?;
        let held = self.held.as_ref().filter(|held| held.id == id);
        self.tree.get(id).or(held).or(self.figures.root.as_ref())
    }

    /// The target, once it is known.
    #[must_use]
    pub fn target(&self) -> Option<&TraceTarget> {
        self.resolver.target()
    }

    /// The search for the target is over: it, if it is known or the last resort will do.
    pub fn give_up(&mut self, after: After, now_ns: u64) -> Result<TraceTarget, Unresolved> {
        let root = self.tree.root().unwrap_or(NOBODY);
        self.resolver.give_up(root, after, now_ns, &self.tree).cloned()
    }

    /// Resident sets at the last round, KiB: the target's, and the sum over the tree.
    #[must_use]
    pub fn rss_now_kb(&self) -> (Option<u64>, Option<u64>) {
        self.peaks.now_kb()
    }

    /// The lines, to be written, and all that is to be told.
    pub fn parts(&mut self) -> (&mut Lines, Told<'_>) {
        let told = Told {
            figures: &self.figures,
            tree: &self.tree,
            peaks: &self.peaks,
            unread: &self.unread,
            anomalies: &self.anomalies,
            limit: self.limit.as_ref(),
            target: self.resolver.target(),
            history: self.resolver.history(),
            clock: self.clock,
            redact: self.redact,
        };
        (&mut self.lines, told)
    }
}
