//! A directory by its descriptor, and the names in it.
//!
//! A path is looked up anew each time, and leads elsewhere once somebody has put a link on the way. A descriptor stays the
//! directory that it was opened for, wherever that is moved. No call here follows a link, and no name leads out of the
//! directory; paths are for words only.
//!
//! `entry`: a name in it.

mod entry;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RawDir, Stat, StatxFlags, Uid};
use rustix::io::Errno;

pub use entry::Entry;

/// The type of an overlayfs (linux/magic.h).
const OVERLAYFS_SUPER_MAGIC: rustix::fs::FsWord = 0x794c_7630;

/// A directory that is held open. A clone is the same descriptor.
#[derive(Clone, Debug)]
pub struct Dir {
    fd: Arc<OwnedFd>,
    path: PathBuf,
}

impl Dir {
    /// The directory of that descriptor, which was found at `path`.
    pub(super) fn new(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd: Arc::new(fd), path }
    }

    /// Where it was found.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is now, if somebody has moved it since.
    #[must_use]
    pub fn whereabouts(&self) -> PathBuf {
        let held = |there: &Stat| self.stat().is_ok_and(|held| is_same(&held, there));
        if rustix::fs::stat(&self.path).is_ok_and(|there| held(&there)) {
            return self.path.clone();
        }
        std::fs::read_link(self.through_proc()).unwrap_or_else(|_| self.path.clone())
    }

    /// A name in it.
    #[must_use]
    pub fn entry(&self, name: impl AsRef<OsStr>) -> Entry {
        Entry::new(self, name.as_ref())
    }

    /// The names in it.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(self)? {
            let name = entry?.file_name().to_bytes().to_owned();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    /// What it is.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(self)?)
    }

    /// How long ago it was made; on a file system that does not tell, changed. A time to come counts too: the clock was set back.
    /// Its owner can't alter when it was made. `None`: nobody can tell.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        let wanted = StatxFlags::BTIME | StatxFlags::CTIME;
        let found = rustix::fs::statx(self, c"", AtFlags::EMPTY_PATH, wanted).ok()?;
        let is_told = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        let at = if is_told { found.stx_btime } else { found.stx_ctime };
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.tv_sec).ok()?);
        Some(now.duration_since(made).unwrap_or_else(|ahead| ahead.duration()))
    }

    /// Whether it was removed: nothing can be made in it any more.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        // On a network file system somebody else may have done that (ESTALE).
        self.stat()
            .map_or(true, |held| held.st_nlink == 0 || (self.may_keep_its_links() && self.lists_nothing()))
    }

    /// Whether it is on overlayfs, where a directory of a lower layer keeps its links when it is removed; or nobody can tell.
    fn may_keep_its_links(&self) -> bool {
        rustix::fs::fstatfs(self).map_or(true, |on| on.f_type == OVERLAYFS_SUPER_MAGIC)
    }

    /// Whether its names can't be had any more: of a directory that is removed the kernel tells no names on any file system, not
    /// even that of itself.
    fn lists_nothing(&self) -> bool {
        let gone = |error: Errno| matches!(error, Errno::NOENT | Errno::STALE);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(self, ".", flags, Mode::empty()) {
            Ok(fd) => {
                matches!(RawDir::new(fd, &mut [MaybeUninit::uninit(); 4096]).next(), Some(Err(error)) if gone(error))
            }
            Err(error) => gone(error),
        }
    }

    /// Whether this user may make names in it.
    pub fn is_writable(&self) -> io::Result<()> {
        Ok(rustix::fs::accessat(self, ".", rustix::fs::Access::WRITE_OK, AtFlags::empty())?)
    }

    /// Brings its names to the disk.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self)?)
    }

    /// Brings all that was written to its file system to the disk.
    pub fn sync_file_system(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(self)?)
    }

    /// Gives it to somebody.
    pub fn give_to(&self, uid: u32, gid: u32) -> io::Result<()> {
        Ok(rustix::fs::fchown(self, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?)
    }

    /// A file in it without a name.
    pub fn nameless_file(&self) -> io::Result<File> {
        tempfile::tempfile_in(self.through_proc())
    }

    /// A path that leads to this very directory, for what the standard library and crates do with paths alone (proc_pid_fd(5)).
    /// Good as long as this lives.
    fn through_proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether a file has a name still, wherever that is.
pub(super) fn has_name(file: &File) -> bool {
    // What can't be asked was not removed.
    rustix::fs::fstat(file).map_or(true, |found| found.st_nlink > 0)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use crate::record::way;

    #[test]
    fn it_stays_the_same_directory_wherever_it_is_moved_and_whatever_comes_in_its_place() {
        let scratch = crate::scratch();
        let at = |name: &str| scratch.path().join(name);
        fs::create_dir(at("one")).unwrap();
        fs::create_dir(at("other")).unwrap();
        let dir = way::existing(&at("one")).unwrap();
        fs::rename(at("one"), at("moved")).unwrap();
        symlink(at("other"), at("one")).unwrap();
        dir.entry("file").create().unwrap();
        dir.nameless_file().unwrap();
        assert!(at("moved/file").exists() && fs::read_dir(at("other")).unwrap().count() == 0);
        assert_eq!(dir.whereabouts(), fs::canonicalize(at("moved")).unwrap());
        fs::remove_dir_all(at("moved")).unwrap();
        assert!(dir.is_removed() && dir.entry("file").create().is_err());
    }
}
