//! Older rows of a killed tracer, in the log directory that its sidecar names: found, removed, and swept up where no sidecar
//! tells of them any more.
//!
//! A reboot empties the runtime directory, and what its trace files had moved to a log directory is of no use then. Such
//! files are known by their names, which hold the boot. They go once nobody holds them and nobody has written them for a
//! day: a log directory may be shared with another machine, whose boot is another one.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use crate::record::enrollment::Enrollment;
use crate::record::{older, trace_file::TraceFile};
use crate::session::finish::sessions;
use crate::session::id::SessionId;
use crate::session::text::{Text, decode};

/// How long what no sidecar tells of is left.
pub(super) const LEFT: Duration = Duration::from_hours(24);

/// The log directory that a sidecar names.
pub(super) fn log_dir(enrollment: &Enrollment) -> Option<PathBuf> {
    absolute(enrollment.log_dir.as_deref()?)
}

/// A path as a sidecar tells it.
pub(super) fn absolute(told: &str) -> Option<PathBuf> {
    let told = PathBuf::from(std::ffi::OsString::from_vec(decode(told)));
    told.is_absolute().then_some(told)
}

/// Where the older rows of a sidecar's session lie, if there are any. `None`: it names no place.
fn path(enrollment: &Enrollment) -> Option<PathBuf> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let id: SessionId = enrollment.session_id.parse().ok()?;
    let boot = Some(enrollment.boot_id.as_str()).filter(|boot| boot.bytes().all(is_safe))?;
    Some(older::path(&sessions(&log_dir(enrollment)?), id.as_str(), boot, enrollment.root()))
}

/// The whole of what is left of a trace file.
pub(super) fn whole(enrollment: &Enrollment, trace: File) -> Result<TraceFile, String> {
    let unreadable = |path: &Path, why: io::Error| format!("{} can't be read ({why})", path.display());
    let path = path(enrollment);
    // A log directory that is broken is in nobody's way who has all in the trace file.
    let moved = older::moved(&trace).map_err(|why| format!("it can't be read ({why})"))?;
    let older = match &path {
        Some(path) if moved > 0 => older::open(path).map_err(|why| unreadable(path, why))?,
        _ => None,
    };
    let is_there = older.is_some();
    let whole = TraceFile::left(trace, older).map_err(|why| format!("it can't be read ({why})"))?;
    let path = path.unwrap_or_default();
    if whole.lacks_rows() && !is_there {
        may_not_come_back(enrollment, &path)?;
    }
    Ok(whole)
}

/// Rows that are missing are gone only if the directory is there that they were put into; else its file system may be mounted
/// later, and a session without them would be in their way.
fn may_not_come_back(enrollment: &Enrollment, path: &Path) -> Result<(), String> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let why = match fs::metadata(dir)
        .map(|found| is_same_place(enrollment.sessions_dir, (found.dev(), found.ino())))
    {
        Ok(true) => return Ok(()),
        Ok(false) => "is another file system's by now",
        Err(_) => "is not there",
    };
    Err(format!(
        "its older rows are missing: {dir} {why}; mount it, or if they are gone for good: mkdir -p {dir}; touch {path}",
        dir = dir.display(),
        path = path.display()
    ))
}

/// Whether a directory is on the file system that it was on, by device and inode. A file system that was mounted again may be
/// another device, with the same inodes; a directory that was made again is another inode of the same device.
pub(super) fn is_same_place(then: Option<(u64, u64)>, now: (u64, u64)) -> bool {
    then.is_none_or(|then| then.0 == now.0 || then.1 == now.1)
}

/// Says so where older rows were removed by somebody: the session has the others.
pub(super) fn tell_what_is_missing(enrollment: &Enrollment, whole: &TraceFile) {
    if whole.lacks_rows() {
        let path = path(enrollment).unwrap_or_default();
        log::warn!(
            "older rows of session {} are lost: {} was removed",
            enrollment.session_id,
            path.display()
        );
    }
}

/// Removes the older rows of a sidecar's session. Where that fails they only take room: nobody reads them any more.
pub(super) fn remove(enrollment: &Enrollment) {
    let Some(path) = path(enrollment) else { return };
    if let Err(error) = older::remove(&path) {
        log::warn!(
            "{} can't be removed ({error}); nobody needs it any more: remove it",
            Text(path.as_os_str().as_bytes())
        );
    }
}

/// Hands on each file of older rows in `log_dir` that nobody will ask for any more.
pub(super) fn of_other_boots(log_dir: &Path, boot_id: &str, now: SystemTime, mut each: impl FnMut(&Path)) {
    // Without a log directory there is nothing to sweep.
    let Ok(entries) = fs::read_dir(sessions(log_dir)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let boot = name.to_str().and_then(older::boot_of);
        if boot.is_some_and(|boot| boot != boot_id) && is_left(&entry.path(), now) {
            each(&entry.path());
        }
    }
}

fn is_left(path: &Path, now: SystemTime) -> bool {
    let Ok(Some(file)) = older::open(path) else { return false };
    let written = file.metadata().and_then(|found| found.modified());
    let is_old = written.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age >= LEFT));
    is_old && flock(&file, FlockOperation::NonBlockingLockShared).is_ok()
}
