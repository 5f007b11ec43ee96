//! The lines of a session, as they come: events and snapshots, a JSON object a line.
//!
//! They go to the trace file (see [`super::trace_file`]), each in one write. Where that can't be had, they are kept in memory;
//! where it fails, those since then are, and the file keeps what it has. Either is one warning. What is too much for
//! memory goes to a file without a name beside the sessions. Nothing is dropped.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::dir::Dir;
use super::scratch::{IN_MEMORY, Scratch};
use super::trace_file::{Room, TraceFile};
use crate::process::identity::Identity;

/// What a trace file's name begins with.
pub const PREFIX: &str = "tracer_trace_";

/// The trace file's name.
#[must_use]
pub fn name(root: Identity) -> String {
    format!("{PREFIX}{}_{}.jsonl", root.pid, root.start.0)
}

/// Lines that are on their way to a session.
#[derive(Debug)]
pub struct Spool {
    file: Option<TraceFile>,
    /// The file takes no more.
    failed: bool,
    /// Lines that came after those in the file, and are too many for memory.
    scratch: Scratch,
    /// Lines that came after those in the scratch file.
    memory: Vec<u8>,
    lines: u64,
    /// Those of them that are not in the file, or not whole.
    beside: u64,
    /// Lines of the file that are none: their numbers, from 0.
    damaged: BTreeSet<u64>,
}

impl Spool {
    /// A spool in memory, until a file is given. `scratch` takes what is too much for memory.
    #[must_use]
    pub fn in_memory(scratch: Scratch) -> Self {
        Self {
            file: None,
            failed: false,
            scratch,
            memory: Vec::new(),
            lines: 0,
            beside: 0,
            damaged: BTreeSet::new(),
        }
    }

    /// The lines of a trace file that somebody else left, but for those that are damaged (their numbers, from 0).
    #[must_use]
    pub fn left(file: TraceFile, damaged: BTreeSet<u64>) -> Self {
        Self { file: Some(file), failed: true, damaged, ..Self::in_memory(Scratch::new(None)) }
    }

    /// From now on lines go into the trace file of `root` in `runtime`, and those that are here too.
    pub fn to_file(&mut self, runtime: &Dir, root: Identity, room: Room) -> io::Result<()> {
        let mut before = Self::in_memory(self.scratch.another());
        let file = TraceFile::create(runtime.entry(name(root)), room)?;
        std::mem::swap(&mut before.scratch, &mut self.scratch);
        std::mem::swap(&mut before.memory, &mut self.memory);
        self.file = Some(file);
        self.beside = 0;
        before.each_line(|line| {
            self.memory.extend_from_slice(line);
            self.line_is_whole();
            Ok(())
        })
    }

    /// Adds a line.
    pub fn push(&mut self, row: &impl Serialize) -> io::Result<()> {
        let before = self.memory.len();
        if let Err(error) = serde_json::to_writer(&mut self.memory, row) {
            self.memory.truncate(before);
            return Err(error.into());
        }
        self.memory.push(b'\n');
        self.lines += 1;
        self.line_is_whole();
        Ok(())
    }

    /// A line was added to memory: as long as the file takes lines it is the only one there.
    fn line_is_whole(&mut self) {
        let Some(file) = self.file.as_mut().filter(|_| !self.failed) else {
            self.beside += 1;
            return self.bound_memory();
        };
        match file.write(&self.memory) {
            Ok(()) => self.memory.clear(),
            Err((written, error)) => {
                let path = file.path().display();
                log::warn!("{path} can't be written ({error}); the session is kept in memory until it ends");
                self.failed = true;
                self.beside += 1;
                self.memory.drain(..written);
            }
        }
    }

    /// There will be no session, so all that stays is the file: it is asked once more for the lines that it did not take.
    /// How many lines are lost.
    pub fn save(&mut self) -> u64 {
        let Some(file) = self.file.as_mut().filter(|file| file.is_there()) else { return self.lines };
        let mut from = BufReader::new(self.scratch.part(0, u64::MAX).chain(self.memory.as_slice()));
        let mut line = Vec::new();
        while let Ok(1..) = from.read_until(b'\n', &mut line)
            && file.write(&line).is_ok()
        {
            self.beside -= 1;
            line.clear();
        }
        self.beside
    }

    fn bound_memory(&mut self) {
        let held = self.memory.len();
        if self.scratch.is_for(held) && self.scratch.append(&self.memory, held) {
            self.memory.clear();
            // After a time without a file there was much more.
            self.memory.shrink_to(2 * IN_MEMORY);
        }
    }

