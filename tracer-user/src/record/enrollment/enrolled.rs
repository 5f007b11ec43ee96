//! A sidecar in its place: written beside it and renamed in, noted in, and removed.
//!
//! Whoever works on the session, the tracer that records it or a recovery, holds an exclusive lock (flock(2)) on the sidecar.
//! The kernel gives it back when that process ends, in whatever way.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use super::{Enrollment, PAGE, name};
use crate::process::identity::Identity;
use crate::record::dir::{Dir, Entry, has_name};

/// A sidecar in its place, locked.
#[derive(Debug)]
pub struct Enrolled {
    /// Holds the lock.
    file: File,
    /// Where it is, whatever somebody gives the name of that to meanwhile.
    dir: Dir,
    enrollment: Enrollment,
}

impl Enrolled {
    /// Writes the sidecar beside its place and renames it in, so that nobody sees half of it.
    pub fn write(dir: &Dir, enrollment: &Enrollment) -> io::Result<Self> {
        let file = put(dir, enrollment, Place::New)?;
        Ok(Self { file, dir: dir.clone(), enrollment: enrollment.clone() })
    }

    /// Notes that the session is in its place. A recovery adds its line to the index, but does not make it again where
    /// somebody has removed it since.
    pub fn note_finished(&mut self) -> io::Result<()> {
        self.enrollment.finished = true;
        self.write_again()
    }

    /// Notes that the session could not be written, so that nobody takes this for a tracer that was killed; how the command
    /// ended, and how many lines are gone.
    pub fn note_unwritten(mut self, wait_status: u32, lost_lines: u64) -> io::Result<()> {
        let enrollment = &mut self.enrollment;
        (enrollment.unwritten, enrollment.wait_status) = (true, Some(wait_status));
        enrollment.lost_lines = lost_lines;
        self.write_again()
    }

    /// Whether it has its name still: nobody has removed it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        has_name(&self.file)
    }

    /// The directory that it was put into.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Makes it again, there, after somebody removed it.
    pub fn make_again(&mut self, dir: &Dir) -> io::Result<()> {
        remove_new(dir, self.enrollment.root())?;
        *self = Self::write(dir, &self.enrollment)?;
        Ok(())
    }

    fn write_again(&mut self) -> io::Result<()> {
        self.file = match rewrite(&self.dir, &self.enrollment) {
            Err(error) if is_full(&error) => return overwrite(&self.file, &self.enrollment),
            written => written?,
        };
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.entry().path().to_owned()
    }

    /// Removes it: the session is in its place.
    pub fn withdraw(self) -> io::Result<()> {
        self.entry().remove()
    }

    fn entry(&self) -> Entry {
        self.dir.entry(name(self.enrollment.root()))
    }
}

/// Writes `enrollment` in the place of the sidecar in `dir` that is there, whose lock the caller has. The new one is locked
/// before anybody can find it.
pub fn rewrite(dir: &Dir, enrollment: &Enrollment) -> io::Result<File> {
    // Only who has the lock comes here, so what is there was left by somebody who was killed.
    remove_new(dir, enrollment.root())?;
    put(dir, enrollment, Place::Ours)
}

/// The same where the file system is full, maybe of what is to be recovered: the first page of the sidecar that is there,
/// whose lock the caller has, is written once more, in one write. Nobody reads it without its lock, and within a page no kill
/// comes between (mm/filemap.c, `generic_perform_write`).
pub fn overwrite(file: &File, enrollment: &Enrollment) -> io::Result<()> {
    let mut before = vec![0; usize::try_from(file.metadata()?.size()).unwrap_or(0)];
    file.read_exact_at(&mut before, 0)?;
    let mut text = enrollment.text()?;
    text.resize(text.len().max(before.len()), b' ');
    let (page, rest) = text.split_at(text.len().min(PAGE));
    if before.get(page.len()..).unwrap_or_default() != rest {
        return Err(io::ErrorKind::StorageFull.into());
    }
    if file.write_at(page, 0)? == page.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Whether that is for want of room.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Removes what was left of a sidecar of `root` that was being written. Only for who has the lock.
pub fn remove_new(dir: &Dir, root: Identity) -> io::Result<()> {
    dir.entry(format!(".{}", name(root))).remove()
}

/// Whose the sidecar's place is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nobody's yet.
    New,
    /// That of the one that is to be replaced.
    Ours,
}

