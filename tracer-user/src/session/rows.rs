//! Lines of processes, which come in the order of their ends and are wanted in the order of their forks.
//!
//! Once they are many they go to a scratch file without a name, beside the sessions: a run at a time, each in the order of
//! forks. At the end the runs are merged. Most processes are short-lived, so only a few runs overlap at any point, and
//! memory holds a window of each of these, whatever the number of processes. If a file can't be had or fails, lines stay
//! in memory, after one warning; none is dropped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::process_row::ProcessRow;

/// Lines that are kept in memory, in bytes.
const IN_MEMORY: usize = 1 << 20;
/// What is read of a run at a time, at the least a line.
const WINDOW: usize = 16 << 10;
/// Start of the process and length of the line, before each line in the file.
const HEAD: usize = 16;

/// The lines.
pub(super) struct Rows {
    /// Where a scratch file can be made; `None`: nowhere any more.
    scratch: Option<PathBuf>,
    file: Option<File>,
    /// Bytes in the file.
    in_file: u64,
    runs: Vec<Run>,
    memory: Vec<u8>,
    /// Where each line in memory lies: start of the process, offset, length.
    index: Vec<(u64, usize, usize)>,
}

/// Lines in the file, in the order of forks.
struct Run {
    /// Start of its first process.
    first: u64,
    offset: u64,
    end: u64,
}

impl Rows {
    /// None yet. `scratch` is a directory for many.
    pub(super) fn new(scratch: PathBuf) -> Self {
        let (runs, memory, index) = (Vec::new(), Vec::new(), Vec::new());
        Self { scratch: Some(scratch), file: None, in_file: 0, runs, memory, index }
    }

    /// Adds a line.
    pub(super) fn push(&mut self, started_ns: Option<u64>, row: &ProcessRow<'_>) -> io::Result<()> {
        let before = self.memory.len();
        if let Err(error) = serde_json::to_writer(&mut self.memory, row) {
            self.memory.truncate(before);
            return Err(error.into());
        }
        self.memory.push(b'\n');
        self.index.push((started_ns.unwrap_or(0), before, self.memory.len() - before));
        if self.memory.len() > IN_MEMORY {
            self.spill();
        }
        Ok(())
    }

    /// Moves what is in memory to the file, as a run.
    fn spill(&mut self) {
        let Some(scratch) = &self.scratch else { return };
        self.index.sort_unstable();
        let Some((first, ..)) = self.index.first() else { return };
        let mut bytes = Vec::with_capacity(self.memory.len() + HEAD * self.index.len());
        for (started, offset, len) in &self.index {
            bytes.extend_from_slice(&started.to_le_bytes());
            bytes.extend_from_slice(&(*len as u64).to_le_bytes());
            bytes.extend_from_slice(&self.memory[*offset..offset + len]);
        }
        let run = Run { first: *first, offset: self.in_file, end: self.in_file + bytes.len() as u64 };
        let file = self.file.take().map_or_else(|| tempfile::tempfile_in(scratch), Ok);
        let written = file.and_then(|file| {
            let written = file.write_all_at(&bytes, run.offset);
            self.file = Some(file);
            written
        });
        match written {
            Ok(()) => {
                self.in_file = run.end;
                self.runs.push(run);
                self.memory.clear();
                self.index.clear();
            }
            Err(error) => {
                log::warn!("no scratch file in {} ({error}); lines stay in memory", scratch.display());
                self.scratch = None;
            }
        }
    }

    /// Copies the lines, in the order in which their processes were forked.
    pub(super) fn copy_to(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.index.sort_unstable();
        let mut in_memory = self.index.iter().peekable();
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_unstable_by_key(|run| std::cmp::Reverse((run.first, run.offset)));
        // Runs under way, by their next line; where that is the same, by their places.
        let mut open: BTreeMap<(u64, u64), Lines<'_>> = BTreeMap::new();
        loop {
            let next = open.first_key_value().map(|((started, _), _)| *started);
            if let Some(run) = runs.pop_if(|run| next.is_none_or(|next| run.first <= next)) {
                let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
                let lines = Lines::open(file, run)?;
                open.insert((lines.started, run.offset), lines);
                continue;
            }
            if let Some((_, offset, len)) =
                in_memory.next_if(|(started, ..)| next.is_none_or(|next| *started < next))
            {
                to.write_all(&self.memory[*offset..offset + len])?;
                continue;
            }
            let Some(((_, place), mut lines)) = open.pop_first() else { return Ok(()) };
            to.write_all(lines.line())?;
            if lines.next()? {
                open.insert((lines.started, place), lines);
            }
        }
    }
}