    /// Whether nobody has removed the trace file, if there is one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.file.as_ref().is_none_or(TraceFile::is_there)
    }

    /// Where the trace file is, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| file.path().to_owned())
    }

    /// Makes the trace file again, there, after somebody removed it.
    pub fn make_again(&mut self, dir: &Dir) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.make_again(dir))
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Copies the lines that begin with `start`, in order.
    pub fn copy_lines(&mut self, start: &[u8], to: &mut impl Write) -> io::Result<()> {
        self.each_line(|line| if line.starts_with(start) { to.write_all(line) } else { Ok(()) })
    }

    fn each_line(&mut self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let file: Box<dyn Read + '_> = match &mut self.file {
            Some(file) => Box::new(file.rows()?),
            None => Box::new(io::empty()),
        };
        let later = self.scratch.part(0, u64::MAX).chain(self.memory.as_slice());
        let mut from = BufReader::with_capacity(64 << 10, file.chain(later));
        let mut line = Vec::new();
        for number in 0.. {
            // A damaged line may be of any length: it is not to be held.
            if self.damaged.contains(&number) {
                from.skip_until(b'\n')?;
                continue;
            }
            if from.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            take(&line)?;
            line.clear();
        }
        Ok(())
    }

    /// Removes the files: their lines are elsewhere now.
    pub fn remove(self) -> Result<(), (PathBuf, io::Error)> {
        self.file.map_or(Ok(()), TraceFile::remove)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::Spool;
    use crate::process::identity::{Identity, Ticks};
    use crate::record::dir::Dir;
    use crate::record::log_place::LogPlace;
    use crate::record::older::Older;
    use crate::record::scratch::{IN_MEMORY, Scratch};
    use crate::record::trace_file::{Room, TraceFile};
    use crate::record::way;

    const ROOT: Identity = Identity { pid: 10, start: Ticks(5) };

    fn room(dir: &Path) -> Room {
        let place = LogPlace::made(&dir.join("log")).unwrap();
        Room { limit: 1 << 20, older: Older { place, name: "older".to_owned() } }
    }

    fn spool(scratch: Option<&Path>) -> Spool {
        Spool::in_memory(Scratch::new(scratch.map(|path| LogPlace::made(&path.join("log")).unwrap())))
    }

    fn held(dir: &Path) -> Dir {
        way::existing(dir).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let names = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn text(spool: &mut Spool) -> String {
        let mut bytes = Vec::new();
        spool.copy_lines(b"", &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_before_and_after_the_file_are_in_order_and_the_file_is_gone_at_the_end() {
        let dir = crate::scratch();
        let mut spool = spool(None);
        spool.push(&1).unwrap();
        spool.to_file(&held(dir.path()), ROOT, room(dir.path())).unwrap();
        spool.push(&2).unwrap();
        assert_eq!(text(&mut spool), "1\n2\n");
        let file = dir.path().join("tracer_trace_10_5.jsonl");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "1\n2\n", "nothing waits to be written");
        spool.remove().unwrap();
        assert_eq!(names(dir.path()), ["log"]);
    }

    #[test]
    fn a_full_file_system_loses_nothing() {
        let dir = crate::scratch();
        let mut spool = spool(Some(dir.path()));
        spool.to_file(&held(dir.path()), ROOT, room(dir.path())).unwrap();
        spool.push(&"first").unwrap();
        // In the middle of a line, as on a disk that is full.
        let file = spool.file.as_mut().unwrap();
        file.write(b"\"to").unwrap();
        spool.memory.extend_from_slice(b"rn\"\n");
        (spool.failed, spool.beside) = (true, 1);
        let long = "x".repeat(1000);
        (0..2000).for_each(|_| spool.push(&long).unwrap());
        assert!(spool.memory.len() <= IN_MEMORY && !spool.scratch.is_empty());
        let expected = "\"first\"\n\"torn\"\n".to_owned() + &format!("\"{long}\"\n").repeat(2000);
        assert!(text(&mut spool) == expected);
        let there = ["log", "tracer_trace_10_5.jsonl"];
        assert_eq!(names(dir.path()), there, "what is kept elsewhere has no name");
        // Where there is room by the end, and no session, the file gets them after all.
        assert_eq!((spool.beside, spool.save()), (2001, 0));
        assert!(std::fs::read_to_string(dir.path().join(there[1])).unwrap() == expected);
    }

    #[test]
    fn without_any_file_memory_is_all_there_is() {
        let mut spool = spool(None);
        let long = "x".repeat(1000);
        (0..2000).for_each(|_| spool.push(&long).unwrap());
        assert_eq!(text(&mut spool).len(), 2000 * 1003);
        assert_eq!(spool.save(), 2000, "and they go with it");
    }

    #[test]
    fn what_was_too_much_for_memory_goes_into_the_file_first() {
        let dir = crate::scratch();
        let mut spool = spool(Some(dir.path()));
        let lines = 0..300_000;
        lines.clone().for_each(|number| spool.push(&number).unwrap());
        assert!(!spool.scratch.is_empty());
        spool.to_file(&held(dir.path()), ROOT, room(dir.path())).unwrap();
        assert!(spool.scratch.is_empty() && spool.memory.is_empty());
        assert_eq!(spool.lines(), 300_000);
        assert!(text(&mut spool).lines().eq(lines.map(|number| number.to_string())));
    }

    #[test]
    fn lines_are_told_apart_by_their_beginning() {
        let mut spool = spool(None);
        spool.push(&"event 1").unwrap();
        spool.push(&"row").unwrap();
        spool.push(&"event 2").unwrap();
        let mut events = Vec::new();
        spool.copy_lines(b"\"event", &mut events).unwrap();
        assert_eq!(events, b"\"event 1\"\n\"event 2\"\n");
    }

    #[test]
    fn damaged_lines_of_a_file_are_passed_over() {
        let dir = crate::scratch();
        let mut file = tempfile::tempfile_in(dir.path()).unwrap();
        file.write_all(b"a1\ntorn\na2\na3").unwrap();
        let file = TraceFile::left(file, None).unwrap();
        assert_eq!(text(&mut Spool::left(file, [1, 3].into())), "a1\na2\n");
    }

    #[test]
    fn a_file_that_is_already_there_is_not_taken() {
        let dir = crate::scratch();
        std::fs::write(dir.path().join("tracer_trace_10_5.jsonl"), "theirs").unwrap();
        let mut spool = spool(None);
        spool.push(&1).unwrap();
        assert!(spool.to_file(&held(dir.path()), ROOT, room(dir.path())).is_err());
        assert_eq!(text(&mut spool), "1\n");
    }
}
