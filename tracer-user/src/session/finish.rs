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
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::SessionId;
use super::index;
use super::lines::Lines;
use super::retention::{self, Keep};
use super::staging;
use super::summary::Summary;
use crate::process::identity::Identity;
use crate::record::dir::{Dir, Entry};
use crate::record::enrollment::is_full;
use crate::record::log_place::{self, Dirs, LogPlace};
use crate::record::way;

/// The directory of sessions and their index.
#[derive(Clone, Debug)]
pub struct LogDir {
    place: LogPlace,
    reader: Option<Reader>,
    /// Whoever writes several sessions brings them to the disk himself.
    synced_later: bool,
    /// What stays of older sessions where there is no room for a new one.
    keep: Option<Keep>,
}

/// Whether a log directory has a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Here.
    Yes(PathBuf),
    /// Its name is free.
    Free,
    /// Its name is another's.
    Another,
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
    /// Makes `path`, or takes it as it is; and sees to it that `id` is free there. To be called before the command runs: a place
    /// that is no log directory is better told before hours of work than after.
    ///
    /// A disk that takes nothing now, or not from this user, is no reason not to run: that may pass, and until then the session
    /// is safe in the runtime directory.
    pub fn open(path: &Path, id: &SessionId) -> Result<Self, FinishError> {
        let dir = match Self::at(path) {
            Err(FinishError::LogDir { path, why }) if may_pass(&why) => {
                log::info!("the log directory {} can't be written as of now ({why})", path.display());
                Self::new(LogPlace::later(&path))
            }
            dir => dir?,
        };
        match dir.is_free(id) {
            true => Ok(dir),
            false => Err(FinishError::Exists { id: id.clone(), path: path.to_owned() }),
        }
    }

    /// Makes `path`, or takes it as it is.
    pub fn at(path: &Path) -> Result<Self, FinishError> {
        let unusable = |why| FinishError::LogDir { path: path.to_owned(), why };
        let place = LogPlace::made(path).map_err(unusable)?;
        let sessions = place.dirs().map_err(unusable)?.sessions;
        sessions.is_writable().map_err(unusable)?;
        Ok(Self::new(place))
    }

    fn new(place: LogPlace) -> Self {
        Self { place, reader: None, synced_later: false, keep: None }
    }

    /// Whether [`Self::at`] would do that, as far as it is seen without making anything.
    pub fn can_be_at(path: &Path) -> Result<(), FinishError> {
        LogPlace::can_be_made(path).map_err(|why| FinishError::LogDir { path: path.to_owned(), why })
    }

    /// Whether there is nothing of the name `id`. What can't be seen is told by whoever puts something there.
    #[must_use]
    pub fn is_free(&self, id: &SessionId) -> bool {
        let found = self.sessions().and_then(|sessions| sessions.entry(id.as_str()).found());
        found.map_or(true, |found| found.is_none())
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

    /// Where the disk is full, sessions that are not to be kept go before the one that is written.
    #[must_use]
    pub fn making_room(self, keep: Keep) -> Self {
        Self { keep: Some(keep), ..self }
    }

    /// Whether there is more room now.
    fn makes_room(&self) -> bool {
        // No directory: no session in it that could go; and that it can't be made is told by who wanted it.
        if self.place.dirs().is_err() {
            return false;
        }
        let removed = self.keep.as_ref().map_or(Ok(0), |keep| retention::apply(self, keep));
        removed.map_or_else(
            |error| {
                log::warn!("old sessions in {} can't be removed ({error})", self.place.path().display());
                false
            },
            |removed| removed > 0,
        )
    }

    /// Where a log directory has the session `id`, if that is the one of `root` in that boot; unless only to `look`, it gets its
    /// line in the index if whoever put it there died before that.
    pub fn holding(
        dirs: &Dirs,
        id: &SessionId,
        (root, boot_id): (Identity, &str),
        look: bool,
    ) -> Result<Held, FinishError> {
        let place = dirs.sessions.entry(id.as_str());
        let unusable = |why| FinishError::LogDir { path: dirs.log.path().to_owned(), why };
        if place.found().map_err(unusable)?.is_none() {
            return Ok(Held::Free);
        }
        let is_ours = |summary: &Value| {
            summary["pid"] == root.pid
                && summary["starttime_ticks"] == root.start.0
                && summary["boot_id"] == boot_id
        };
        let summary: Value = read_summary(&place).unwrap_or_default();
        if !is_ours(&summary) {
            return Ok(Held::Another);
        }
        if look {
            return Ok(Held::Yes(place.path().to_owned()));
        }
        let index = index::of(&dirs.log);
        let in_place = || read_summary(&place).is_ok_and(|summary| is_ours(&summary));
        index::repair(&index, id, summary, in_place)
            .map_err(|why| FinishError::Write { path: index.path().to_owned(), why })?;
        Ok(Held::Yes(place.path().to_owned()))
    }
}

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
                    summary.map_err(io::Error::from).and_then(|told| index::repair(&index, id, told, || true))
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

/// Whether it is the disk or the rights to it that stand against a log directory, and not what lies in its place.
fn may_pass(error: &io::Error) -> bool {
    let is_of_the_disk = matches!(error.raw_os_error(), Some(libc::EIO | libc::ESTALE));
    is_full(error)
        || is_of_the_disk
        || matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
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
pub(super) fn read_summary<T: DeserializeOwned>(place: &Entry) -> io::Result<T> {
    let file = place.open_dir()?.entry("summary.json").regular_file(OFlags::RDONLY)?;
    Ok(serde_json::from_reader(BufReader::new(file.take(SUMMARY_MAX)))?)
}
