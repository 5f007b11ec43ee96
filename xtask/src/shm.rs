//! The listing of `/dev/shm`, compared before and after tests: no test touches shared ground (X).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Every path under a directory, as it was when listed.
#[derive(Debug)]
pub(crate) struct Listing {
    dir: PathBuf,
    paths: BTreeSet<PathBuf>,
}

impl Listing {
    /// Lists `/dev/shm`.
    pub(crate) fn take() -> Result<Self> {
        Self::of(Path::new("/dev/shm"))
    }

    fn of(dir: &Path) -> Result<Self> {
        let mut paths = BTreeSet::new();
        let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        collect(entries, &mut paths);
        Ok(Self { dir: dir.to_owned(), paths })
    }

    /// Fails where the directory no longer lists the same.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        let now = Self::of(&self.dir)?.paths;
        let new = now.difference(&self.paths).map(|path| format!("new: {}", path.display()));
        let gone = self.paths.difference(&now).map(|path| format!("gone: {}", path.display()));
        let changes: Vec<String> = new.chain(gone).collect();
        if !changes.is_empty() {
            bail!("{} changed while the tests ran: {}", self.dir.display(), changes.join(", "));
        }
        Ok(())
    }
}

/// What cannot be listed belongs to somebody else or has gone meanwhile: its own path counts, its contents don't.
fn collect(entries: fs::ReadDir, paths: &mut BTreeSet<PathBuf>) {
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(inner) = fs::read_dir(entry.path())
        {
            collect(inner, paths);
        }
        paths.insert(entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_left_behind_in_a_subdirectory_is_named() {
        let dir = crate::workspace::scratch();
        fs::create_dir(dir.path().join("a")).unwrap();
        let before = Listing::of(dir.path()).unwrap();
        before.check_unchanged().unwrap();
        fs::write(dir.path().join("a/left"), "").unwrap();
        assert!(before.check_unchanged().unwrap_err().to_string().contains("a/left"));
    }
}
