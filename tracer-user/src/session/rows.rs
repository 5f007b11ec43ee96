//! Lines that come in another order than they are wanted in: those of processes, which come in the order of their ends and are
//! wanted in the order of their forks; those of anomalies, which are wanted in the order of their times.
//!
//! Once they are many they go to a scratch file without a name, beside the sessions: in runs, each in the wanted order, that
//! are merged at the end. So what is over takes no memory. If the scratch file can't be had or fails, lines
//! stay in memory, after one warning, and it is tried again when they are more; none is dropped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, BufReader, Read, Write};

use serde::Serialize;

use crate::record::scratch::{IN_MEMORY, Scratch, Stretch};

/// Memory for merging, shared by all runs, and the least and the most that one of them gets.
const MERGING: usize = 8 << 20;
const OF_A_RUN: std::ops::RangeInclusive<usize> = 1 << 10..=64 << 10;

/// The lines.
pub(super) struct Rows {
    scratch: Scratch,
    /// Where each run begins in the scratch file; it ends where the next one begins.
    runs: Vec<u64>,
    /// Lines that are in no run yet.
    memory: Vec<u8>,
    /// Where each of those lies: its place in the order, offset, length.
    index: Vec<(u64, usize, usize)>,
}

impl Rows {
    /// None yet. `scratch` takes many.
    pub(super) fn new(scratch: Scratch) -> Self {
        Self { scratch, runs: Vec::new(), memory: Vec::new(), index: Vec::new() }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty() && self.runs.is_empty()
    }

    /// Adds a line. Those of the same place stay in the order in which they came.
    pub(super) fn push(&mut self, place: u64, row: &impl Serialize) -> io::Result<()> {
        let before = self.memory.len();
        if let Err(error) = serde_json::to_writer(&mut self.memory, row) {
            self.memory.truncate(before);
            return Err(error.into());
        }
        self.memory.push(b'\n');
        self.index.push((place, before, self.memory.len() - before));
        if self.scratch.is_for(self.memory.len()) {
            self.spill();
        }
        Ok(())
    }

    /// Makes runs of what is in memory, in the order in which it came: one, or as many as it takes after a time in which none
    /// could be made. Each is small, so that little is done in vain where it fails.
    fn spill(&mut self) {
        self.index.sort_unstable_by_key(|line| line.1);
        let (mut lines, mut bytes) = (0, 0);
        while lines < self.index.len() {
            let ends = |line: &(u64, usize, usize)| line.1 + line.2 - bytes <= IN_MEMORY + IN_MEMORY / 2;
            let count = self.index[lines..].iter().take_while(|line| ends(line)).count().max(1);
            let piece = &self.index[lines..lines + count];
            let end = piece.last().map_or(bytes, |line| line.1 + line.2);
            let run = run(piece, &self.memory);
            let begin = self.scratch.len();
            if !self.scratch.append(&run, self.memory.len() - bytes) {
                break;
            }
            self.runs.push(begin);
            (lines, bytes) = (lines + count, end);
        }
        self.memory.drain(..bytes);
        self.index.drain(..lines);
        self.index.iter_mut().for_each(|line| line.1 -= bytes);
        // After a time without a file there was much more.
        self.memory.shrink_to(2 * IN_MEMORY);
        self.index.shrink_to(IN_MEMORY / 64);
    }

    /// Copies the lines, in order.
    pub(super) fn copy_to(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.index.sort_unstable();
        let room = (MERGING / self.runs.len().max(1)).clamp(*OF_A_RUN.start(), *OF_A_RUN.end());
        let ends = self.runs.iter().copied().skip(1).chain([self.scratch.len()]);
        let stretches = self.runs.iter().zip(ends).map(|(begin, end)| self.scratch.part(*begin, end));
        let mut runs: Vec<Run<'_>> =
            stretches.map(|stretch| Run::new(stretch, room)).collect::<io::Result<_>>()?;
        let mut later = self.index.iter().peekable();
        let first = |(number, run): (usize, &Run<'_>)| Some(Reverse((run.head?.place, number)));
        let mut heads: BinaryHeap<_> = runs.iter().enumerate().filter_map(first).collect();
        loop {
            // Of the same place, what came first comes first: that in runs before that in memory.
            let next_later = later.peek().map(|line| line.0);
            match heads.peek() {
                Some(Reverse((place, _))) if next_later.is_none_or(|other| *place <= other) => {}
                _ => match later.next() {
                    None => return Ok(()),
                    Some((_, offset, len)) => {
                        to.write_all(&self.memory[*offset..offset + len])?;
                        continue;
                    }
                },
            }
            let Some(Reverse((_, number))) = heads.pop() else { continue };
            let run = &mut runs[number];
            run.copy_line(to)?;
            heads.extend(run.head.map(|head| Reverse((head.place, number))));
        }
    }
}

/// These lines in the wanted order, each with its head.
fn run(lines: &[(u64, usize, usize)], memory: &[u8]) -> Vec<u8> {
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    let mut run = Vec::with_capacity(lines.iter().map(|line| line.2 + Head::SIZE).sum());
    for (place, offset, len) in lines {
        run.extend(Head { place, len: len as u64 }.bytes());
        run.extend_from_slice(&memory[offset..offset + len]);
    }
    run
}

/// What stands before a line of a run.
#[derive(Clone, Copy)]
struct Head {
    place: u64,
    len: u64,
}

impl Head {
    const SIZE: usize = 16;

