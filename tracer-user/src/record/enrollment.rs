//! The enrollment sidecar `tracer_enrollment_<pid>_<starttime_ticks>.json`: whose trace file lies beside it (W2).
//!
//! It is there before the trace file has its first row, and goes after it, so a trace file without one is not ours, and
//! one without a trace file is a session that died before its first row. It holds what a session needs and the
//! trace file lacks, so that recovery can write it whole. What is noted in it later stands in its first page, with room to
//! grow, so that it can be noted in place where the file system is full.
//!
//! Whoever works on the session, the tracer that records it or a recovery, holds an exclusive lock (flock(2)) on the sidecar.
//! The kernel gives it back when that process ends, in whatever way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::dir::{Dir, Entry, has_name};
use crate::process::identity::{Identity, Ticks};

/// Version of the sidecar's shape. Version 1 had no comm.
pub const SCHEMA_VERSION: u32 = 2;

/// What a sidecar's name begins with.
pub const PREFIX: &str = "tracer_enrollment_";

/// What the name of a sidecar that is being written begins with.
pub const NEW_PREFIX: &str = ".tracer_enrollment_";

/// Bytes of a page; larger ones are no harm.
const PAGE: usize = 4096;

/// The first of the fields that never change. Those before it are short but for what is noted, and hold no other fields.
const UNCHANGING: &[u8] = b",\"comm\":";

/// The contents of a sidecar. Bytes that are not UTF-8 are escaped as in all files of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrollment {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The session.
    pub session_id: String,
    /// The root's pid.
    pub pid: u32,
    /// The boot that the pid belongs to.
    pub boot_id: String,
    /// The root's start.
    pub starttime_ticks: u64,
    /// The log directory, absolute, that a recovery was about to put the session into, where that is not `log_dir`.
    #[serde(default)]
    pub recovered_to: Option<String>,
    /// The session is in its place, and may lack its line in the index.
    #[serde(default)]
    pub finished: bool,
    /// Its tracer came to its end, and could not write the session.
    #[serde(default)]
    pub unwritten: bool,
    /// How the command ended, as wait(2) tells it, where it is `unwritten`.
    #[serde(default)]
    pub wait_status: Option<u32>,
    /// Lines that the trace file did not take, and that are gone, where it is `unwritten`.
    #[serde(default)]
    pub lost_lines: u64,
    /// The root's comm when this was written; `None`: the sidecar is of version 1.
    pub comm: Option<String>,
    /// When this was written, RFC 3339.
    pub enrolled_at: String,
    /// What the session's owner said about it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The command and its arguments, as far as they may be told.
    #[serde(default)]
    pub command: Vec<String>,
    /// Where the session is to be, absolute; `None`: wherever the recovery keeps sessions.
    #[serde(default)]
    pub log_dir: Option<String>,
    /// The tracer that wrote this.
    #[serde(default)]
    pub tracer_pid: u32,
    /// When this boot began, nanoseconds since 1970.
    #[serde(default)]
    pub booted_at_ns: Option<i64>,
    /// The name that the target was asked for by.
    #[serde(default)]
    pub target: Option<String>,
    /// Whose the session is to be, where root records it on somebody's behalf: user id and group id.
    #[serde(default)]
    pub reader: Option<(u32, u32)>,
    /// Arguments are left out of all files.
    #[serde(default)]
    pub redact_args: bool,
    /// Where anomalies begin.
    #[serde(default)]
    pub thresholds: serde_json::Value,
    /// Device and inode of the directory of sessions in `log_dir` when this was written, to know it again.
    #[serde(default)]
    pub sessions_dir: Option<(u64, u64)>,
}

impl Enrollment {
    /// Whose session it is.
    #[must_use]
    pub fn root(&self) -> Identity {
        Identity { pid: self.pid, start: Ticks(self.starttime_ticks) }
    }

    /// As it stands in the file: what may be noted later ends with the first page or before, and there is room for it.
    fn text(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        // In a string there are none of these bytes: its quotation marks are escaped.
        if let Some(notes) = text.windows(UNCHANGING.len()).position(|bytes| bytes == UNCHANGING) {
            let rest = text.len() - notes;
            let room = if rest <= PAGE / 2 { PAGE - rest } else { PAGE };
            text.splice(notes..notes, std::iter::repeat_n(b' ', room.saturating_sub(notes)));
        }
        Ok(text)
    }

    /// Without all that may be large: what is left says which files are to go.
    #[must_use]
    pub fn for_removal(self) -> Self {
        Self {
            comm: None,
            enrolled_at: String::new(),
            labels: BTreeMap::new(),
            command: Vec::new(),
            target: None,
            thresholds: serde_json::Value::Null,
            recovered_to: None,
            ..self
        }
    }
}

/// The sidecar's name.
#[must_use]
pub fn name(root: Identity) -> String {
    format!("{PREFIX}{}_{}.json", root.pid, root.start.0)
}

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
pub(crate) fn made(pid: u32, start: u64) -> Enrollment {
    Enrollment {
        schema_version: SCHEMA_VERSION,
        session_id: format!("s-{pid}-{start}"),
        pid,
        boot_id: "this boot".to_owned(),
        starttime_ticks: start,
        comm: Some("sh".to_owned()),
        enrolled_at: "2026-01-01T00:00:00.000000Z".to_owned(),
        labels: BTreeMap::from([("job".to_owned(), "17".to_owned())]),
        command: vec!["sh".to_owned(), "-c".to_owned(), "true".to_owned()],
        log_dir: None,
        tracer_pid: 1,
        booted_at_ns: Some(0),
        target: None,
        reader: None,
        redact_args: false,
        thresholds: serde_json::Value::Null,
        sessions_dir: None,
        recovered_to: None,
        finished: false,
        unwritten: false,
        wait_status: None,
        lost_lines: 0,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, read, read_dir};
    use std::path::Path;

    use rustix::fs::{FlockOperation, flock};

    use super::{Enrolled, Enrollment, PAGE, made};
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

    #[test]
    fn one_of_version_1_has_no_comm() {
        let line = r#"{"schema_version":1,"session_id":"a","pid":1,"boot_id":"b","starttime_ticks":2,
            "enrolled_at":"2026-01-01T00:00:00Z","labels":{}}"#;
        let enrollment: Enrollment = serde_json::from_str(line).unwrap();
        assert_eq!((enrollment.comm, enrollment.log_dir), (None, None));
    }
}
