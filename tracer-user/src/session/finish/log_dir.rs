//! A log directory as whoever writes a session there needs it: made, looked into, with room in it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FinishError, read_summary};
use crate::process::identity::Identity;
use crate::record::dir::Dir;
use crate::record::log_place::{Dirs, LogPlace};
use crate::session::id::SessionId;
use crate::session::index;
use crate::session::retention::{self, Keep};

/// The directory of sessions and their index.
#[derive(Clone, Debug)]
pub struct LogDir {
    pub(super) place: LogPlace,
    pub(super) reader: Option<Reader>,
    /// Whoever writes several sessions brings them to the disk himself.
    pub(super) synced_later: bool,
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

    /// Sessions are brought to the disk later, by [`super::sync`].
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
    pub(super) fn makes_room(&self) -> bool {
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

/// Whether it is the disk or the rights to it that stand against a log directory, and not what lies in its place, or that nothing
/// can lie there. Disks and servers have many ways to fail, names have few; an objection is no error of the system's.
fn may_pass(error: &io::Error) -> bool {
    let is_of_the_name = |errno| {
        matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENAMETOOLONG | libc::EINVAL)
    };
    error.raw_os_error().is_some_and(|errno| !is_of_the_name(errno))
}
