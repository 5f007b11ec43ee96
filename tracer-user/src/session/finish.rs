//! The one way in which a session is written (W5).
//!
//! The directory is built beside its place, under a name that begins with a dot, and renamed in when it is whole. So a
//! reader never sees half a session, and a session that is already there is never touched.
//!
//! It is brought to the disk before that (fsync(2)), and so is its name: only then may the trace file go, which is in memory. A
//! disk that fails, or is full and tells so late, is then an error here and not a session that nobody has. A recovery of many
//! sessions does so once, for all of them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::SessionId;
use super::index;
use super::recording::Lines;
use super::summary::Summary;
use crate::process::identity::Identity;
use crate::record::dir::{Dir, Entry};
use crate::record::log_place::{self, LogPlace};
use crate::record::way;

/// The directory of sessions and their index.
#[derive(Clone, Debug)]
pub struct LogDir {
    place: LogPlace,
    reader: Option<Reader>,
    /// Whoever writes several sessions brings them to the disk himself.
    synced_later: bool,
}

/// Whose a session is that root writes on somebody's behalf (W8): nobody else may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

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

impl LogDir {
    /// Makes `path`, or takes it as it is; and sees to it that `id` is free there. To be called before the command runs: that a
    /// session has no place is better told before hours of work than after.
    pub fn open(path: &Path, id: &SessionId) -> Result<Self, FinishError> {
        let unusable = |why| FinishError::LogDir { path: path.to_owned(), why };
        let place = LogPlace::made(path).map_err(unusable)?;
        let sessions = place.dirs().map_err(unusable)?.sessions;
        sessions.is_writable().map_err(unusable)?;
        match sessions.entry(id.as_str()).found() {
            Ok(None) => Ok(Self { place, reader: None, synced_later: false }),
            Ok(Some(_)) => Err(FinishError::Exists { id: id.clone(), path: path.to_owned() }),
            Err(why) => Err(unusable(why)),
        }
    }

    /// The directories, held open.
    #[must_use]
    pub fn place(&self) -> &LogPlace {
        &self.place
    }

    /// Where sessions lie.
    pub fn sessions(&self) -> io::Result<Dir> {
        Ok(self.place.dirs()?.sessions)
    }

    /// Sessions are to be this user's from now on.
    #[must_use]
    pub fn read_by(self, reader: Option<Reader>) -> Self {
        Self { reader, ..self }
    }

    /// Sessions are brought to the disk later, by [`sync`].
    #[must_use]
    pub fn synced_later(self) -> Self {
        Self { synced_later: true, ..self }
    }

    /// Removes what a tracer or a recovery left that was killed while it built the session `id`. Only for who has claimed it.
    pub fn clear_staging(&self, id: &SessionId) {
        let begins = format!(".{id}.");
        let Ok(sessions) = self.sessions() else { return };
        for name in sessions.names().unwrap_or_default() {
            let builder = name.to_str().and_then(|name| name.strip_prefix(&begins));
            if builder.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())) {
                // It only takes room; nobody takes it for a session.
                let _ = sessions.entry(&name).remove_tree();
            }
        }
    }

    /// The session `id` of the log directory `path`, if it is that of `root` in that boot; it gets its line in the index if
    /// whoever put it there died before that.
    pub fn holding(
        path: &Path,
        id: &SessionId,
        root: Identity,
        boot_id: &str,
    ) -> Result<PathBuf, FinishError> {
        let exists = FinishError::Exists { id: id.clone(), path: path.to_owned() };
        let dirs = LogPlace::existing(path).and_then(|place| place.dirs());
        let dirs = dirs.map_err(|why| FinishError::LogDir { path: path.to_owned(), why })?;
        let place = dirs.sessions.entry(id.as_str());
        let summary = read_summary(&place).unwrap_or_default();
        let of = (summary["pid"].as_u64(), summary["starttime_ticks"].as_u64(), summary["boot_id"].as_str());
        if of != (Some(root.pid.into()), Some(root.start.0), Some(boot_id)) {
            return Err(exists);
        }
        let index = index::of(&dirs);
        let in_place = || place.found().is_ok_and(|found| found.is_some());
        index::repair(&index, id, summary, in_place)
            .map_err(|why| FinishError::Write { path: index.path().to_owned(), why })?;
        Ok(place.path().to_owned())
    }
}

/// Writes the session. Afterwards its directory is in place and the index has its line.
pub fn finish(log_dir: &LogDir, summary: &Summary<'_>, lines: &mut Lines) -> Result<PathBuf, FinishError> {
    let id = summary.session_id;
    let name = format!(".{id}.{}", std::process::id());
    // Made again if somebody removed them since the start.
    let dirs = log_dir.place.dirs().map_err(|why| {
        let path = log_place::sessions(log_dir.place.path()).join(&name);
        FinishError::Write { path, why }
    })?;
    let (staging, place) = (dirs.sessions.entry(name), dirs.sessions.entry(id.as_str()));
    let written = build(&staging, summary, lines, log_dir).and_then(|()| {
        staging.rename_dir_to_new(&place).map_err(failed(&place))?;
        if log_dir.synced_later { Ok(()) } else { dirs.sessions.sync().map_err(failed_in(&dirs.sessions)) }
    });
    match written {
        Ok(()) => {
            let index = index::of(&dirs);
            if let Err(error) = index::append(&index, summary, log_dir.synced_later) {
                log::warn!("the session has no line in {} ({error})", index.display());
            }
            Ok(dirs.sessions.whereabouts().join(id.as_str()))
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
    let write = |name, fill: &mut dyn FnMut(&mut BufWriter<File>) -> io::Result<()>| {
        let entry = dir.entry(name);
        write(&entry, log_dir, fill).map_err(failed(&entry))
    };
    write("events.jsonl", &mut |file| lines.copy_events(file))?;
    write("proc_trace.jsonl", &mut |file| lines.copy_snapshots(file))?;
    write("processes.jsonl", &mut |file| lines.copy_processes(file))?;
    if !lines.is_without_anomaly() {
        write("anomalies.jsonl", &mut |file| lines.copy_anomalies(file))?;
    }
    write("summary.json", &mut |file| file.write_all(&summary.to_json()?))?;
    if !log_dir.synced_later {
        dir.sync().map_err(failed(staging))?;
    }
    match log_dir.reader {
        Some(Reader { uid, gid }) => dir.give_to(uid, gid).map_err(failed(staging)),
        None => Ok(()),
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
) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(64 << 10, entry.create()?);
    fill(&mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if !log_dir.synced_later {
        file.sync_all()?;
    }
    match log_dir.reader {
        Some(Reader { uid, gid }) => std::os::unix::fs::fchown(&file, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// Brings all that was written to the file system of `dir` to the disk.
pub fn sync(dir: &Path) -> io::Result<()> {
    way::existing(dir)?.sync_file_system()
}

/// The summary of a session, whose directory may be somebody else's by now: only a plain file is read, and only so much.
fn read_summary(place: &Entry) -> io::Result<Value> {
    let file = place.open_dir()?.entry("summary.json").regular_file(OFlags::RDONLY)?;
    Ok(serde_json::from_reader(BufReader::new(file.take(SUMMARY_MAX)))?)
}
