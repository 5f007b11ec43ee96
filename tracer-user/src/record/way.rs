//! The way to a directory, which somebody else may have laid (W8).
//!
//! It is walked name by name, each looked up in the directory that was opened before it. So whatever is changed behind the walk does
//! not matter any more: who owns a directory on the way can stop it, and can't turn it. A link is followed only if nobody else can
//! have put it there: it is root's or this user's own, in a directory in which only those two may change names (as
//! sshd_config(5), StrictModes, judges directories). What is missing on the way is made.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;

use super::dir::Dir;
use super::lookable;

/// Links that are followed; the kernel follows as many (path_resolution(7)).
const LINKS: usize = 40;

/// Why a way is not gone.
#[derive(Debug, thiserror::Error)]
pub enum Objection {
    /// A link that somebody else could have put there.
    #[error(
        "on the way there {link} is a link of user {uid} in a directory of user {dir_uid} with mode {dir_mode:04o}, where somebody \
         else could have put it; name the directory that it leads to"
    )]
    Link {
        /// The link.
        link: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Whose the directory is that holds it.
        dir_uid: u32,
        /// That directory's mode.
        dir_mode: u32,
    },
    /// A directory in which somebody else could put links.
    #[error(
        "{dir} is of user {uid} and group {gid} with mode {mode:04o}, so somebody else could put links there; make it root's \
         alone (chown root: and chmod go-w)"
    )]
    Open {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Its mode.
        mode: u32,
    },
}

/// Opens the directory at `path`.
pub fn existing(path: &Path) -> io::Result<Dir> {
    walk(path, false)
}

/// The same; what is missing of it is made.
pub fn made(path: &Path) -> io::Result<Dir> {
    walk(path, true)
}

/// Objects to a directory that root is to write to, if somebody else may, too.
pub fn roots_alone(dir: &Dir) -> io::Result<()> {
    let found = dir.stat()?;
    if !rustix::process::geteuid().is_root() || !is_open_to_others(dir.as_fd().as_raw_fd(), &found) {
        return Ok(());
    }
    let (uid, gid, mode) = (found.st_uid, found.st_gid, found.st_mode & 0o7777);
    Err(io::Error::other(Objection::Open { dir: dir.path().to_owned(), uid, gid, mode }))
}

fn walk(path: &Path, make: bool) -> io::Result<Dir> {
    let start =
        |absolute| openat(CWD, if absolute { "/" } else { "." }, LOOK | OFlags::DIRECTORY, Mode::empty());
    let mut at = start(path.is_absolute())?;
    let mut so_far = PathBuf::from(if path.is_absolute() { "/" } else { "" });
    let (mut names, mut links) = (names(path), 0);
    while let Some(name) = names.pop_front() {
        let next = step(&at, &name, make)?;
        let found = fstat(&next)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            (at, so_far) = (next, so_far.join(&name));
            continue;
        }
        trusted(&at, &found, || so_far.join(&name))?;
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = readlinkat(&next, "", Vec::new())?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            (at, so_far) = (start(true)?, PathBuf::from("/"));
        }
        for name in self::names(&target).into_iter().rev() {
            names.push_front(name);
        }
    }
    let dir = openat(&at, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(Dir::new(dir, path.to_owned()))
}

/// To look at what has a name, and to go on from there: needs no right to read it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What has `name`: a directory or a link.
fn step(at: &OwnedFd, name: &OsString, make: bool) -> Result<OwnedFd, Errno> {
    // As a directory first: what is mounted when it is asked for (autofs) is, then.
    let directory = || openat(at, name, LOOK | OFlags::DIRECTORY, Mode::empty());
    let opened = match directory() {
        Err(Errno::NOENT) if make => {
            match lookable::make(at, name) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            directory()
        }
        opened => opened,
    };
    match opened {
        Err(not_a_directory @ (Errno::NOTDIR | Errno::LOOP)) => {
            let found = openat(at, name, LOOK, Mode::empty())?;
            let kind = FileType::from_raw_mode(fstat(&found)?.st_mode);
            if kind == FileType::Symlink { Ok(found) } else { Err(not_a_directory) }
        }
        opened => opened,
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

/// Objects to a link that somebody else could have put into the directory `at`.
fn trusted(at: &OwnedFd, link: &Stat, path: impl FnOnce() -> PathBuf) -> io::Result<()> {
    let dir = fstat(at)?;
    if is_trusted(link.st_uid) && !is_open_to_others(at.as_raw_fd(), &dir) {
        return Ok(());
    }
    let (uid, dir_uid, dir_mode) = (link.st_uid, dir.st_uid, dir.st_mode & 0o7777);
    Err(io::Error::other(Objection::Link { link: path(), uid, dir_uid, dir_mode }))
}

/// Who does what he likes with this user's files anyway.
fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Whether somebody else may change names in a directory that are not his own.
fn is_open_to_others(fd: i32, dir: &Stat) -> bool {
    let sticky = dir.st_mode & 0o1000 != 0;
    let others_write = dir.st_mode & 0o002 != 0;
    // What an access control list lets others do shows in the mode as the group's (acl(5)).
    let group_writes = dir.st_mode & 0o020 != 0;
    !is_trusted(dir.st_uid)
        || !sticky && (others_write || group_writes && (!is_private(dir.st_gid) || has_access_list(fd)))
}

/// Whether nobody but root and this user is in a group: root's, or the one that has the user's name and no other member.
fn is_private(gid: u32) -> bool {
    let of_user = || -> Option<bool> {
        let user = User::from_uid(Uid::effective()).ok()??;
        let group = Group::from_gid(Gid::from_raw(gid)).ok()??;
        Some(group.name == user.name && group.mem.iter().all(|member| *member == user.name))
    };
    gid == 0 || of_user().unwrap_or(false)
}

fn has_access_list(fd: i32) -> bool {
    let list = rustix::fs::getxattr_query(format!("/proc/self/fd/{fd}"), "system.posix_acl_access");
    !matches!(list, Err(Errno::NODATA | Errno::OPNOTSUPP))
}

#[cfg(test)]
mod tests;
