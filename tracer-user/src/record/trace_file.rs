//! The trace file `tracer_trace_<pid>_<starttime_ticks>.jsonl`, and beside the sessions what became too much for it.
//!
//! A line is one write(2), so whatever kills tracer leaves whole lines and at most one torn tail. Once the file takes half of
//! the room that it may take, its rows begin to move (see [`super::older`]), on a thread of their own: a disk that is slow
//! holds nobody up. Only where it is so slow that all the room is taken does the next line wait for it. What can't be moved
//! stays, after one warning, and is tried again later.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use super::older;
use super::scratch::Stretch;

/// Where older rows go, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that the trace file may take.
    pub limit: u64,
    /// The file that older rows move to.
    pub older: PathBuf,
}

/// A trace file.
#[derive(Debug)]
pub struct TraceFile {
    file: Arc<File>,
    path: PathBuf,
    /// Bytes written, with those that were moved.
    written: u64,
    /// Bytes that were moved.
    moved: u64,
    /// The older rows.
    older: Option<Arc<File>>,
    moving: Option<Moving>,
}

/// How rows move.
#[derive(Debug)]
struct Moving {
    room: Room,
    mover: Option<Mover>,
    /// Bytes that the trace file may take before the next try.
    patience: u64,
    /// Rows are on their way.
    busy: bool,
    warned: bool,
}

/// The thread that moves rows.
#[derive(Debug)]
struct Mover {
    older: PathBuf,
    ask: Sender<(u64, u64)>,
    told: Receiver<Result<u64, Failed>>,
}

/// Why rows were not moved.
#[derive(Debug)]
struct Failed {
    path: PathBuf,
    why: io::Error,
    /// There is no point in trying again.
    for_good: bool,
}

impl TraceFile {
    /// Makes the file at `path`, which nobody may have.
    pub fn create(path: PathBuf, room: Room) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&path)?;
        let patience = room.limit / 2;
        let moving = Moving { room, mover: None, patience, busy: false, warned: false };
        let file = Arc::new(file);
        Ok(Self { file, path, written: 0, moved: 0, older: None, moving: Some(moving) })
    }

    /// What a killed tracer left: its trace file, and its older rows if there are any.
    pub fn left(file: File, older: Option<File>) -> io::Result<Self> {
        let (written, moved) = (file.metadata()?.len(), older::moved(&file)?);
        let older = older.map(Arc::new);
        Ok(Self { file: Arc::new(file), path: PathBuf::new(), written, moved, older, moving: None })
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

    /// Has rows moved, if they are many, and waits for that if they are too many.
    fn make_room(&mut self) {
        let held = self.held();
        let Some(moving) = &mut self.moving else { return };
        if held < moving.patience && !moving.busy {
            return;
        }
        if moving.busy {
            let full = held >= moving.room.limit;
            return self.hear(full);
        }
        if moving.mover.is_none() {
            match Mover::start(&self.file, &self.path, &moving.room.older) {
                Ok((mover, older)) => {
                    moving.mover = Some(mover);
                    self.older = Some(older);
                }
                Err(failed) => return self.take_note(Some(Err(failed))),
            }
        }
        let asked =
            moving.mover.as_ref().is_some_and(|mover| mover.ask.send((self.moved, self.written)).is_ok());
        moving.busy = asked;
    }

    /// Waits for rows that are on their way. Whether there is more room now.
    fn gets_room(&mut self) -> bool {
        let before = self.moved;
        self.hear(true);
        self.moved > before
    }

    /// What became of the rows that were on their way; if they still are, and `wait`, waits for it.
    fn hear(&mut self, wait: bool) {
        let moving = self.moving.as_ref().filter(|moving| moving.busy);
        let told = moving.and_then(|moving| moving.mover.as_ref()).and_then(|mover| mover.told(wait));
        self.take_note(told);
    }

    fn take_note(&mut self, told: Option<Result<u64, Failed>>) {
        let held = self.held();
        let (Some(told), Some(moving)) = (told, &mut self.moving) else { return };
        moving.busy = false;
        match told {
            Ok(moved) => {
                self.moved = moved;
                moving.patience = moving.room.limit / 2;
            }
            Err(Failed { path, why, for_good }) => {
                moving.patience = if for_good { u64::MAX } else { held + moving.room.limit / 2 };
                if !std::mem::replace(&mut moving.warned, true) {
                    let (path, trace) = (path.display(), self.path.display());
                    log::warn!(
                        "{path} can't take older rows ({why}); {trace} keeps them, beyond --spool-limit"
                    );
                }
            }
        }
    }

    /// Waits until no rows are on their way, and moves no more.
    fn rest(&mut self) {
        self.hear(true);
        if let Some(moving) = &mut self.moving {
            moving.patience = u64::MAX;
        }
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
        if let (Some(_), Some(moving)) = (&self.older, &self.moving) {
            let path = &moving.room.older;
            super::remove(path).map_err(|error| (path.clone(), error))?;
        }
        super::remove(&self.path).map_err(|error| (self.path.clone(), error))
    }
}

