//! A session in the making: events fold into the tree, and their lines into the spool.
//!
//! What lives is held; lines of processes that ended go to a scratch file without a name once they are many.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use tempfile::SpooledTempFile;

use super::anomaly::Anomaly;
use super::anomaly::detectors::Detectors;
use super::anomaly::thresholds::Thresholds;
use super::clock::Clock;
use super::event_row::EventRow;
use super::peaks::Peaks;
use super::process_row::{Context, ProcessRow};
use super::snapshot_row::SnapshotRow;
use super::text::Text;
use super::verdict::Verdict;
use crate::kernel::event::{Comm, Event, Status, What};
use crate::kernel::loss::Loss;
use crate::process::cgroup::LimitHit;
use crate::process::cwd::Directories;
use crate::process::identity::{Identity, Ticks};
use crate::process::member::{End, Member};
use crate::process::proc::unread::Unread;
use crate::process::settle::settle;
use crate::process::snapshot::Snapshot;
use crate::process::stat::Stat;
use crate::process::target::unresolved::After;
use crate::process::target::{Resolver, TargetHistory, TraceTarget, Unresolved};
use crate::process::tree::Tree;
use crate::record::spool::Spool;

/// How the line of an event begins.
pub const EVENT: &[u8] = b"{\"event\":";
/// How the line of a snapshot begins.
pub const SNAPSHOT: &[u8] = b"{\"captured_at\":";

/// The root of a session of which no event was seen.
pub const NOBODY: Identity = Identity { pid: 0, start: Ticks(0) };

/// Lines of processes that are kept in memory, in bytes.
const ROWS_IN_MEMORY: usize = 1 << 20;

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
    anomalies: Vec<Anomaly>,
    ended: Vec<Identity>,
    figures: Figures,
    /// Ended, but it may yet turn out to be the target: then its line and the figures say so.
    held: Option<Member>,
    limit: Option<(Identity, LimitHit)>,
}

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

impl Recording {
    /// One that begins now, and looks for its target with `resolver`. `redact` leaves arguments out.
    #[must_use]
    pub fn new(clock: Clock, resolver: Resolver, thresholds: Thresholds, redact: bool) -> Self {
        Self {
            tree: Tree::default(),
            lines: Lines { events: Spool::in_memory(), processes: Rows::new() },
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
        }
    }

    /// Takes one event.
    pub fn take(&mut self, event: &Event) -> io::Result<()> {
        let cwd = match &event.what {
            What::Exec(exec) => exec.cwd,
            _ => None,
        };
        let near = [event.process.pid, event.parent.pid];
        let cwd = cwd.and_then(|cwd| self.directories.resolve(cwd, &near));
        self.lines.events.push(&EventRow { event, clock: self.clock, cwd, redact: self.redact })?;
        self.fold(event)
    }

    /// Takes an event whose line is there already, with the working directory that it names.
    pub fn replay(&mut self, mut event: Event, cwd: Option<Bytes>) -> io::Result<()> {
        if let (What::Exec(exec), Some(path)) = (&mut event.what, cwd) {
            exec.cwd = Some(self.directories.recorded(path));
        }
        self.fold(&event)
    }

    fn fold(&mut self, event: &Event) -> io::Result<()> {
        self.anomalies.extend(self.detectors.event(event));
        let change = self.tree.apply(event);
        self.resolver.observe(event, &self.tree);
        for member in change.settled.into_iter().chain(change.ended) {
            self.ended.push(member.id);
            self.write_or_hold(member)?;
        }
        Ok(())
    }

    fn write_or_hold(&mut self, member: Member) -> io::Result<()> {
        if self.resolver.last_resort() != Some(member.id) {
            return self.write(member);
        }
        self.held.replace(member).map_or(Ok(()), |before| self.write(before))
    }

    /// At the end: asks `/proc` about those whose end was not seen, and writes their lines. `waited` is what `wait`
    /// said of the root, whose own event may be lost too; `None`: nobody could wait for it.
    pub fn settle(&mut self, now_ns: u64, waited: Option<Status>) -> io::Result<()> {
        if let Some(held) = self.held.take() {
            self.write(held)?;
        }
        for mut member in self.tree.drain() {
            settle(&mut member, now_ns, Stat::read);
            if let Some(status) = waited.filter(|_| Some(member.id) == self.tree.root()) {
                member.end = Some(End { status, totals: None });
            }
            self.write(member)?;
        }
        Ok(())
    }

    fn write(&mut self, member: Member) -> io::Result<()> {
        let target = self.target().map(TraceTarget::identity);
        let context = Context {
            root: self.tree.root(),
            target,
            clock: self.clock,
            directories: &self.directories,
            redact: self.redact,
        };
        let row = ProcessRow::new(&member, context);
        self.lines.processes.push(member.started_ns, &row)?;
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
        Ok(())
    }

    /// Takes a row of a round of `target` and its tree.
    pub fn snapshot(&mut self, _target: &TraceTarget, row: &Snapshot) -> io::Result<()> {
        self.lines.events.push(&SnapshotRow::new(row))?;
        self.replay_snapshot(row);
        Ok(())
    }

    /// Takes a row whose line is there already.
    pub fn replay_snapshot(&mut self, row: &Snapshot) {
        self.peaks.snapshot(row);
        self.anomalies.extend(self.detectors.snapshot(row));
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
        self.anomalies.extend(self.detectors.finish(loss, at));
        self.anomalies.sort_by_key(|anomaly| anomaly.captured_at);
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
    /// What somebody should look at.
    pub anomalies: &'a [Anomaly],
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

/// The lines that are to stay.
pub struct Lines {
    /// Of events and snapshots, as they came.
    pub events: Spool,
    processes: Rows,
}

impl Lines {
    /// Copies the lines of events, in kernel order.
    pub fn copy_events(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.events.copy_lines(EVENT, to)
    }

    /// Copies the lines of snapshots, in the order in which they were taken.
    pub fn copy_snapshots(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.events.copy_lines(SNAPSHOT, to)
    }

    /// Copies the lines of processes, in the order in which they were forked.
    pub fn copy_processes(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.processes.copy_to(to)
    }
}

/// Lines of processes, written in the order of their ends.
struct Rows {
    file: BufWriter<SpooledTempFile>,
    /// Where each line lies: start of the process, offset, length.
    index: Vec<(u64, u64, usize)>,
    end: u64,
}

impl Rows {
    fn new() -> Self {
        Self { file: BufWriter::new(SpooledTempFile::new(ROWS_IN_MEMORY)), index: Vec::new(), end: 0 }
    }

    fn push(&mut self, started_ns: Option<u64>, row: &ProcessRow<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.index.push((started_ns.unwrap_or(0), self.end, line.len()));
        self.end += line.len() as u64;
        Ok(())
    }

    fn copy_to(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.file.flush()?;
        self.index.sort_unstable();
        let file = self.file.get_mut();
        let mut line = Vec::new();
        for (_, offset, len) in &self.index {
            file.seek(SeekFrom::Start(*offset))?;
            line.resize(*len, 0);
            file.read_exact(&mut line)?;
            to.write_all(&line)?;
        }
        Ok(())
    }
}