/// A run that is being read.
struct Lines<'a> {
    file: &'a File,
    /// Where the part that is not in the window begins and ends.
    offset: u64,
    end: u64,
    window: Vec<u8>,
    /// Where the present line lies in the window.
    from: usize,
    to: usize,
    /// Start of the present line's process.
    started: u64,
}

impl<'a> Lines<'a> {
    /// At its first line.
    fn open(file: &'a File, run: &Run) -> io::Result<Self> {
        let (window, offset, end) = (Vec::new(), run.offset, run.end);
        let mut lines = Self { file, offset, end, window, from: 0, to: 0, started: 0 };
        lines.next()?;
        Ok(lines)
    }

    /// The present line.
    fn line(&self) -> &[u8] {
        &self.window[self.from..self.to]
    }

    /// Goes to the next line. False: there is none.
    fn next(&mut self) -> io::Result<bool> {
        if self.to == self.window.len() && self.offset == self.end {
            return Ok(false);
        }
        self.have(HEAD)?;
        let word = |at: usize| {
            let bytes = self.window[self.to + at..self.to + at + 8].try_into();
            bytes.map(u64::from_le_bytes).map_err(io::Error::other)
        };
        let (started, len) = (word(0)?, usize::try_from(word(8)?).map_err(io::Error::other)?);
        self.have(HEAD + len)?;
        self.started = started;
        self.from = self.to + HEAD;
        self.to = self.from + len;
        Ok(true)
    }

    /// Has the window hold so many bytes from the end of the present line on.
    fn have(&mut self, bytes: usize) -> io::Result<()> {
        let ahead = self.window.len() - self.to;
        if ahead >= bytes {
            return Ok(());
        }
        self.window.drain(..self.to);
        (self.from, self.to) = (0, 0);
        let left = usize::try_from(self.end - self.offset).map_err(io::Error::other)?;
        let more = WINDOW.max(bytes - ahead).min(left);
        self.window.resize(ahead + more, 0);
        self.file.read_exact_at(&mut self.window[ahead..], self.offset)?;
        self.offset += more as u64;
        if self.window.len() < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;

    use super::{IN_MEMORY, Rows};
    use crate::process::cwd::Directories;
    use crate::process::identity::{Identity, Ticks};
    use crate::process::member::Member;
    use crate::session::clock::Clock;
    use crate::session::process_row::{Context, ProcessRow};

    /// Pids in the order of `copy_to`, of processes that end in the order of `ends`; each pid is also its start.
    fn copied(scratch: &Path, ends: impl Iterator<Item = u32>) -> (Vec<u64>, Rows) {
        let directories = Directories::default();
        let clock = Clock::new(Timestamp::UNIX_EPOCH, 0);
        let context = Context { root: None, target: None, clock, directories: &directories, redact: false };
        let mut rows = Rows::new(scratch.to_owned());
        for pid in ends {
            let id = Identity { pid, start: Ticks(1) };
            rows.push(Some(pid.into()), &ProcessRow::new(&Member::new(id, id, 0), context)).unwrap();
        }
        let mut text = Vec::new();
        rows.copy_to(&mut text).unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let pid = |line| serde_json::from_slice::<serde_json::Value>(line).unwrap()["pid"].as_u64().unwrap();
        (lines.map(pid).collect(), rows)
    }

    #[test]
    fn lines_come_in_the_order_of_forks_also_where_some_are_in_a_file() {
        let scratch = crate::scratch();
        let (pids, rows) = copied(scratch.path(), (0..20_000).rev());
        assert!(pids.into_iter().eq(0..20_000));
        assert!(rows.runs.len() > 3 && rows.memory.len() < IN_MEMORY, "{} runs", rows.runs.len());
        assert!(rows.index.len() < 4000, "of lines in the file nothing is kept: {}", rows.index.len());
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn without_a_place_for_a_file_no_line_is_lost() {
        let (pids, rows) = copied(Path::new("/nonexistent"), (0..4000).rev());
        assert!(pids.into_iter().eq(0..4000));
        assert!(rows.memory.len() > IN_MEMORY);
    }

    #[test]
    fn runs_that_overlap_are_merged_also_with_the_oldest_process_of_all_in_the_last() {
        let scratch = crate::scratch();
        // Neighbours end in turns, every third much later, and the first of all last.
        let early = (1..20_000).filter(|pid| pid % 3 != 0);
        let late = (1..20_000).filter(|pid| pid % 3 == 0);
        let (pids, rows) = copied(scratch.path(), early.chain(late).chain([0]));
        assert!(rows.runs.len() > 3);
        assert!(pids.into_iter().eq(0..20_000));
    }
}
