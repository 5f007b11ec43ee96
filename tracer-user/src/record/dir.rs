//! A directory by its descriptor, and the names in it.
//!
//! A path is looked up anew each time, and leads elsewhere once somebody has put a link on the way. A descriptor stays the
//! directory that it was opened for, wherever that is moved. No call here follows a link, and no name leads out of the
//! directory; paths are for words only.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawDir, RenameFlags, Stat, StatxFlags, Uid};
use rustix::io::Errno;

/// The type of an overlayfs (linux/magic.h).
const OVERLAYFS_SUPER_MAGIC: rustix::fs::FsWord = 0x794c_7630;

/// A directory that is held open. A clone is the same descriptor.
#[derive(Clone, Debug)]
pub struct Dir {
    fd: Arc<OwnedFd>,
    path: PathBuf,
}

/// A name in a directory, whatever has it.
#[derive(Clone, Debug)]
pub struct Entry {
    dir: Dir,
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
        Entry { dir: self.clone(), path: self.path.join(name.as_ref()) }
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

impl Entry {
    /// The last word of the path, so that no name leads out of the directory.
    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// The directory that it is in.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Its path, for words.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its path, as text.
    pub fn display(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// What has this name; `None`: nothing.
    pub fn found(&self) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.dir, self.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a file of ours alone that nobody may have made.
    pub fn create(&self) -> io::Result<File> {
        self.create_with(0o600)
    }

    /// The same with another mode.
    pub fn create_with(&self, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(self.open(flags, mode)?.into())
    }

    /// Opens a plain file, made if `flags` say so: no link, device or FIFO, no other name, ours or root's.
    pub fn plain_file(&self, flags: OFlags) -> io::Result<File> {
        let file = self.regular_file(flags)?;
        only_of_ours(&rustix::fs::fstat(&file)?)?;
        Ok(file)
    }

    /// The same, whoever owns it and whatever other names it has: to read it.
    pub fn regular_file(&self, flags: OFlags) -> io::Result<File> {
        // To open a device or a FIFO can itself do something, so look first.
        if let Some(found) = self.found()? {
            regular(&found)?;
        }
        let file = self.open(flags | OFlags::NONBLOCK | OFlags::NOCTTY, 0o600)?;
        regular(&rustix::fs::fstat(&file)?)?;
        Ok(file.into())
    }

    fn open(&self, flags: OFlags, mode: u32) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.dir, self.name(), flags, Mode::from_raw_mode(mode))?)
    }

    /// Whether the name still is that very file.
    pub fn is(&self, file: &File) -> io::Result<bool> {
        let held = rustix::fs::fstat(file)?;
        Ok(self.found()?.is_some_and(|there| is_same(&held, &there)))
    }

    /// Makes a directory that nobody may have made.
    pub fn make_dir(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.dir, self.name(), Mode::from_raw_mode(mode))?)
    }

    /// Opens a directory.
    pub fn open_dir(&self) -> io::Result<Dir> {
        let fd = self.open(OFlags::RDONLY | OFlags::DIRECTORY, 0)?;
        Ok(Dir::new(fd, self.path.clone()))
    }

    /// Gives it another name, which nobody has any more afterwards.
    pub fn rename(&self, to: &Self) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.dir, self.name(), &to.dir, to.name())?)
    }

    /// Gives it another name, unless somebody has that.
    pub(super) fn rename_to_new(&self, to: &Self) -> io::Result<()> {
        rename_to_new((&self.dir, self.name()), (&to.dir, to.name()))
    }

    /// Gives a directory another name, unless somebody has that.
    pub fn rename_dir_to_new(&self, to: &Self) -> io::Result<()> {
        rename_to_new((&self.dir, self.name()), (&to.dir, to.name()))
    }

    /// Removes a file, or a link. If somebody did that already, it is done.
    pub fn remove(&self) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.dir, self.name(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes whatever has this name, with all that is in it.
    pub fn remove_tree(&self) -> io::Result<()> {
        let is_dir = |found: Stat| FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        match self.found()? {
            // The standard library goes down by descriptors too.
            Some(found) if is_dir(found) => {
                std::fs::remove_dir_all(self.dir.through_proc().join(self.name()))
            }
            _ => self.remove(),
        }
    }
}

