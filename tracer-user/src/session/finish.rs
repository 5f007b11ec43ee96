//! The one way in which a session is written (W5).
//!
//! The directory is built beside its place, under a name that begins with a dot, and renamed in when it is whole. So a
//! reader never sees half a session, and a session that is already there is never touched.
//!
//! It is brought to the disk before that (fsync(2)), and so is its name: only then may the trace file go, which is in memory. A
//! disk that fails, or is full and tells so late, is then an error here and not a session that nobody has. A recovery of many
//! sessions does so once, for all of them.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Access, CWD, OFlags, RenameFlags, access, renameat_with, syncfs};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::SessionId;
use super::index;
use super::recording::Lines;
use super::summary::Summary;
use crate::process::identity::{Identity, Ticks};
use crate::process::stat::Stat;

/// The directory of sessions and their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDir {
    path: PathBuf,
    reader: Option<Reader>,
    /// Whoever writes several sessions brings them to the disk himself.
    synced_later: bool,
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

/// Where sessions lie in a log directory.
#[must_use]
pub fn sessions(log_dir: &Path) -> PathBuf {
    log_dir.join("sessions")
}

impl LogDir {
    /// Makes `path`, or takes it as it is; and sees to it that `id` is free there. To be called before the command runs: that a
    /// session has no place is better told before hours of work than after.
    pub fn open(path: &Path, id: &SessionId) -> Result<Self, FinishError> {
        let dir = Self::at(path)?;
        match dir.is_free(id) {
            true => Ok(dir),
            false => Err(FinishError::Exists { id: id.clone(), path: path.to_owned() }),
        }
    }

    /// Makes `path`, or takes it as it is.
    pub fn at(path: &Path) -> Result<Self, FinishError> {
        let unusable = |why| FinishError::LogDir { path: path.to_owned(), why };
        let sessions = sessions(path);
        // To make what is there costs as much as to make it: a recovery comes here for each session.
        if sessions.symlink_metadata().is_err() {
            std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&sessions).map_err(unusable)?;
        }
        let found = [path.metadata(), sessions.symlink_metadata()];
        for found in found {
            if let Some(what) = objection(&found.map_err(unusable)?, geteuid().is_root()) {
                return Err(unusable(io::Error::other(what)));
            }
        }
        access(&sessions, Access::WRITE_OK).map_err(|error| unusable(error.into()))?;
        Ok(Self { path: path.to_owned(), reader: None, synced_later: false })
    }

    /// Whether there is nothing of the name `id`.
    #[must_use]
    pub fn is_free(&self, id: &SessionId) -> bool {
        let found = std::fs::symlink_metadata(self.session(id));
        found.is_err_and(|error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        })
    }

    /// Where sessions lie.
    #[must_use]
    pub fn sessions(&self) -> PathBuf {
        sessions(&self.path)
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

    /// Where the session `id` is, or will be.
    #[must_use]
    pub fn session(&self, id: &SessionId) -> PathBuf {
        self.sessions().join(id.as_str())
    }

    /// Where it is built.
    fn staging(&self, id: &SessionId) -> PathBuf {
        let me = builder();
        self.sessions().join(format!(".{id}.{}_{}", me.pid, me.start.0))
    }

    /// Where the log directory `path` has the session `id`, if that is the one of `root` in that boot; it gets its line in
    /// the index if whoever put it there died before that.
    pub fn holding(path: &Path, id: &SessionId, root: Identity, boot_id: &str) -> Result<Held, FinishError> {
        let log_dir = Self { path: path.to_owned(), reader: None, synced_later: true };
        if log_dir.is_free(id) {
            return Ok(Held::Free);
        }
        let place = log_dir.session(id);
        let summary = read_summary(&place).unwrap_or_default();
        let of = (summary["pid"].as_u64(), summary["starttime_ticks"].as_u64(), summary["boot_id"].as_str());
        if of != (Some(root.pid.into()), Some(root.start.0), Some(boot_id)) {
            return Ok(Held::Another);
        }
        let index = log_dir.index();
        let in_place = || std::fs::symlink_metadata(&place).is_ok();
        index::repair(&index, id, summary, in_place)
            .map_err(|why| FinishError::Write { path: index.clone(), why })?;
        Ok(Held::Yes(place))
    }

    /// Their index.
    pub(super) fn index(&self) -> PathBuf {
        self.path.join("sessions.jsonl")
    }
}

