//! A name in a directory that is held open: what has it, is opened, made, renamed and removed by that descriptor.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::{Dir, is_same};

/// A name in a directory, whatever has it.
#[derive(Clone, Debug)]
pub struct Entry {
    dir: Dir,
    path: PathBuf,
}

impl Entry {
    /// The name in `dir`.
    pub(super) fn new(dir: &Dir, name: &OsStr) -> Self {
        Self { dir: dir.clone(), path: dir.path.join(name) }
    }

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
    pub(in crate::record) fn rename_to_new(&self, to: &Self) -> io::Result<()> {
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
