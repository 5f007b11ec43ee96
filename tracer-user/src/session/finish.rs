//! The one way in which a session is written (W5).
//!
//! The directory is built beside its place, under a name that begins with a dot, and renamed in when it is whole. So a
//! reader never sees half a session, and a session that is already there is never touched.
//!
//! It is brought to the disk before that (fsync(2)), and so is its name: only then may the trace file go, which is in memory. A
//! disk that fails, or is full and tells so late, is then an error here and not a session that nobody has. A recovery of many
//! sessions does so once, for all of them.
//!
//! [`LogDir`]: where sessions go.

mod log_dir;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::de::DeserializeOwned;

use super::id::SessionId;
use super::index;
use super::lines::Lines;
use super::staging;
use super::summary::Summary;
use crate::record::dir::{Dir, Entry};
use crate::record::enrollment::is_full;
use crate::record::{log_place, way};
pub use log_dir::{Held, LogDir, Reader};

/// Why a session can't be written.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The log directory can't be used.
    #[error("the log directory {path} can't be used ({why}); give another one with --log-dir")]
    LogDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// There is a session of this id.
    #[error("there is a session {id} in {path} already; give another --session-id")]
    Exists {
        /// The id.
        id: SessionId,
        /// The log directory.
        path: PathBuf,
    },
    /// A file of the session can't be written.
    #[error("{path} can't be written ({why})")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

/// The most bytes that a summary has.
const SUMMARY_MAX: u64 = 64 << 20;

/// What failed, on which file.
type Failed = (PathBuf, io::Error);

/// Whose a session's id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Its own, unless there is another session of it.
    Own,
    /// That of a run which is on.
    Reserved,
}

/// A session in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it is.
    pub path: PathBuf,
    /// Why the index has no line of it, if it has none. What the session was made of must not go without a mark.
    pub unindexed: Option<String>,
}

/// Writes the session. Afterwards its directory is in place, and the index has its line if that can be had. Where its id is
/// another session's it is written under one beside it, and the summary says so: what was recorded is not lost by a name.
///
/// `in_place` is called in between: whoever has a line may be removed at any time, and must not be made again then.
pub fn finish(
    log_dir: &LogDir,
    summary: &mut Summary<'_>,
    lines: &mut Lines,
    name: Name,
    mut in_place: impl FnMut(),
) -> Result<Placed, FinishError> {
    let id = summary.session_id.clone();
    let names = id.names(summary.pid).skip(usize::from(name == Name::Reserved));
    for name in names.filter(|name| log_dir.is_free(name)) {
        summary.session_id = name;
        let written = match write_session(log_dir, summary, lines, &mut in_place) {
            // Otherwise it would stay full: what is old goes after a session that was written.
            Err(FinishError::Write { why, .. }) if is_full(&why) && log_dir.makes_room() => {
                write_session(log_dir, summary, lines, &mut in_place)
            }
            written => written,
        };
        match written {
            // Somebody was faster.
            Err(FinishError::Exists { .. }) => {}
            done => return done,
        }
    }
    Err(FinishError::Exists { id, path: log_dir.place.path().to_owned() })
}

fn write_session(
    log_dir: &LogDir,
    summary: &Summary<'_>,
    lines: &mut Lines,
    in_place: &mut impl FnMut(),
) -> Result<Placed, FinishError> {
    let id = &summary.session_id;
    let name = staging::name(id);
    // Made again if somebody removed them since the start.
    let dirs = log_dir.place.dirs().map_err(|why| {
        let path = log_place::sessions(log_dir.place.path()).join(&name);
        FinishError::Write { path, why }
    })?;
    let (staging, place) = (dirs.sessions.entry(name), dirs.sessions.entry(id.as_str()));
    let index = index::of(&dirs.log);
    let before = index::Before::now(&index);
    let written = build(&staging, summary, lines, log_dir).and_then(|()| {
        staging.rename_dir_to_new(&place).map_err(failed(&place))?;
        if log_dir.synced_later { Ok(()) } else { dirs.sessions.sync().map_err(failed_in(&dirs.sessions)) }
    });
    match written {
        Ok(()) => {
            in_place();
            let appended = index::append(&index, summary, &before, log_dir.synced_later);
            let unindexed = match appended {
                Err(why) if is_full(&why) && log_dir.makes_room() => {
                    let summary = serde_json::to_value(summary);
                    let summary = summary.map_err(io::Error::from);
                    summary.and_then(|told| index::repair(&index, id, told, || true)).map(drop)
                }
                appended => appended,
            };
            let unindexed = unindexed.err();
            let unindexed =
                unindexed.map(|why| format!("the session has no line in {} ({why})", index.display()));
            Ok(Placed { path: dirs.sessions.whereabouts().join(id.as_str()), unindexed })
        }
        Err((path, source)) => {
            // It is named below; a directory that can't even be removed adds nothing to that.
            let _ = staging.remove_tree();
            if source.kind() == io::ErrorKind::AlreadyExists && path == place.path() {
                return Err(FinishError::Exists { id: id.clone(), path: log_dir.place.path().to_owned() });
            }
            Err(FinishError::Write { path, why: source })
        }
    }
}