/// Removes what a tracer or a recovery left in a log directory that was killed while it built the session of the root `pid`
/// there, under whatever name. Only for who has claimed it; another session of the same id may be built at this moment.
pub fn clear_staging(log_dir: &Path, id: &SessionId, pid: u32) {
    let Ok(entries) = std::fs::read_dir(sessions(log_dir)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once('.'));
        let Some((built, builder)) = parts.filter(|(built, _)| built.starts_with(&id.as_str()[..1])) else {
            continue;
        };
        if builder_is_dead(builder) && id.names(pid).any(|name| name.as_str() == built) {
            // It only takes room; nobody takes it for a session.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// tracer itself, as the directory is called in which it builds a session.
fn builder() -> Identity {
    static ME: OnceLock<Identity> = OnceLock::new();
    let pid = std::process::id();
    *ME.get_or_init(|| Stat::read(pid).map_or(Identity { pid, start: Ticks(0) }, |stat| stat.identity()))
}

/// Whether this names a process that is gone. Version 0.1 called it by its pid alone.
fn builder_is_dead(name: &str) -> bool {
    let (pid, start) = name.split_once('_').map_or((name, None), |(pid, start)| (pid, Some(start)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (true, true, Ok(pid)) = (is_number(pid), start.is_none_or(is_number), pid.parse()) else {
        return false;
    };
    let lives = |stat: Stat| !stat.is_over() && start.is_none_or(|start| start == stat.start.0.to_string());
    !Stat::read(pid).is_some_and(lives)
}

/// What is wrong with a directory that sessions are to be written to (W8). What root writes must not follow a link that
/// somebody else could have put there.
fn objection(found: &Metadata, is_root: bool) -> Option<&'static str> {
    let (sticky, others_write) = (found.mode() & 0o1000 != 0, found.mode() & 0o002 != 0);
    if !found.is_dir() {
        Some("it holds a link, or something else, where directories are to be")
    } else if is_root && found.uid() != 0 {
        Some("it is not root's, so somebody else could put links there")
    } else if is_root && others_write && !sticky {
        Some("everybody may write to it, and so put links there")
    } else {
        None
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
pub fn finish(
    log_dir: &LogDir,
    summary: &mut Summary<'_>,
    lines: &mut Lines,
    name: Name,
) -> Result<Placed, FinishError> {
    let id = summary.session_id.clone();
    let names = id.names(summary.pid).skip(usize::from(name == Name::Reserved));
    for name in names.filter(|name| log_dir.is_free(name)) {
        summary.session_id = name;
        match write_session(log_dir, summary, lines) {
            // Somebody was faster.
            Err(FinishError::Exists { .. }) => {}
            done => return done,
        }
    }
    Err(FinishError::Exists { id, path: log_dir.path.clone() })
}

fn write_session(log_dir: &LogDir, summary: &Summary<'_>, lines: &mut Lines) -> Result<Placed, FinishError> {
    let id = &summary.session_id;
    let (staging, place, index) = (log_dir.staging(id), log_dir.session(id), log_dir.index());
    let sync = |path: &Path| if log_dir.synced_later { Ok(()) } else { sync_directory(path) };
    let written = build(&staging, summary, lines, log_dir.synced_later)
        .and_then(|()| sync(&staging))
        .and_then(|()| hand_over(&staging, log_dir.reader).map_err(|error| (staging.clone(), error)))
        .and_then(|()| put_in_place(&staging, &place).map_err(|error| (place.clone(), error)))
        .and_then(|()| sync(&log_dir.sessions()));
    match written {
        Ok(()) => {
            let unindexed = index::append(&index, summary, log_dir.synced_later).err();
            let unindexed =
                unindexed.map(|why| format!("the session has no line in {} ({why})", index.display()));
            Ok(Placed { path: place, unindexed })
        }
        Err((path, source)) => {
            // It is named below; a directory that can't even be removed adds nothing to that.
            let _ = std::fs::remove_dir_all(&staging);
            if source.kind() == io::ErrorKind::AlreadyExists && path == place {
                return Err(FinishError::Exists { id: id.clone(), path: log_dir.path.clone() });
            }
            Err(FinishError::Write { path, why: source })
        }
    }
}

fn build(staging: &Path, summary: &Summary<'_>, lines: &mut Lines, synced_later: bool) -> Result<(), Failed> {
    make(staging).map_err(|error| (staging.to_owned(), error))?;
    let write = |name, fill: &mut dyn FnMut(&mut BufWriter<File>) -> io::Result<()>| {
        let path = staging.join(name);
        write(&path, synced_later, fill).map_err(|error| (path, error))
    };
    write("events.jsonl", &mut |file| lines.copy_events(file))?;
    write("proc_trace.jsonl", &mut |file| lines.copy_snapshots(file))?;
    write("processes.jsonl", &mut |file| lines.copy_processes(file))?;
    if !lines.is_without_anomaly() {
        write("anomalies.jsonl", &mut |file| lines.copy_anomalies(file))?;
    }
    write("summary.json", &mut |file| file.write_all(&summary.to_json()?))
}

/// Makes the directory, and those above it if somebody removed them since the start. What has its name goes: this process is in
/// it, so whoever made it is dead.
fn make(staging: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    match builder.mode(0o700).create(staging) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(sessions) = staging.parent() {
                std::fs::DirBuilder::new().recursive(true).mode(0o755).create(sessions)?;
            }
            builder.create(staging)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_dir_all(staging)?;
            builder.create(staging)
        }
        made => made,
    }
}

fn write(
    path: &Path,
    synced_later: bool,
    fill: &mut dyn FnMut(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut file = BufWriter::with_capacity(64 << 10, file);
    fill(&mut file)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if synced_later { Ok(()) } else { file.sync_all() }
}

/// Brings the names in a directory to the disk.
fn sync_directory(path: &Path) -> Result<(), Failed> {
    let synced = File::open(path).and_then(|dir| dir.sync_all());
    synced.map_err(|error| (path.to_owned(), error))
}

/// Brings all that was written to the file system of `dir` to the disk.
pub fn sync(dir: &Path) -> io::Result<()> {
    Ok(syncfs(File::open(dir)?)?)
}

/// While nobody else can name anything in it.
fn hand_over(staging: &Path, reader: Option<Reader>) -> io::Result<()> {
    let Some(Reader { uid, gid }) = reader else { return Ok(()) };
    for entry in std::fs::read_dir(staging)? {
        lchown(entry?.path(), Some(uid), Some(gid))?;
    }
    lchown(staging, Some(uid), Some(gid))
}

/// The summary of a session, whose directory may be somebody else's by now: only a plain file is read, and only so much.
fn read_summary(place: &Path) -> io::Result<Value> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(place.join("summary.json"))?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(serde_json::from_reader(BufReader::new(file.take(SUMMARY_MAX)))?)
}

fn put_in_place(staging: &Path, place: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, staging, CWD, place, RenameFlags::NOREPLACE)?)
}
