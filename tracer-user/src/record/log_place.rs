//! The log directory and the directory of sessions in it, held open from the start of a run to its end.
//!
//! Whatever somebody does meanwhile to the directories above them, all that is written goes where it was to go when that was
//! looked at. Only where one of the two was removed is it made again, by the same way and with the same objections. What can't be
//! had at the start of a run is looked for anew whenever it is wanted.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::dir::Dir;
use super::{lookable, way};

/// The directory of sessions, in the log directory.
const SESSIONS: &str = "sessions";

/// Where sessions lie in a log directory.
#[must_use]
pub fn sessions(log_dir: &Path) -> PathBuf {
    log_dir.join(SESSIONS)
}

/// A log directory. A clone is the same one.
#[derive(Clone, Debug)]
pub struct LogPlace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// `None`: not had so far.
    dirs: Mutex<Option<Dirs>>,
}

/// Its directories.
#[derive(Clone, Debug)]
pub struct Dirs {
    /// The log directory itself: the index, the fence.
    pub log: Dir,
    /// Where sessions lie and are built.
    pub sessions: Dir,
}

impl LogPlace {
    /// Makes it, or takes what is there. For root it has to be root's alone.
    pub fn made(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, Some(Dirs::made(path)?)))
    }

    /// Makes it, or takes what is there, when it is first wanted and each time after that until it can be had.
    #[must_use]
    pub fn later(path: &Path) -> Self {
        Self::new(path, None)
    }

    /// Opens it as it is.
    pub fn existing(path: &Path) -> io::Result<Self> {
        let log = existing_log(path)?;
        let sessions = alone(log.entry(SESSIONS).open_dir()?)?;
        Ok(Self::new(path, Some(Dirs { log, sessions })))
    }

    /// Whether it could be made or taken, and written to, as far as that is seen without making anything.
    pub fn can_be_made(path: &Path) -> io::Result<()> {
        match existing_log(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => nearest_above(path)?.is_writable(),
            Err(error) => Err(error),
            Ok(log) if log.entry(SESSIONS).found()?.is_none() => log.is_writable(),
            Ok(log) => open_sessions(&log)?.is_writable(),
        }
    }

    /// The directories as they are; `None`: they are not there.
    pub fn if_there(path: &Path) -> io::Result<Option<Dirs>> {
        match Self::existing(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            place => place?.dirs().map(Some),
        }
    }

    fn new(path: &Path, dirs: Option<Dirs>) -> Self {
        Self(Arc::new(Shared { path: path.to_owned(), dirs: Mutex::new(dirs) }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its directories, made again if somebody has removed them.
    pub fn dirs(&self) -> io::Result<Dirs> {
        // Nothing is half done under this lock.
        let mut held = self.0.dirs.lock().unwrap_or_else(PoisonError::into_inner);
        let dirs = match held.clone() {
            Some(dirs) if dirs.log.is_removed() => Dirs::made(&self.0.path)?,
            Some(Dirs { log, sessions }) if sessions.is_removed() => {
                Dirs { sessions: sessions_in(&log)?, log }
            }
            Some(dirs) => dirs,
            None => Dirs::made(&self.0.path)?,
        };
        *held = Some(dirs.clone());
        Ok(dirs)
    }
}

impl Dirs {
    fn made(path: &Path) -> io::Result<Self> {
        let log = alone(way::made(path)?)?;
        let sessions = sessions_in(&log)?;
        Ok(Self { log, sessions })
    }
}

/// The log directory alone, as it is.
pub fn existing_log(path: &Path) -> io::Result<Dir> {
    alone(way::existing(path)?)
}

/// The nearest directory above `path` that is there.
fn nearest_above(path: &Path) -> io::Result<Dir> {
    let above =
        path.ancestors().skip(1).map(|dir| if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
    let is_there = |found: &io::Result<Dir>| {
        found.as_ref().err().is_none_or(|error| error.kind() != io::ErrorKind::NotFound)
    };
    above.map(way::existing).find(is_there).unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
}

fn sessions_in(log: &Dir) -> io::Result<Dir> {
    match lookable::make(log, OsStr::new(SESSIONS)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    open_sessions(log)
}

fn open_sessions(log: &Dir) -> io::Result<Dir> {
    let sessions = log.entry(SESSIONS);
    let opened = sessions.open_dir().map_err(|error| match error.raw_os_error() {
        Some(libc::ENOTDIR | libc::ELOOP) => {
            let path = sessions.display();
            io::Error::new(error.kind(), format!("{path} is a link, or something else that is no directory"))
        }
        _ => error,
    });
    alone(opened?)
}

fn alone(dir: Dir) -> io::Result<Dir> {
    way::roots_alone(&dir).map(|()| dir)
}