/// Writes a sidecar beside its place, locks it and renames it in.
fn put(dir: &Dir, enrollment: &Enrollment, whose: Place) -> io::Result<File> {
    let name = name(enrollment.root());
    let (new, place) = (dir.entry(format!(".{name}")), dir.entry(name));
    let mut file = new.create()?;
    let placed = flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(io::Error::from)
        .and_then(|()| file.write_all(&enrollment.text()?))
        .and_then(|()| file.sync_all())
        .and_then(|()| match whose {
            Place::New => new.rename_to_new(&place),
            Place::Ours => new.rename(&place),
        });
    if let Err(error) = placed {
        // The error is what matters; a leftover is recognised by its name, and goes with the next recovery.
        let _ = new.remove();
        return Err(error);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, read, read_dir};
    use std::path::Path;

    use rustix::fs::{FlockOperation, flock};

    use super::super::{Enrollment, PAGE, made};
    use super::Enrolled;
    use crate::record::way;

    fn enrolled(dir: &Path, enrollment: &Enrollment) -> std::io::Result<Enrolled> {
        Enrolled::write(&way::existing(dir).unwrap(), enrollment)
    }

    #[test]
    fn it_is_there_whole_and_locked_until_it_is_withdrawn() {
        let dir = crate::scratch();
        let enrolled = enrolled(dir.path(), &made(10, 5)).unwrap();
        let path = dir.path().join("tracer_enrollment_10_5.json");
        assert_eq!(serde_json::from_slice::<Enrollment>(&read(&path).unwrap()).unwrap(), made(10, 5));
        let other = File::open(&path).unwrap();
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_err());
        enrolled.withdraw().unwrap();
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_ok());
        assert_eq!(read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_that_is_written_again_is_locked_and_found_by_nobody_before_that() {
        let dir = crate::scratch();
        let path = dir.path().join("tracer_enrollment_10_5.json");
        let mut enrolled = enrolled(dir.path(), &made(10, 5)).unwrap();
        std::fs::write(dir.path().join(".tracer_enrollment_10_5.json"), "left by somebody who was killed")
            .unwrap();
        let noted = Enrollment { recovered_to: Some("/there".to_owned()), ..made(10, 5) };
        let locked = super::rewrite(&way::existing(dir.path()).unwrap(), &noted).unwrap();
        assert_eq!(serde_json::from_slice::<Enrollment>(&read(&path).unwrap()).unwrap(), noted);
        let other = File::open(&path).unwrap();
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_err());
        drop(locked);
        assert!(flock(&other, FlockOperation::NonBlockingLockExclusive).is_ok());
        enrolled.note_finished().unwrap();
        assert!(serde_json::from_slice::<Enrollment>(&read(&path).unwrap()).unwrap().finished);
        assert_eq!(read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_is_already_there_is_not_touched_and_nothing_else_is_left() {
        let dir = crate::scratch();
        let path = dir.path().join("tracer_enrollment_10_5.json");
        std::fs::write(&path, "theirs").unwrap();
        assert!(enrolled(dir.path(), &made(10, 5)).is_err());
        assert_eq!(read(&path).unwrap(), b"theirs");
        assert_eq!(read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_noted_later_has_room_in_the_first_page_however_long_the_command_is() {
        let dir = crate::scratch();
        let path = dir.path().join("tracer_enrollment_10_5.json");
        for argument in [0, 1000, 2000, 3000, 5000, 100_000] {
            let command = vec!["\",\"comm\":".to_owned(), "x".repeat(argument)];
            let before = Enrollment { command, ..made(10, 5) };
            let it = enrolled(dir.path(), &before).unwrap();
            let noted = Enrollment {
                recovered_to: Some("/there".repeat(200) + ",\"comm\":"),
                unwritten: true,
                wait_status: Some(0x300),
                lost_lines: u64::MAX,
                ..before.clone()
            };
            let pages = |text: &[u8]| text.len().div_ceil(PAGE);
            let there = read(&path).unwrap();
            super::overwrite(&it.file, &noted).unwrap();
            let text = read(&path).unwrap();
            assert_eq!(serde_json::from_slice::<Enrollment>(&text).unwrap(), noted, "{argument}");
            assert_eq!(pages(&there), pages(&text), "it takes no more room");
            assert!(
                there[PAGE.min(there.len())..] == text[PAGE.min(text.len())..],
                "only one page is written"
            );
            let other = Enrollment { command: vec!["y".repeat(argument)], ..noted };
            assert_eq!(super::overwrite(&it.file, &other).is_ok(), argument <= 1000, "more is not to be had");
            it.withdraw().unwrap();
        }
    }
}
