//! `--summary-json FILE`: the bytes of the session's `summary.json`, also in FILE.
//!
//! A file is made beside its place and renamed in, so a reader never sees half of it, and a link that somebody put there is
//! replaced and not followed. What is no file (`-`, which is stdout, `/dev/fd/3`, a named pipe) is opened before the command
//! runs, so that it is what the caller meant; its reader is waited for, but not for ever. Whatever goes wrong with it is a warning: the status is the command's.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::{FdFlags, fcntl_getfd};

use super::bounded::{PATIENCE, write_all};
use crate::session::finish::Reader;

/// Where the summary goes.
#[derive(Debug)]
pub(super) enum Destination {
    /// It is open.
    Open(PathBuf, File),
    /// A file that is to be.
    File(PathBuf),
    /// It could not be opened.
    Failed(PathBuf, io::Error),
}

impl Destination {
    /// Opens what must be open before the command runs.
    pub(super) fn open(path: &Path) -> Self {
        let opened = match descriptor(path) {
            Some(number) => duplicate(number),
            None if fs::metadata(path).is_ok_and(|there| !there.is_file()) => open_for_writing(path),
            None => {
                let absolute = std::path::absolute(path);
                return absolute.map_or_else(|why| Self::Failed(path.to_owned(), why), Self::File);
            }
        };
        opened.map_or_else(|why| Self::Failed(path.to_owned(), why), |file| Self::Open(path.to_owned(), file))
    }

    /// Writes it. What somebody else's session is, is readable by them alone.
    pub(super) fn write(self, summary: Result<&[u8], &String>, reader: Option<Reader>) {
        let summary = summary.map_err(|why| io::Error::other(why.clone()));
        let (path, written) = match self {
            Self::Open(path, to) => {
                let written = summary.and_then(|summary| write_all(to.as_fd(), summary, PATIENCE));
                (path, written)
            }
            Self::File(path) => {
                let written = summary.and_then(|summary| replace(&path, summary, reader));
                (path, written)
            }
            Self::Failed(path, why) => (path, Err(why)),
        };
        if let Err(error) = written {
            log::warn!(
                "--summary-json: {} can't be written ({error}); a session that is on the disk has its summary",
                path.display()
            );
        }
    }
}

/// The descriptor that a name stands for.
fn descriptor(path: &Path) -> Option<RawFd> {
    match path.to_str()? {
        "-" | "/dev/stdout" => Some(libc::STDOUT_FILENO),
        "/dev/stderr" => Some(libc::STDERR_FILENO),
        name => ["/dev/fd/", "/proc/self/fd/"].iter().find_map(|dir| name.strip_prefix(dir)?.parse().ok()),
    }
}

/// A copy that the command does not get. Its original may be a socket, which has no name to open it by. One that is closed at
/// the next exec is tracer's own: no caller could have given it, and it stands where the caller gave none.
fn duplicate(number: RawFd) -> io::Result<File> {
    if number < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: only copied; a number that is not open is an error.
    let there = unsafe { BorrowedFd::borrow_raw(number) };
    if fcntl_getfd(there)?.contains(FdFlags::CLOEXEC) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    Ok(there.try_clone_to_owned()?.into())
}

/// A named pipe that nobody has open is an error and not a reason to wait; nor does a write wait.
fn open_for_writing(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().write(true).custom_flags(flags).open(path)
}

fn replace(path: &Path, summary: &[u8], reader: Option<Reader>) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mode = if reader.is_some() { 0o600 } else { 0o666 };
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(dir)?;
    file.write_all(summary)?;
    if let Some(Reader { uid, gid }) = reader {
        fchown(file.as_file(), Some(uid), Some(gid))?;
    }
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::Destination;

    #[test]
    fn a_file_is_replaced_whole_and_a_link_is_not_followed() {
        let dir = crate::scratch();
        let (path, elsewhere) = (dir.path().join("summary"), dir.path().join("elsewhere"));
        fs::write(&elsewhere, "precious").unwrap();
        symlink(&elsewhere, &path).unwrap();
        Destination::open(&path).write(Ok(b"{}\n"), None);
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read(&elsewhere).unwrap()),
            (b"{}\n".to_vec(), b"precious".to_vec())
        );
        assert!(!path.is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no scratch file stays");
    }

    #[test]
    fn a_named_pipe_that_nobody_reads_is_not_waited_for() {
        let dir = crate::scratch();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(Destination::open(&path), Destination::Failed(..)));
    }
}
