//! Older rows of a killed tracer, in the log directory that its sidecar names: found, removed, and swept up where no sidecar
//! tells of them any more.
//!
//! A reboot empties the runtime directory, and what its trace files had moved to a log directory is of no use then. Such
//! files are known by their names, which hold the boot. They go once nobody holds them and nobody has written them for a
//! day: a log directory may be shared with another machine, whose boot is another one. So do sessions that somebody began to
//! write who is gone.

use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use crate::record::dir::Entry;
use crate::record::enrollment::Enrollment;
use crate::record::log_place::{LogPlace, sessions};
use crate::record::{older, trace_file::TraceFile};
use crate::session::id::SessionId;
use crate::session::staging::is_begun_by_the_dead;
use crate::session::text::{Text, decode};

/// How long what no sidecar tells of is left.
pub(super) const LEFT: Duration = Duration::from_hours(24);

/// The log directory that a sidecar names.
pub(super) fn log_dir(enrollment: &Enrollment) -> Option<PathBuf> {
    absolute(enrollment.log_dir.as_deref()?)
}

/// Whether its tracer had no log directory when it began, and could write no session when it ended: then it is nowhere but where
/// recoveries noted.
pub(super) fn was_never_had(enrollment: &Enrollment) -> bool {
    enrollment.unwritten && enrollment.sessions_dir.is_none()
}

/// A path as a sidecar tells it.
pub(super) fn absolute(told: &str) -> Option<PathBuf> {
    let told = PathBuf::from(std::ffi::OsString::from_vec(decode(told)));
    told.is_absolute().then_some(told)
}

/// Where the older rows of a sidecar's session lie, if there are any: the log directory, and the name. `None`: it names no place.
fn named(enrollment: &Enrollment) -> Option<(PathBuf, String)> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let id: SessionId = enrollment.session_id.parse().ok()?;
    let boot = Some(enrollment.boot_id.as_str()).filter(|boot| boot.bytes().all(is_safe))?;
    Some((log_dir(enrollment)?, older::name(id.as_str(), boot, enrollment.root())))
}

/// The same as a path, for words.
fn path(enrollment: &Enrollment) -> PathBuf {
    named(enrollment).map(|(log_dir, name)| sessions(&log_dir).join(name)).unwrap_or_default()
}

/// The same, in the directory of sessions. `None`: that is not there.
fn entry(enrollment: &Enrollment) -> io::Result<Option<Entry>> {
    let Some((log_dir, name)) = named(enrollment) else { return Ok(None) };
    Ok(LogPlace::if_there(&log_dir)?.map(|dirs| dirs.sessions.entry(name)))
}

/// The whole of what is left of a trace file.
pub(super) fn whole(enrollment: &Enrollment, trace: File) -> Result<TraceFile, String> {
    let unreadable = |why: io::Error| format!("{} can't be read ({why})", path(enrollment).display());
    // A log directory that is broken is in nobody's way who has all in the trace file.
    let moved = older::moved(&trace).map_err(|why| format!("it can't be read ({why})"))?;
    let entry = if moved > 0 { entry(enrollment).map_err(unreadable)? } else { None };
    let older = entry.as_ref().map_or(Ok(None), older::open).map_err(unreadable)?;
    let is_there = older.is_some();
    let whole = TraceFile::left(trace, older).map_err(|why| format!("it can't be read ({why})"))?;
    if whole.lacks_rows() && !is_there {
        may_not_come_back(enrollment, entry.as_ref())?;
    }
    Ok(whole)
}

/// Rows that are missing are gone only if the directory is there that they were put into; else its file system may be mounted
/// later, and a session without them would be in their way.
fn may_not_come_back(enrollment: &Enrollment, entry: Option<&Entry>) -> Result<(), String> {
    let found = entry.and_then(|entry| entry.dir().stat().ok());
    let why = match found.map(|found| is_same_place(enrollment.sessions_dir, (found.st_dev, found.st_ino))) {
        Some(true) => return Ok(()),
        Some(false) => ANOTHER,
        None => "is not there",
    };
    Err(waits("its older rows are missing", enrollment, why))
}

