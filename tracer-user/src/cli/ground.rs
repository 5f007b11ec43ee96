//! Where things lie unless told otherwise, for every subcommand alike.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::record::runtime::DEFAULT_TMPFS;
use crate::session::finish::Reader;

/// Where the runtime directory lies. Tests must never touch the ground that all share.
pub(super) fn tmpfs_path(given: Option<PathBuf>) -> Result<PathBuf, String> {
    let under_test = std::env::var_os("TRACER_TEST").is_some() || std::env::var_os("NEXTEST").is_some();
    tmpfs_path_where(given, under_test)
}

fn tmpfs_path_where(given: Option<PathBuf>, under_test: bool) -> Result<PathBuf, String> {
    let path = given.unwrap_or_else(|| PathBuf::from(DEFAULT_TMPFS));
    if under_test && is_shared(&path) {
        return Err(format!("under a test {DEFAULT_TMPFS} is not to be touched; give another --tmpfs-path"));
    }
    Ok(path)
}

/// Whether it is the directory that all share, whatever it is called.
fn is_shared(path: &Path) -> bool {
    let which = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let shared = Path::new(DEFAULT_TMPFS);
    path == shared || which(path).is_some_and(|it| Some(it) == which(shared))
}

/// Where sessions go.
pub(super) fn default_log_dir() -> Result<PathBuf, String> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/log/tracer"));
    }
    let from =
        |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = from("XDG_STATE_HOME").or_else(|| from("HOME").map(|home| home.join(".local/state")));
    let state = state.ok_or("neither XDG_STATE_HOME nor HOME says where sessions go; give --log-dir")?;
    Ok(state.join("tracer"))
}

/// Who called sudo (sudo(8), SUDO_UID and SUDO_GID), if this is root's and somebody else did.
pub(super) fn invoker() -> Option<Reader> {
    let id = |variable: &str| std::env::var(variable).ok()?.parse::<u32>().ok();
    let reader = Reader { uid: id("SUDO_UID")?, gid: id("SUDO_GID")? };
    (rustix::process::geteuid().is_root() && reader.uid != 0).then_some(reader)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::tmpfs_path_where;

    #[test]
    fn a_test_must_say_where_its_runtime_directory_goes() {
        assert!(tmpfs_path_where(None, true).is_err());
        assert!(tmpfs_path_where(Some("/dev/shm/".into()), true).is_err());
        assert!(tmpfs_path_where(Some("/dev/shm/../shm".into()), true).is_err());
        let dir = crate::scratch();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/shm", &link).unwrap();
        assert!(tmpfs_path_where(Some(link), true).is_err());
        assert_eq!(tmpfs_path_where(Some(dir.path().into()), true), Ok(dir.path().to_owned()));
        assert_eq!(tmpfs_path_where(Some("/x".into()), true), Ok(PathBuf::from("/x")));
        assert_eq!(tmpfs_path_where(None, false), Ok(PathBuf::from("/dev/shm")));
    }
}
