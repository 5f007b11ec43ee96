//! The trace file `tracer_trace_<pid>_<starttime_ticks>.jsonl`, and beside the sessions what became too much for it.
//!
//! A line is one write(2), so whatever kills tracer leaves whole lines and at most one torn tail. Once the file takes half of
//! the room that it may take, its rows begin to move (see [`super::older`]), on a thread of their own: a disk that is slow
//! holds nobody up. Only where it is so slow that all the room is taken does the next line wait for it. What can't be moved
//! stays, after one warning, and is tried again later.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use super::dir::{Dir, Entry, has_name};
use super::mover::{Failed, Mover};
use super::older::{self, Older};
use super::scratch::Stretch;

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

impl TraceFile {
    /// Makes the file, whose name nobody may have.
    pub fn create(entry: Entry, room: Room) -> io::Result<Self> {
        let file = entry.create()?;
        append_only(&file)?;
        let patience = room.limit / 2;
        let moving = Moving { room, mover: None, patience, busy: false, warned: false };
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
            match Mover::start(&self.path, &moving.room.older) {
                Ok(mover) => {
                    self.older = Some(mover.older());
                    moving.mover = Some(mover);
                }
                Err(failed) => return self.take_note(Some(Err(failed))),
            }
        }
        let asked =
            moving.mover.as_ref().is_some_and(|mover| mover.ask(&self.file, self.moved, self.written));
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
        let moving = self.moving.as_mut().filter(|moving| moving.busy);
        let Some(mover) = moving.and_then(|moving| moving.mover.as_mut()) else { return };
        let told = mover.told(wait);
        // It may be another one by now.
        self.older = Some(mover.older());
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
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::path::Path;

    use super::{Room, TraceFile};
    use crate::record::log_place::LogPlace;
    use crate::record::older::{self, Older};
    use crate::record::way;

    const LIMIT: u64 = 64 << 10;
    const LINE: usize = 1000;

    fn line(number: usize) -> String {
        format!("{number:0width$}\n", width = LINE - 1)
    }