/// A session may be in its place, and that place on a file system that is not mounted now: a second one would be made where
/// nobody finds it once it is. A directory that was only removed is no such place. An error: nobody can tell. A file in
/// the place of older rows is somebody's word that there is nothing to wait for.
pub(super) fn is_not_elsewhere(enrollment: &Enrollment) -> Result<(), String> {
    let Some(dir) = log_dir(enrollment).map(|dir| sessions(&dir)) else { return Ok(()) };
    let is_same = match place_now(&dir) {
        // Where even the root can't be looked at, whoever writes there says so.
        None => true,
        Some((now, true)) => is_same_place(enrollment.sessions_dir, now),
        Some((now, false)) => enrollment.sessions_dir.is_none_or(|then| then.0 == now.0),
    };
    let is_told = || {
        entry(enrollment).is_ok_and(|entry| entry.is_some_and(|it| matches!(older::open(&it), Ok(Some(_)))))
    };
    if is_same || is_told() {
        return Ok(());
    }
    Err(waits("its session may be there already", enrollment, ANOTHER))
}

/// Device and inode of a directory, or of the nearest one above it that is there; and whether it is there itself.
fn place_now(dir: &Path) -> Option<((u64, u64), bool)> {
    let found = dir.ancestors().find_map(|above| Some((above, std::fs::metadata(above).ok()?)));
    found.map(|(above, found)| ((found.dev(), found.ino()), above == dir))
}

const ANOTHER: &str = "is another file system's by now";

fn waits(what: &str, enrollment: &Enrollment, why: &str) -> String {
    let path = path(enrollment);
    format!(
        "{what}: {dir} {why}; mount it, or if that is gone for good: mkdir -p {dir}; touch {path}",
        dir = path.parent().unwrap_or(Path::new("")).display(),
        path = path.display()
    )
}

/// Whether a directory is on the file system that it was on, by device and inode. A file system that was mounted again may be
/// another device, with the same inodes; a directory that was made again is another inode of the same device.
pub(super) fn is_same_place(then: Option<(u64, u64)>, now: (u64, u64)) -> bool {
    then.is_none_or(|then| then.0 == now.0 || then.1 == now.1)
}

/// Says so where older rows were removed by somebody: the session has the others.
pub(super) fn tell_what_is_missing(enrollment: &Enrollment, whole: &TraceFile) {
    if whole.lacks_rows() {
        log::warn!(
            "older rows of session {} are lost: {} was removed",
            enrollment.session_id,
            path(enrollment).display()
        );
    }
}

/// Removes the older rows of a sidecar's session. Where that fails they only take room: nobody reads them any more.
pub(super) fn remove(enrollment: &Enrollment) {
    let removed = entry(enrollment).and_then(|entry| entry.as_ref().map_or(Ok(()), older::remove));
    match removed {
        Ok(()) => {}
        // Rows that had gone there would have been asked for.
        Err(error) if was_never_had(enrollment) => log::info!("{error}: there are no older rows"),
        Err(error) => log::warn!(
            "{} can't be removed ({error}); nobody needs it any more: remove it",
            Text(path(enrollment).as_os_str().as_bytes())
        ),
    }
}

/// Hands on each file of older rows in `log_dir` that nobody will ask for any more, and each session that was begun there and
/// never will be whole, with the reason.
pub(super) fn left_behind(
    log_dir: &Path,
    boot_id: &str,
    now: SystemTime,
    mut each: impl FnMut(&Entry, &'static str),
) {
    // Without a log directory there is nothing to sweep, and one that is not to be written to is no matter of this.
    let Ok(dirs) = LogPlace::existing(log_dir).and_then(|place| place.dirs()) else { return };
    for name in dirs.sessions.names().unwrap_or_default() {
        let Some(text) = name.to_str() else { continue };
        let entry = dirs.sessions.entry(&name);
        if older::boot_of(text).is_some_and(|boot| boot != boot_id) && is_left(&entry, now) {
            each(&entry, "it is from before a reboot, and its trace file is gone");
        } else if is_begun_by_the_dead(text) && is_old_dir(&entry, now) {
            each(&entry, "whoever began to write that session is gone");
        }
    }
}

fn is_old_dir(entry: &Entry, now: SystemTime) -> bool {
    let written = entry.open_dir().and_then(|dir| dir.stat());
    written.is_ok_and(|found| {
        let at = u64::try_from(found.st_mtime).map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at));
        at.is_ok_and(|at| is_old(at, now))
    })
}

fn is_old(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age >= LEFT)
}

fn is_left(entry: &Entry, now: SystemTime) -> bool {
    let Ok(Some(file)) = older::open(entry) else { return false };
    let written = file.metadata().and_then(|found| found.modified());
    written.is_ok_and(|at| is_old(at, now)) && flock(&file, FlockOperation::NonBlockingLockShared).is_ok()
}
