//! A session in the making: events fold into the tree, and their lines into the spool.
//!
//! What lives is held; lines of processes that ended go to a scratch file without a name once they are many.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use super::clock::Clock;
use super::event_row::EventRow;
use super::process_row::ProcessRow;
use crate::kernel::event::{Event, Status, What};
use crate::process::cwd::Directories;
use crate::process::member::{End, Member};
use crate::process::settle::settle;
use crate::process::stat::Stat;
use crate::process::tree::Tree;
use crate::record::spool::Spool;

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
    figures: Figures,
}

/// Figures over all processes whose lines are written.
#[derive(Debug, Default)]
pub struct Figures {
    /// The root, once it ended or was settled.
    pub root: Option<Member>,
    /// CPU time of those that ended, µs; `None`: no such end was seen.
    pub cpu_us: Option<u64>,
    /// Those that outlived the root.
    pub orphans: Vec<Member>,
    /// The one with the highest peak resident set, and that peak in KiB.
    pub largest: Option<(Member, u64)>,
}

impl Recording {
    /// One that begins now.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            tree: Tree::default(),
            lines: Lines { events: Spool::in_memory(), processes: Rows::new() },
            clock,
            directories: Directories::default(),
            figures: Figures::default(),
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
        self.lines.events.push(&EventRow { event, clock: self.clock, cwd })?;
        let change = self.tree.apply(event);
        for member in change.settled.into_iter().chain(change.ended) {
            self.write(member)?;
        }
        Ok(())
    }

    /// At the end: asks `/proc` about those whose end was not seen, and writes their lines. `waited` is what `wait`
    /// said of the root, whose own event may be lost too.
    pub fn settle(&mut self, now_ns: u64, waited: Status) -> io::Result<()> {
        for mut member in self.tree.drain() {
            settle(&mut member, now_ns, Stat::read);
            if Some(member.id) == self.tree.root() {
                member.end = Some(End { status: waited, totals: None });
            }
            self.write(member)?;
        }
        Ok(())
    }

    fn write(&mut self, member: Member) -> io::Result<()> {
        let row = ProcessRow::new(&member, self.tree.root(), self.clock, &self.directories);
        self.lines.processes.push(member.started_ns, &row)?;
        let figures = &mut self.figures;
        if member.orphaned {
            figures.orphans.push(member.clone());
        }
        if let Some(totals) = member.end.as_ref().and_then(|end| end.totals) {
            *figures.cpu_us.get_or_insert(0) += totals.utime_us + totals.stime_us;
            let rss = totals.max_rss_kb.unwrap_or(0);
            if figures.largest.as_ref().is_none_or(|(_, largest)| rss > *largest) {
                figures.largest = Some((member.clone(), rss));
            }
        }
        if Some(member.id) == self.tree.root() {
            figures.root = Some(member);
        }
        Ok(())
    }

    /// Figures over all processes whose lines are written.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// The lines, to be written, and the figures, to be told.
    pub fn parts(&mut self) -> (&mut Lines, &Figures, &Tree) {
        (&mut self.lines, &self.figures, &self.tree)
    }
}

/// The lines that are to stay.
pub struct Lines {
    /// Of events.
    pub events: Spool,
    processes: Rows,
}

impl Lines {
    /// Copies the lines of events, in kernel order.
    pub fn copy_events(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.events.copy_to(to)
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
