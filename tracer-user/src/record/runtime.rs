//! The runtime directory `<tmpfs_path>/tracer-<uid>/`: on ground that others may write to, so it is checked.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::dir::Dir;

/// Where the runtime directory lies unless told otherwise.
pub const DEFAULT_TMPFS: &str = "/dev/shm";

/// Why there is no runtime directory.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirError {
    /// It can't be made.
    #[error("the runtime directory {path} can't be made ({why}); give another place with --tmpfs-path")]
    Make {
        /// The directory.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// Somebody else could write into it.
    #[error(
        "the runtime directory {path} is not ours alone ({what}); remove it or give another place with --tmpfs-path"
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Makes `<tmpfs>/tracer-<uid>`, or takes the one that is there if it is a directory, ours, and closed to others.
pub fn open(tmpfs: &Path) -> Result<Dir, RuntimeDirError> {
    let path = place(tmpfs);
    let failed = |why| RuntimeDirError::Make { path: path.clone(), why };
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    existing(tmpfs)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

fn place(tmpfs: &Path) -> PathBuf {
    tmpfs.join(format!("tracer-{}", rustix::process::geteuid().as_raw()))
}

/// Opens `<tmpfs>/tracer-<uid>` if it is there; then it has to be a directory, ours, and closed to others.
pub fn existing(tmpfs: &Path) -> Result<Option<Dir>, RuntimeDirError> {
    let path = place(tmpfs);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |error: Errno| RuntimeDirError::Make { path: path.clone(), why: error.into() };
    let dir = match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return Err(RuntimeDirError::Foreign { path, what: "it is no directory" });
        }
        Err(error) => return Err(failed(error)),
    };
    let found = rustix::fs::fstat(&dir).map_err(failed)?;
    match objection(found.st_uid, found.st_mode) {
        Some(what) => Err(RuntimeDirError::Foreign { path, what }),
        None => Ok(Some(Dir::new(dir, path))),
    }
}

/// What is wrong with a runtime directory.
fn objection(uid: u32, mode: u32) -> Option<&'static str> {
    if uid != rustix::process::geteuid().as_raw() {
        Some("somebody else owns it")
    } else if mode & 0o077 != 0 {
        Some("its mode lets others in")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{RuntimeDirError, open};

    #[test]
    fn it_is_made_once_and_taken_again() {
        let tmpfs = crate::scratch();
        let path = open(tmpfs.path()).unwrap().path().to_owned();
        assert_eq!(open(tmpfs.path()).unwrap().path(), path);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_others_could_have_put_there_is_refused() {
        let tmpfs = crate::scratch();
        let path = open(tmpfs.path()).unwrap().path().to_owned();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(matches!(open(tmpfs.path()), Err(RuntimeDirError::Foreign { .. })));
        std::fs::remove_dir(&path).unwrap();
        symlink(tmpfs.path(), &path).unwrap();
        assert!(matches!(open(tmpfs.path()), Err(RuntimeDirError::Foreign { .. })));
    }
}
