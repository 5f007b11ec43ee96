//! The trace file `tracer_trace_<pid>_<starttime_ticks>.jsonl`, and beside the sessions what became too much for it.
//!
//! A line is one write(2), so whatever kills tracer leaves whole lines and at most one torn tail. Once the file takes half of
//! the room that it may take, its rows begin to move (see [`super::older`]), on a thread of their own: a disk that is slow
//! holds nobody up. Only where it is so slow that all the room is taken does the next line wait for it. What can't be moved
//! stays, after one warning, and is tried again later.
//!
//! `moving`: when rows move, and what is waited for.

mod moving;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::dir::{Dir, Entry, has_name};
use super::older::{self, Older};
use super::scratch::Stretch;
use moving::Moving;

/// Where older rows go, and when.
#[derive(Clone, Debug)]
pub struct Room {
    /// Bytes that the trace file may take.
    pub limit: u64,
    /// The file that older rows move to.
    pub older: Older,
}

/// A trace file.
#[derive(Debug)]
pub struct TraceFile {
    file: Arc<File>,
    path: PathBuf,
    /// Its name, if it is not somebody else's who left it.
    entry: Option<Entry>,
    /// Bytes written, with those that were moved.
    written: u64,
    /// Bytes that were moved.
    moved: u64,
    /// The older rows.
    older: Option<Arc<File>>,
    moving: Option<Moving>,
}

impl TraceFile {
    /// Makes the file, whose name nobody may have.
    pub fn create(entry: Entry, room: Room) -> io::Result<Self> {
        let file = entry.create()?;
        append_only(&file)?;
        let moving = Moving::new(room);
        let file = Arc::new(file);
        let path = entry.path().to_owned();
        Ok(Self { file, path, entry: Some(entry), written: 0, moved: 0, older: None, moving: Some(moving) })
    }

    /// What a killed tracer left: its trace file, and its older rows if there are any.
    pub fn left(file: File, older: Option<File>) -> io::Result<Self> {
        let (written, moved) = (file.metadata()?.len(), older::moved(&file)?);
        let older = older.map(Arc::new);
        Ok(Self {
            file: Arc::new(file),
            path: PathBuf::new(),
            entry: None,
            written,
            moved,
            older,
            moving: None,
        })
    }

    /// Whether it has its name still: nobody has removed it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        has_name(&self.file)
    }

    /// Makes it again in `dir`, with the rows that it holds, after somebody removed it.
    pub fn make_again(&mut self, dir: &Dir) -> io::Result<()> {
        self.hear(true);
        let entry = dir.entry(self.path.file_name().unwrap_or_default());
        let file = entry.create()?;
        let filled = file
            .set_len(self.moved)
            .and_then(|()| older::copy(&self.file, &file, self.moved, self.written))
            .and_then(|()| append_only(&file));
        if let Err(error) = filled {
            // What it has of the rows is in the other one too, as long as this process lives.
            let _ = entry.remove();
            return Err(error);
        }
        (self.file, self.path) = (Arc::new(file), entry.path().to_owned());
        self.entry = Some(entry);
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether some of the rows that were moved are not where they should be.
    #[must_use]
    pub fn lacks_rows(&self) -> bool {
        self.older_rows().is_ok_and(|there| there < self.moved)
    }

    /// Bytes of rows that are not where they should be.
    pub fn lost(&self) -> io::Result<u64> {
        Ok(self.moved - self.older_rows()?)
    }

    /// Bytes of older rows that are there.
    fn older_rows(&self) -> io::Result<u64> {
        let len = self.older.as_ref().map_or(Ok(0), |older| older.metadata().map(|found| found.len()))?;
        Ok(len.min(self.moved))
    }

    /// Bytes of rows that are in the trace file itself.
    fn held(&self) -> u64 {
        self.written - self.moved
    }

    /// Writes a whole line, in one write. After an error, so many bytes of it are in the file.
    pub fn write(&mut self, line: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut done = 0;
        while done < line.len() {
            match (&*self.file).write(&line[done..]) {
                Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    done += written;
                    self.written += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull && self.gets_room() => {}
                Err(error) => return Err((done, error)),
            }
        }
        self.make_room();
        Ok(())
    }

    /// All rows, in order. Where older ones are missing, what is left of the last of them is a line that is none.
    pub fn rows(&mut self) -> io::Result<impl Read + '_> {
        self.rest();
        let there = self.older_rows()?;
        let gap: &[u8] = if there < self.moved { b"\n" } else { b"" };
        let older = Stretch::of(self.older.as_deref().unwrap_or(&self.file), 0, there);
        Ok(older.chain(gap).chain(Stretch::of(&self.file, self.moved, u64::MAX)))
    }

    /// Removes both files: their rows are elsewhere now.
    pub fn remove(mut self) -> Result<(), (PathBuf, io::Error)> {
        self.rest();
        if let Some(mover) = self.moving.as_ref().and_then(|moving| moving.mover.as_ref()) {
            mover.remove()?;
        }
        let Some(entry) = &self.entry else { return Ok(()) };
        entry.remove().map_err(|error| (entry.path().to_owned(), error))
    }
}

/// Wherever somebody cuts it off meanwhile, lines are lines.
fn append_only(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fcntl_setfl(file, OFlags::APPEND)?)
}

#[cfg(test)]
mod tests;