    fn trace(dir: &Path) -> TraceFile {
        let place = LogPlace::made(&dir.join("log")).unwrap();
        let older = Older { place, name: "older".to_owned() };
        let entry = way::existing(dir).unwrap().entry("trace");
        TraceFile::create(entry, Room { limit: LIMIT, older }).unwrap()
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
        let mut trace = trace(dir.path());
        for number in 0..1000 {
            write(&mut trace, number..number + 1);
            assert!(trace.held() < LIMIT + LINE as u64);
        }
        assert_eq!(text(&mut trace), all(0..1000));
        assert!(trace.moved > 900 << 10, "{} bytes were moved", trace.moved);
        trace.remove().unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("log/sessions")).unwrap().count(), 0);
        assert!(!dir.path().join("trace").exists());
    }

    #[test]
    fn what_is_small_stays_where_it_is() {
        let dir = crate::scratch();
        let mut trace = trace(dir.path());
        write(&mut trace, 0..30);
        assert_eq!((text(&mut trace), trace.moved), (all(0..30), 0));
        assert!(!dir.path().join("log/sessions/older").exists());
    }

    #[test]
    fn where_older_rows_have_no_place_they_stay_and_later_ones_come_too() {
        let dir = crate::scratch();
        let mut trace = trace(dir.path());
        std::fs::remove_dir_all(dir.path().join("log")).unwrap();
        std::fs::write(dir.path().join("log"), "").unwrap();
        write(&mut trace, 0..500);
        assert_eq!((trace.held(), trace.moved), (500 * LINE as u64, 0));
        assert_eq!(text(&mut trace), all(0..500));
    }

    #[test]
    fn a_disk_that_has_room_again_gets_them() {
        let dir = crate::scratch();
        let place = dir.path().join("log");
        let mut trace = trace(dir.path());
        std::fs::remove_dir_all(&place).unwrap();
        std::fs::write(&place, "").unwrap();
        write(&mut trace, 0..100);
        assert_eq!(trace.moved, 0);
        std::fs::remove_file(&place).unwrap();
        write(&mut trace, 100..400);
        assert_eq!(text(&mut trace), all(0..400));
        assert!(trace.held() < LIMIT + LINE as u64 && trace.moved > 0);
    }

    #[test]
    fn rows_that_were_moved_are_there_again_after_somebody_removed_them() {
        for removed in ["log", "log/sessions", "log/sessions/older"] {
            let dir = crate::scratch();
            let at = |name: &str| File::options().read(true).write(true).open(dir.path().join(name)).unwrap();
            let mut trace = trace(dir.path());
            write(&mut trace, 0..200);
            trace.rest();
            let (before, path) = (trace.moved, dir.path().join(removed));
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
            trace.moving.as_mut().unwrap().patience = LIMIT / 2;
            write(&mut trace, 200..400);
            assert_eq!(text(&mut trace), all(0..400), "{removed}");
            assert!(before > 0 && trace.moved > before && trace.held() < LIMIT + LINE as u64);
            // As whoever comes after a kill finds it.
            let mut left = TraceFile::left(at("trace"), Some(at("log/sessions/older"))).unwrap();
            assert_eq!(text(&mut left), all(0..400), "{removed}");
            trace.remove().unwrap();
            assert_eq!(std::fs::read_dir(dir.path().join("log/sessions")).unwrap().count(), 0, "{removed}");
        }
    }

    #[test]
    fn it_is_made_again_after_somebody_removed_it_and_goes_on() {
        let dir = crate::scratch();
        let mut trace = trace(dir.path());
        write(&mut trace, 0..200);
        std::fs::remove_file(dir.path().join("trace")).unwrap();
        assert!(!trace.is_there());
        trace.make_again(&way::existing(dir.path()).unwrap()).unwrap();
        assert!(trace.is_there() && trace.moved > 0);
        write(&mut trace, 200..400);
        assert_eq!(text(&mut trace), all(0..400));
        // As whoever comes after a kill finds it.
        let at = |name: &str| File::open(dir.path().join(name)).unwrap();
        let mut left = TraceFile::left(at("trace"), Some(at("log/sessions/older"))).unwrap();
        assert_eq!((text(&mut left), left.moved), (all(0..400), trace.moved));
        trace.remove().unwrap();
        assert!(!dir.path().join("trace").exists());
    }

    #[test]
    fn rows_whose_file_was_removed_and_cannot_be_made_again_stay_readable_and_no_more_go_there() {
        let dir = crate::scratch();
        let mut trace = trace(dir.path());
        write(&mut trace, 0..200);
        trace.rest();
        let before = trace.moved;
        std::fs::remove_dir_all(dir.path().join("log")).unwrap();
        std::fs::write(dir.path().join("log"), "").unwrap();
        trace.moving.as_mut().unwrap().patience = LIMIT / 2;
        write(&mut trace, 200..400);
        assert_eq!(text(&mut trace), all(0..400));
        assert_eq!(trace.moved, before);
    }

    #[test]
    fn what_is_left_of_it_has_each_line_once_wherever_it_was_cut_off() {
        let dir = crate::scratch();
        let mut whole = trace(dir.path());
        write(&mut whole, 0..200);
        assert_eq!(text(&mut whole), all(0..200));
        let at = |name: &str| File::options().read(true).write(true).open(dir.path().join(name)).unwrap();
        let left = || text(&mut TraceFile::left(at("trace"), Some(at("log/sessions/older"))).unwrap());
        assert_eq!(left(), all(0..200));
        // Copied, but not yet given back; then so in part only, torn in the middle of a line.
        let (moved, written) = (whole.moved, 200 * LINE as u64);
        older::copy(&at("trace"), &at("log/sessions/older"), moved, written).unwrap();
        assert_eq!(left(), all(0..200));
        at("log/sessions/older").set_len(moved + 1234).unwrap();
        assert_eq!(left(), all(0..200));
        // Moved to the last byte.
        older::copy(&at("trace"), &at("log/sessions/older"), moved, written).unwrap();
        older::give_back(&at("trace"), written).unwrap();
        assert_eq!(left(), all(0..200));
    }

    #[test]
    fn where_older_rows_are_gone_the_others_are_whole() {
        let dir = crate::scratch();
        let mut whole = trace(dir.path());
        write(&mut whole, 0..200);
        whole.rest();
        let first = usize::try_from(whole.moved).unwrap() / LINE;
        let open = || File::open(dir.path().join("trace")).unwrap();
        assert_eq!(text(&mut TraceFile::left(open(), None).unwrap()), format!("\n{}", all(first..200)));
    }
}
