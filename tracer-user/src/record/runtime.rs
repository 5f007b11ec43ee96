//! The runtime directory `<tmpfs_path>/tracer-<uid>/`: on ground that others may write to, so it is checked.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
pub fn open(tmpfs: &Path) -> Result<PathBuf, RuntimeDirError> {
    let uid = rustix::process::geteuid().as_raw();
    let path = tmpfs.join(format!("tracer-{uid}"));
    let failed = |why| RuntimeDirError::Make { path: path.clone(), why };
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let found = std::fs::symlink_metadata(&path).map_err(failed)?;
    let foreign = |what| Err(RuntimeDirError::Foreign { path: path.clone(), what });
    if !found.is_dir() {
        foreign("it is no directory")
    } else if found.uid() != uid {
        foreign("somebody else owns it")
    } else if found.permissions().mode() & 0o077 != 0 {
        foreign("its mode lets others in")
    } else {
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{RuntimeDirError, open};

    #[test]
    fn it_is_made_once_and_taken_again() {
        let tmpfs = crate::scratch();
        let path = open(tmpfs.path()).unwrap();
        assert_eq!(open(tmpfs.path()).unwrap(), path);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_others_could_have_put_there_is_refused() {
        let tmpfs = crate::scratch();
        let path = open(tmpfs.path()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(matches!(open(tmpfs.path()), Err(RuntimeDirError::Foreign { .. })));
        std::fs::remove_dir(&path).unwrap();
        symlink(tmpfs.path(), &path).unwrap();
        assert!(matches!(open(tmpfs.path()), Err(RuntimeDirError::Foreign { .. })));
    }
}