fn failed(entry: &Entry) -> impl Fn(io::Error) -> Failed {
    let path = entry.path().to_owned();
    move |error| (path.clone(), error)
}

fn failed_in(dir: &Dir) -> impl Fn(io::Error) -> Failed {
    let path = dir.path().to_owned();
    move |error| (path.clone(), error)
}

/// Builds the session in `staging`, and hands it over while nobody else can name anything in it.
fn build(staging: &Entry, summary: &Summary<'_>, lines: &mut Lines, log_dir: &LogDir) -> Result<(), Failed> {
    let dir = make(staging).map_err(failed(staging))?;
    let mut files = Vec::new();
    let mut write = |name, fill: &mut dyn FnMut(&mut BufWriter<File>) -> io::Result<()>| {
        let entry = dir.entry(name);
        files.push((write(&entry, log_dir, fill).map_err(failed(&entry))?, entry));
        Ok(())
    };
    write("events.jsonl", &mut |file| lines.copy_events(file))?;
    write("proc_trace.jsonl", &mut |file| lines.copy_snapshots(file))?;
    write("processes.jsonl", &mut |file| lines.copy_processes(file))?;
    if !lines.is_without_anomaly() {
        write("anomalies.jsonl", &mut |file| lines.copy_anomalies(file))?;
    }
    write("summary.json", &mut |file| file.write_all(&summary.to_json()?))?;
    if !log_dir.synced_later {
        // The disk is asked for all of them before the first is waited for.
        files.iter().try_for_each(|(file, entry)| begin_writing(file).map_err(failed(entry)))?;
        files.iter().try_for_each(|(file, entry)| file.sync_all().map_err(failed(entry)))?;
    }
    if let Some(Reader { uid, gid }) = log_dir.reader {
        dir.give_to(uid, gid).map_err(failed(staging))?;
    }
    if log_dir.synced_later { Ok(()) } else { dir.sync().map_err(failed(staging)) }
}

/// Has the disk begin to write a file (sync_file_range(2)), and waits for nothing.
///
/// Most of what fails is told by fsync(2), which follows. But where no blocks can be had for it ext4 throws away what it was to
/// write (fs/ext4/inode.c, `mpage_map_and_submit_extent`), and tells that whoever asked first, and nobody else.
fn begin_writing(file: &File) -> io::Result<()> {
    // SAFETY: a descriptor that is open, and numbers.
    if unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // It can't be asked for, or not now: nothing is thrown away.
        Some(libc::ENOSYS | libc::EINVAL | libc::ESPIPE | libc::EPERM | libc::ENOMEM | libc::EAGAIN) => {
            Ok(())
        }
        _ => Err(error),
    }
}

/// Makes the directory. What has its name goes: this process is in it, so whoever made it is dead.
fn make(staging: &Entry) -> io::Result<Dir> {
    match staging.make_dir(0o700) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            staging.remove_tree()?;
            staging.make_dir(0o700)?;
        }
        made => made?,
    }
    staging.open_dir()
}

fn write(
    entry: &Entry,
    log_dir: &LogDir,
    fill: &mut dyn FnMut(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<File> {
    let mut file = BufWriter::with_capacity(64 << 10, entry.create()?);
    fill(&mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Some(Reader { uid, gid }) = log_dir.reader {
        std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
    }
    Ok(file)
}

/// Brings all that was written to the file system of `dir` to the disk.
pub fn sync(dir: &Path) -> io::Result<()> {
    way::existing(dir)?.sync_file_system()
}

/// The summary of a session, whose directory may be somebody else's by now: only a plain file is read, and only so much.
pub(super) fn read_summary<T: DeserializeOwned>(place: &Entry) -> io::Result<T> {
    let file = place.open_dir()?.entry("summary.json").regular_file(OFlags::RDONLY)?;
    Ok(serde_json::from_reader(BufReader::new(file.take(SUMMARY_MAX)))?)
}