    fn bytes(self) -> impl Iterator<Item = u8> {
        self.place.to_ne_bytes().into_iter().chain(self.len.to_ne_bytes())
    }
}

/// A run that is being read.
struct Run<'a> {
    from: BufReader<Stretch<'a>>,
    /// Of the next line; `None`: there is none.
    head: Option<Head>,
}

impl<'a> Run<'a> {
    fn new(stretch: Stretch<'a>, room: usize) -> io::Result<Self> {
        let mut run = Self { from: BufReader::with_capacity(room, stretch), head: None };
        run.next_head()?;
        Ok(run)
    }

    fn next_head(&mut self) -> io::Result<()> {
        let (mut place, mut len) = ([0; 8], [0; 8]);
        self.head = match self.from.read_exact(&mut place) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            read => {
                read?;
                self.from.read_exact(&mut len)?;
                Some(Head { place: u64::from_ne_bytes(place), len: u64::from_ne_bytes(len) })
            }
        };
        Ok(())
    }

    /// Copies the next line.
    fn copy_line(&mut self, to: &mut impl Write) -> io::Result<()> {
        let len = self.head.map_or(0, |head| head.len);
        if io::copy(&mut self.from.by_ref().take(len), to)? != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.next_head()
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
    use crate::record::log_place::LogPlace;
    use crate::record::scratch::Scratch;
    use crate::session::clock::Clock;
    use crate::session::process_row::{Context, ProcessRow};

    const COUNT: u32 = 8000;

    /// Rows with a scratch file in a log directory there.
    fn rows(log_dir: &Path) -> Rows {
        Rows::new(Scratch::new(LogPlace::made(log_dir).ok()))
    }

    /// Adds processes that ended in this order; a process's pid is its start.
    fn push(rows: &mut Rows, ends: impl Iterator<Item = u32>) {
        let directories = Directories::default();
        let clock = Clock::new(Timestamp::UNIX_EPOCH, 0);
        let context = Context { root: None, target: None, clock, directories: &directories, redact: false };
        for pid in ends {
            let id = Identity { pid, start: Ticks(1) };
            rows.push(pid.into(), &ProcessRow::new(&Member::new(id, id, 0), context)).unwrap();
        }
    }

    /// Pids of the lines.
    fn pids(rows: &mut Rows) -> Vec<u64> {
        let mut text = Vec::new();
        rows.copy_to(&mut text).unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let pid = |line| serde_json::from_slice::<serde_json::Value>(line).unwrap()["pid"].as_u64().unwrap();
        lines.map(pid).collect()
    }

    /// Pids of the lines, after processes that ended in this order.
    fn order(log_dir: &Path, ends: impl Iterator<Item = u32>) -> (Vec<u64>, Rows) {
        let mut rows = rows(log_dir);
        push(&mut rows, ends);
        (pids(&mut rows), rows)
    }

    #[test]
    fn lines_come_in_the_order_of_forks_whatever_the_order_of_ends() {
        let scratch = crate::scratch();
        let shuffled = (0..COUNT).map(|number| number * 4817 % COUNT);
        for ends in [Box::new((0..COUNT).rev()) as Box<dyn Iterator<Item = u32>>, Box::new(shuffled)] {
            let (pids, rows) = order(scratch.path(), ends);
            assert!(pids.into_iter().eq(0..u64::from(COUNT)));
            assert!(rows.runs.len() > 2 && !rows.index.is_empty(), "{} runs", rows.runs.len());
            let names = std::fs::read_dir(scratch.path().join("sessions")).unwrap();
            assert_eq!(names.count(), 0, "the file has no name");
        }
    }

    #[test]
    fn who_has_ended_takes_no_memory() {
        let scratch = crate::scratch();
        let (_, rows) = order(scratch.path(), 0..COUNT);
        assert!(rows.memory.len() < IN_MEMORY && rows.index.len() < IN_MEMORY / 500);
    }

    #[test]
    fn what_stayed_in_memory_leaves_it_once_there_is_a_place_again() {
        let dir = crate::scratch();
        let log = dir.path().join("log");
        let mut rows = rows(&log);
        std::fs::remove_dir_all(&log).unwrap();
        std::fs::write(&log, "").unwrap();
        push(&mut rows, (0..COUNT).rev());
        assert!(rows.memory.len() > 2 * IN_MEMORY && rows.runs.is_empty(), "{} bytes", rows.memory.len());
        std::fs::remove_file(&log).unwrap();
        push(&mut rows, (COUNT..2 * COUNT).rev());
        assert!(rows.memory.len() <= IN_MEMORY, "{} bytes stay", rows.memory.len());
        assert!(pids(&mut rows).into_iter().eq(0..u64::from(2 * COUNT)));
    }

    #[test]
    fn without_a_place_for_a_file_no_line_is_lost() {
        let (pids, rows) = order(Path::new("/dev/null/log"), (0..COUNT).rev());
        assert!(pids.into_iter().eq(0..u64::from(COUNT)));
        assert!(rows.memory.len() > IN_MEMORY);
    }
}