impl Mover {
    /// Makes the file of older rows, and a thread that moves rows when asked.
    fn start(trace: &Arc<File>, trace_path: &Path, path: &Path) -> Result<(Self, Arc<File>), Failed> {
        let failed = |why| Failed { path: path.to_owned(), why, for_good: false };
        let older = Arc::new(older::create(path).map_err(failed)?);
        let (ask, asked) = channel();
        let (tell, told) = channel();
        let (trace, to, paths) =
            (Arc::clone(trace), Arc::clone(&older), [trace_path.to_owned(), path.to_owned()]);
        let work = move || {
            while let Ok((begin, end)) = asked.recv() {
                if tell.send(shift(&trace, &to, &paths, begin, end)).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("tracer-spool".to_owned()).spawn(work);
        match thread {
            Ok(_) => Ok((Self { older: path.to_owned(), ask, told }, older)),
            Err(why) => {
                // It is empty: whether it can be removed changes nothing for the rows.
                let _ = super::remove(path);
                Err(failed(why))
            }
        }
    }

    /// What became of the rows that were on their way; `None`: they still are.
    fn told(&self, wait: bool) -> Option<Result<u64, Failed>> {
        let told = if wait { self.told.recv().map_err(TryRecvError::from) } else { self.told.try_recv() };
        match told {
            Ok(told) => Some(told),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                let why = io::Error::other("the thread that moves them ended");
                Some(Err(Failed { path: self.older.clone(), why, for_good: true }))
            }
        }
    }
}

/// Moves rows, and tells how many bytes were moved by now.
fn shift(trace: &File, older: &File, paths: &[PathBuf; 2], begin: u64, end: u64) -> Result<u64, Failed> {
    let [trace_path, older_path] = paths;
    if let Err(why) = older::copy(trace, older, begin, end) {
        // What counts of this file ends at `begin`; the rest would only take room that is short.
        let _ = older.set_len(begin);
        return Err(Failed { path: older_path.clone(), why, for_good: false });
    }
    older::give_back(trace, end).map_err(|why| Failed { path: trace_path.clone(), why, for_good: true })?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::path::Path;

    use super::{Room, TraceFile};
    use crate::record::older;

    const LIMIT: u64 = 64 << 10;
    const LINE: usize = 1000;

    fn line(number: usize) -> String {
        format!("{number:0width$}\n", width = LINE - 1)
    }

    fn trace(dir: &Path, older: &str) -> TraceFile {
        TraceFile::create(dir.join("trace"), Room { limit: LIMIT, older: dir.join(older) }).unwrap()
    }

    fn write(trace: &mut TraceFile, lines: std::ops::Range<usize>) {
        lines.for_each(|number| trace.write(line(number).as_bytes()).unwrap());
    }

    fn text(trace: &mut TraceFile) -> String {
        let mut text = String::new();
        trace.rows().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn all(lines: std::ops::Range<usize>) -> String {
        lines.map(line).collect()
    }

    #[test]
    fn it_never_takes_more_than_its_room_and_keeps_every_line_in_order() {
        let dir = crate::scratch();
        let mut trace = trace(dir.path(), "log/older");
        for number in 0..1000 {
            write(&mut trace, number..number + 1);
            assert!(trace.held() < LIMIT + LINE as u64);
        }
        assert_eq!(text(&mut trace), all(0..1000));
        assert!(trace.moved > 900 << 10, "{} bytes were moved", trace.moved);
        trace.remove().unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("log")).unwrap().count(), 0);
        assert!(!dir.path().join("trace").exists());
    }

    #[test]
    fn what_is_small_stays_where_it_is() {
        let dir = crate::scratch();
        let mut trace = trace(dir.path(), "older");
        write(&mut trace, 0..30);
        assert_eq!((text(&mut trace), trace.moved), (all(0..30), 0));
        assert!(!dir.path().join("older").exists());
    }

    #[test]
    fn where_older_rows_have_no_place_they_stay_and_later_ones_come_too() {
        let dir = crate::scratch();
        std::fs::write(dir.path().join("no-directory"), "").unwrap();
        let mut trace = trace(dir.path(), "no-directory/older");
        write(&mut trace, 0..500);
        assert_eq!((trace.held(), trace.moved), (500 * LINE as u64, 0));
        assert_eq!(text(&mut trace), all(0..500));
    }

    #[test]
    fn a_disk_that_has_room_again_gets_them() {
        let dir = crate::scratch();
        let place = dir.path().join("place");
        std::fs::write(&place, "").unwrap();
        let mut trace = trace(dir.path(), "place/older");
        write(&mut trace, 0..100);
        assert_eq!(trace.moved, 0);
        std::fs::remove_file(&place).unwrap();
        write(&mut trace, 100..400);
        assert_eq!(text(&mut trace), all(0..400));
        assert!(trace.held() < LIMIT + LINE as u64 && trace.moved > 0);
    }

    #[test]
    fn what_is_left_of_it_has_each_line_once_wherever_it_was_cut_off() {
        let dir = crate::scratch();
        let mut whole = trace(dir.path(), "older");
        write(&mut whole, 0..200);
        assert_eq!(text(&mut whole), all(0..200));
        let at = |name: &str| File::options().read(true).write(true).open(dir.path().join(name)).unwrap();
        let left = || text(&mut TraceFile::left(at("trace"), Some(at("older"))).unwrap());
        assert_eq!(left(), all(0..200));
        // Copied, but not yet given back; then so in part only, torn in the middle of a line.
        let (moved, written) = (whole.moved, 200 * LINE as u64);
        older::copy(&at("trace"), &at("older"), moved, written).unwrap();
        assert_eq!(left(), all(0..200));
        at("older").set_len(moved + 1234).unwrap();
        assert_eq!(left(), all(0..200));
        // Moved to the last byte.
        older::copy(&at("trace"), &at("older"), moved, written).unwrap();
        older::give_back(&at("trace"), written).unwrap();
        assert_eq!(left(), all(0..200));
    }

    #[test]
    fn where_older_rows_are_gone_the_others_are_whole() {
        let dir = crate::scratch();
        let mut whole = trace(dir.path(), "older");
        write(&mut whole, 0..200);
        whole.rest();
        let first = usize::try_from(whole.moved).unwrap() / LINE;
        let open = || File::open(dir.path().join("trace")).unwrap();
        assert_eq!(text(&mut TraceFile::left(open(), None).unwrap()), format!("\n{}", all(first..200)));
    }
}
