//! The enrollment sidecar `tracer_enrollment_<pid>_<starttime_ticks>.json`: whose trace file lies beside it (W2).
//!
//! It is there before the trace file has its first row, and goes after it, so a trace file without one is not ours, and
//! one without a trace file is a session that died before its first row. It holds what a session needs and the
//! trace file lacks, so that recovery can write it whole.
//!
//! Whoever works on the session, the tracer that records it or a recovery, holds an exclusive lock (flock(2)) on the sidecar.
//! The kernel gives it back when that process ends, in whatever way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, openat, renameat, unlinkat};
use serde::{Deserialize, Serialize};

use super::dir::rename_to_new;
use crate::process::identity::{Identity, Ticks};

/// Version of the sidecar's shape. Version 1 had no comm.
pub const SCHEMA_VERSION: u32 = 2;

/// What a sidecar's name begins with.
pub const PREFIX: &str = "tracer_enrollment_";

/// What the name of a sidecar that is being written begins with.
pub const NEW_PREFIX: &str = ".tracer_enrollment_";

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
    /// The log directory, absolute, that a recovery was about to put the session into, where that is not `log_dir`.
    #[serde(default)]
    pub recovered_to: Option<String>,
    /// The session is in its place, and may lack its line in the index.
    #[serde(default)]
    pub finished: bool,
    /// Its tracer came to its end, and could not write the session.
    #[serde(default)]
    pub unwritten: bool,
}

impl Enrollment {
    /// Whose session it is.
    #[must_use]
    pub fn root(&self) -> Identity {
        Identity { pid: self.pid, start: Ticks(self.starttime_ticks) }
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
    runtime: PathBuf,
    enrollment: Enrollment,
}

impl Enrolled {
    /// Writes the sidecar beside its place and renames it in, so that nobody sees half of it.
    pub fn write(runtime: &Path, enrollment: &Enrollment) -> io::Result<Self> {
        let file = put(CWD, runtime, enrollment, Place::New)?;
        Ok(Self { file, runtime: runtime.to_owned(), enrollment: enrollment.clone() })
    }

    /// Notes that the session is in its place. A recovery adds its line to the index, but does not make it again where
    /// somebody has removed it since.
    pub fn note_finished(&mut self) -> io::Result<()> {
        self.enrollment.finished = true;
        self.write_again()
    }

    /// Notes that the session could not be written, so that nobody takes this for a tracer that was killed.
    pub fn note_unwritten(mut self) -> io::Result<()> {
        self.enrollment.unwritten = true;
        self.write_again()
    }

    fn write_again(&mut self) -> io::Result<()> {
        self.file = replace(CWD, &self.runtime, &self.enrollment)?;
        Ok(())
    }

    /// Where it is, for words.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.runtime.join(name(self.enrollment.root()))
    }

    /// Removes it: the session is in its place.
    pub fn withdraw(self) -> io::Result<()> {
        super::remove(&self.path())
    }
}

/// Writes `enrollment` in the place of the sidecar in `dir` that is there, whose lock the caller has. The new one is locked
/// before anybody can find it.
pub fn rewrite(dir: impl AsFd, enrollment: &Enrollment) -> io::Result<File> {
    replace(dir.as_fd(), Path::new(""), enrollment)
}

/// Removes what was left of a sidecar of `root` that was being written. Only for who has the lock.
pub fn remove_new(dir: impl AsFd, root: Identity) -> io::Result<()> {
    remove_new_in(dir.as_fd(), Path::new(""), root)
}

fn remove_new_in(dir: BorrowedFd<'_>, path: &Path, root: Identity) -> io::Result<()> {
    match unlinkat(dir, path.join(format!(".{}", name(root))), AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn replace(dir: BorrowedFd<'_>, path: &Path, enrollment: &Enrollment) -> io::Result<File> {
    // Only who has the lock comes here, so what is there was left by somebody who was killed.
    remove_new_in(dir, path, enrollment.root())?;
    put(dir, path, enrollment, Place::Ours)
}

/// Whose the sidecar's place is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Nobody's yet.
    New,
    /// That of the one that is to be replaced.
    Ours,
}

/// Writes a sidecar beside its place in `path` below `dir`, locks it and renames it in.
fn put(dir: BorrowedFd<'_>, path: &Path, enrollment: &Enrollment, whose: Place) -> io::Result<File> {
    let name = name(enrollment.root());
    let (new, place) = (path.join(format!(".{name}")), path.join(name));
    let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat(dir, &new, create, Mode::RUSR | Mode::WUSR)?);
    let placed = flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(io::Error::from)
        .and_then(|()| file.write_all(&serde_json::to_vec(enrollment)?))
        .and_then(|()| file.sync_all())
        .and_then(|()| match whose {
            Place::New => rename_to_new((dir, new.as_os_str()), (dir, place.as_os_str())),
            Place::Ours => Ok(renameat(dir, &new, dir, &place)?),
        });
    if let Err(error) = placed {
        // The error is what matters; a leftover is recognised by its name, and goes with the next recovery.
        let _ = unlinkat(dir, &new, AtFlags::empty());
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
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, read, read_dir};

    use rustix::fs::{FlockOperation, flock};

    use super::{Enrolled, Enrollment, made};

    #[test]
    fn it_is_there_whole_and_locked_until_it_is_withdrawn() {
        let dir = crate::scratch();
        let enrolled = Enrolled::write(dir.path(), &made(10, 5)).unwrap();
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
        let mut enrolled = Enrolled::write(dir.path(), &made(10, 5)).unwrap();
        std::fs::write(dir.path().join(".tracer_enrollment_10_5.json"), "left by somebody who was killed")
            .unwrap();
        let noted = Enrollment { recovered_to: Some("/there".to_owned()), ..made(10, 5) };
        let locked = super::rewrite(File::open(dir.path()).unwrap(), &noted).unwrap();
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
        assert!(Enrolled::write(dir.path(), &made(10, 5)).is_err());
        assert_eq!(read(&path).unwrap(), b"theirs");
        assert_eq!(read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_of_version_1_has_no_comm() {
        let line = r#"{"schema_version":1,"session_id":"a","pid":1,"boot_id":"b","starttime_ticks":2,
            "enrolled_at":"2026-01-01T00:00:00Z","labels":{}}"#;
        let enrollment: Enrollment = serde_json::from_str(line).unwrap();
        assert_eq!((enrollment.comm, enrollment.log_dir), (None, None));
    }
}
