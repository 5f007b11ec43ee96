//! The trace file `tracer_trace_<pid>_<starttime_ticks>.jsonl`: events and snapshots as they come, a JSON object a line.
//!
//! Whole lines are written, those of one waking together, so whatever kills tracer leaves whole lines and at most one torn tail.
//! Where the file can't be had, lines are kept in memory; where it fails, those since then are, and the file keeps what it
//! has. Either is one warning; nothing is dropped.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::process::identity::Identity;

/// What a trace file's name begins with.
pub const PREFIX: &str = "tracer_trace_";

/// The trace file's name.
#[must_use]
pub fn name(root: Identity) -> String {
    format!("{PREFIX}{}_{}.jsonl", root.pid, root.start.0)
}

/// Lines that are on their way to a session.
#[derive(Debug, Default)]
pub struct Spool {
    file: Option<(File, PathBuf)>,
    /// Lines that are not in the file: the present batch, or everything since the file failed.
    pending: Vec<u8>,
    lines: u64,
    /// The file takes no more.
    failed: bool,
    /// Lines of the file that are none: their numbers, from 0.
    damaged: BTreeSet<u64>,
}

impl Spool {
    /// A spool in memory, until a file is given.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// The lines of a trace file that somebody else left, but for those that are damaged (their numbers, from 0).
    #[must_use]
    pub fn of_file(file: File, damaged: BTreeSet<u64>) -> Self {
        Self { file: Some((file, PathBuf::new())), failed: true, damaged, ..Self::default() }
    }

    /// From now on lines go into the trace file of `root` in `runtime`.
    pub fn to_file(&mut self, runtime: &Path, root: Identity) -> io::Result<()> {
        let path = runtime.join(name(root));
        let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&path)?;
        self.file = Some((file, path));
        Ok(())
    }

    /// Adds a line.
    pub fn push(&mut self, row: &impl Serialize) -> io::Result<()> {
        let before = self.pending.len();
        if let Err(error) = serde_json::to_writer(&mut self.pending, row) {
            self.pending.truncate(before);
            return Err(error.into());
        }
        self.pending.push(b'\n');
        self.lines += 1;
        Ok(())
    }

    /// Writes the lines since the last flush. After an error the file gets no more, and they stay in memory.
    pub fn flush(&mut self) -> Result<(), (PathBuf, io::Error)> {
        let Some((file, path)) = self.file.as_mut().filter(|_| !self.failed) else { return Ok(()) };
        while !self.pending.is_empty() {
            match file.write(&self.pending) {
                Ok(written) => {
                    self.pending.drain(..written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    return Err((path.clone(), error));
                }
            }
        }
        Ok(())
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Copies the lines that begin with `start`, in order.
    pub fn copy_lines(&mut self, start: &[u8], to: &mut impl Write) -> io::Result<()> {
        let (in_memory, damaged) = (self.pending.as_slice(), &self.damaged);
        let Some((file, _)) = &mut self.file else { return copy_lines(in_memory, damaged, start, to) };
        file.seek(SeekFrom::Start(0))?;
        copy_lines(BufReader::with_capacity(64 << 10, file).chain(in_memory), damaged, start, to)
    }

    /// Removes the file: its lines are elsewhere now.
    pub fn remove(self) -> io::Result<()> {
        match self.file {
            Some((_, path)) => super::remove(&path),
            None => Ok(()),
        }
    }
}

fn copy_lines(
    mut from: impl BufRead,
    damaged: &BTreeSet<u64>,
    start: &[u8],
    to: &mut impl Write,
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 0.. {
        // A damaged line may be of any length: it is not to be held.
        if damaged.contains(&number) {
            from.skip_until(b'\n')?;
            continue;
        }
        if from.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.starts_with(start) {
            to.write_all(&line)?;
        }
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::Spool;
    use crate::process::identity::{Identity, Ticks};

    const ROOT: Identity = Identity { pid: 10, start: Ticks(5) };

    fn text(spool: &mut Spool) -> String {
        let mut bytes = Vec::new();
        spool.copy_lines(b"", &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_before_and_after_the_file_are_in_order_and_the_file_is_gone_at_the_end() {
        let dir = crate::scratch();
        let mut spool = Spool::in_memory();
        spool.push(&1).unwrap();
        spool.to_file(dir.path(), ROOT).unwrap();
        spool.flush().unwrap();
        spool.push(&2).unwrap();
        assert_eq!(text(&mut spool), "1\n2\n");
        assert!(dir.path().join("tracer_trace_10_5.jsonl").exists());
        spool.remove().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_file_system_loses_nothing() {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
        let mut file = File::from(memfd_create("full", MemfdFlags::ALLOW_SEALING).unwrap());
        file.write_all(b"\"first\"\n").unwrap();
        fcntl_add_seals(&file, SealFlags::GROW).unwrap();
        let mut spool = Spool { file: Some((file, "/nowhere/full".into())), ..Spool::in_memory() };
        spool.push(&"kept").unwrap();
        let (path, _) = spool.flush().unwrap_err();
        assert_eq!(path.to_str(), Some("/nowhere/full"));
        assert_eq!(text(&mut spool), "\"first\"\n\"kept\"\n");
        spool.flush().unwrap();
    }

    #[test]
    fn lines_are_told_apart_by_their_beginning() {
        let mut spool = Spool::in_memory();
        spool.push(&"event 1").unwrap();
        spool.push(&"row").unwrap();
        spool.push(&"event 2").unwrap();
        let mut events = Vec::new();
        spool.copy_lines(b"\"event", &mut events).unwrap();
        assert_eq!(events, b"\"event 1\"\n\"event 2\"\n");
    }

    #[test]
    fn damaged_lines_of_a_file_are_passed_over() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a1\ntorn\na2\na3").unwrap();
        assert_eq!(text(&mut Spool::of_file(file, [1, 3].into())), "a1\na2\n");
    }

    #[test]
    fn a_file_that_is_already_there_is_not_taken() {
        let dir = crate::scratch();
        std::fs::write(dir.path().join("tracer_trace_10_5.jsonl"), "theirs").unwrap();
        assert!(Spool::in_memory().to_file(dir.path(), ROOT).is_err());
    }
}
