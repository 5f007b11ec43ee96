//! Lines of processes, which come in the order of their ends and are wanted in the order of their forks.
//!
//! Once they are many they go to a scratch file without a name, beside the sessions. If that can't be had or fails, they
//! stay in memory, after one warning; none is dropped.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::process_row::ProcessRow;

/// Lines that are kept in memory, in bytes.
const IN_MEMORY: usize = 1 << 20;

/// The lines.
pub(super) struct Rows {
    /// Where a scratch file can be made; `None`: nowhere any more.
    scratch: Option<PathBuf>,
    file: Option<File>,
    /// Bytes in the file; the rest is in memory.
    in_file: u64,
    memory: Vec<u8>,
    /// Where each line lies: start of the process, offset, length.
    index: Vec<(u64, u64, usize)>,
}

impl Rows {
    /// None yet. `scratch` is a directory for many.
    pub(super) fn new(scratch: PathBuf) -> Self {
        Self { scratch: Some(scratch), file: None, in_file: 0, memory: Vec::new(), index: Vec::new() }
    }

    /// Adds a line.
    pub(super) fn push(&mut self, started_ns: Option<u64>, row: &ProcessRow<'_>) -> io::Result<()> {
        let before = self.memory.len();
        if let Err(error) = serde_json::to_writer(&mut self.memory, row) {
            self.memory.truncate(before);
            return Err(error.into());
        }
        self.memory.push(b'\n');
        let offset = self.in_file + before as u64;
        self.index.push((started_ns.unwrap_or(0), offset, self.memory.len() - before));
        if self.memory.len() > IN_MEMORY {
            self.spill();
        }
        Ok(())
    }

    fn spill(&mut self) {
        let Some(scratch) = &self.scratch else { return };
        let file = self.file.take().map_or_else(|| tempfile::tempfile_in(scratch), Ok);
        let written = file.and_then(|file| {
            let written = file.write_all_at(&self.memory, self.in_file);
            self.file = Some(file);
            written
        });
        match written {
            Ok(()) => {
                self.in_file += self.memory.len() as u64;
                self.memory.clear();
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
        let mut line = Vec::new();
        for (_, offset, len) in &self.index {
            line.resize(*len, 0);
            match (offset.checked_sub(self.in_file), &self.file) {
                (None, Some(file)) => file.read_exact_at(&mut line, *offset)?,
                (None, None) => return Err(io::ErrorKind::NotFound.into()),
                (Some(at), _) => {
                    let at = usize::try_from(at).map_err(io::Error::other)?;
                    line.copy_from_slice(&self.memory[at..at + len]);
                }
            }
            to.write_all(&line)?;
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

    /// Pids of the lines, after `count` processes that ended in the reverse order of their forks.
    fn order(scratch: &Path, count: u32) -> (Vec<u64>, Rows) {
        let directories = Directories::default();
        let clock = Clock::new(Timestamp::UNIX_EPOCH, 0);
        let context = Context { root: None, target: None, clock, directories: &directories, redact: false };
        let mut rows = Rows::new(scratch.to_owned());
        for pid in (0..count).rev() {
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
        let (pids, rows) = order(scratch.path(), 4000);
        assert!(pids.into_iter().eq(0..4000));
        assert!(rows.in_file > 0 && rows.memory.len() < IN_MEMORY);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn without_a_place_for_a_file_no_line_is_lost() {
        let (pids, rows) = order(Path::new("/nonexistent"), 4000);
        assert!(pids.into_iter().eq(0..4000));
        assert!(rows.memory.len() > IN_MEMORY);
    }
}