/// Gives a name in a directory another one, unless somebody has that.
///
/// Some file systems can't be asked so (NFS, some of FUSE). There it is a look first, and then rename(2) as it always was. What
/// comes in between: a directory replaces nothing but an empty directory, so a session is never lost, and a reader sees all of it or
/// nothing. A file would be replaced, so this is only for names that nobody else gives.
fn rename_to_new((from_dir, from): (impl AsFd, &OsStr), (to_dir, to): (impl AsFd, &OsStr)) -> io::Result<()> {
    let taken = || Err(io::ErrorKind::AlreadyExists.into());
    match rustix::fs::renameat_with(&from_dir, from, &to_dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        renamed => return Ok(renamed?),
    }
    match rustix::fs::statat(&to_dir, to, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => {}
        Ok(_) => return taken(),
        Err(error) => return Err(error.into()),
    }
    match rustix::fs::renameat(&from_dir, from, &to_dir, to) {
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => taken(),
        renamed => Ok(renamed?),
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

fn regular(found: &Stat) -> io::Result<()> {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(io::Error::other("it is a link, or something else that is no regular file; remove it")),
    }
}

/// Whether a file is one that only this user or root can have put there.
fn only_of_ours(found: &Stat) -> io::Result<()> {
    let me = rustix::process::geteuid().as_raw();
    if found.st_nlink > 1 {
        Err(io::Error::other("it has another name elsewhere; remove it"))
    } else if found.st_uid != me && found.st_uid != 0 {
        let owner = found.st_uid;
        Err(io::Error::other(format!("it belongs to user {owner}, who could have put it there; remove it")))
    } else {
        Ok(())
    }
}

/// So that tests can look at what is there.
#[cfg(test)]
impl AsRef<Path> for Entry {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::OFlags;

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

    #[test]
    fn no_name_leads_out_of_it() {
        let scratch = crate::scratch();
        let dir = way::existing(scratch.path()).unwrap();
        dir.entry("/elsewhere/../file").create().unwrap();
        assert!(scratch.path().join("file").exists());
        assert!(dir.entry("..").open_dir().is_err());
    }

    #[test]
    fn a_new_name_is_taken_from_nobody() {
        let scratch = crate::scratch();
        let dir = way::existing(scratch.path()).unwrap();
        let [one, two] = ["one", "two"].map(|name| dir.entry(name));
        one.make_dir(0o700).unwrap();
        for what in ["directory", "file", "link"] {
            match what {
                "directory" => two.make_dir(0o700).unwrap(),
                "file" => drop(two.create().unwrap()),
                _ => symlink("nowhere", &two).unwrap(),
            }
            let taken = one.rename_dir_to_new(&two).unwrap_err();
            assert_eq!(taken.kind(), std::io::ErrorKind::AlreadyExists, "{what}");
            two.remove_tree().unwrap();
        }
        one.rename_dir_to_new(&two).unwrap();
    }

    #[test]
    fn what_is_removed_is_not_what_a_link_leads_to() {
        let scratch = crate::scratch();
        let dir = way::existing(scratch.path()).unwrap();
        let [kept, gone] = ["kept", "gone"].map(|name| dir.entry(name));
        kept.make_dir(0o700).unwrap();
        gone.make_dir(0o700).unwrap();
        symlink("../kept", gone.path().join("link")).unwrap();
        kept.open_dir().unwrap().entry("file").create().unwrap();
        gone.remove_tree().unwrap();
        symlink("kept", &gone).unwrap();
        gone.remove_tree().unwrap();
        assert_eq!(dir.names().unwrap(), ["kept"]);
        assert!(kept.path().join("file").exists());
    }

    #[test]
    fn only_a_plain_file_of_ours_or_roots_is_opened() {
        let scratch = crate::scratch();
        let dir = way::existing(scratch.path()).unwrap();
        let at = |name: &str| dir.entry(name);
        let is_opened = |name: &str| at(name).plain_file(OFlags::RDONLY).is_ok();
        at("plain").create().unwrap();
        symlink("plain", at("link")).unwrap();
        at("one").create().unwrap();
        fs::hard_link(at("one"), at("two")).unwrap();
        at("directory").make_dir(0o700).unwrap();
        rustix::fs::mknodat(&dir, "fifo", rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(is_opened("plain"));
        assert!(["link", "two", "directory", "fifo"].iter().all(|name| !is_opened(name)));
    }
}
