//! Working directories: the kernel names them by device and inode, `/proc` knows the paths.
//!
//! A process may be gone before anybody asks `/proc` about it. But most processes share a few directories, so a path
//! that was once seen for a (device, inode) serves all; and where a process is gone, its parent may stand there still.
//! A path is taken only if `/proc` shows the very directory that the kernel named.
//!
//! Paths are held as long as somebody may ask for them: a test suite that makes a directory for each test must not fill the
//! memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use bytes::Bytes;

use crate::kernel::event::Directory;

/// Paths that were seen.
#[derive(Debug, Default)]
pub struct Directories {
    paths: HashMap<Directory, Bytes>,
    /// Paths of a recording, which does not name their device and inode.
    recorded: HashMap<Bytes, Directory>,
    /// How many of those there ever were.
    recordings: u64,
    /// Paths that the last clearing left.
    left: usize,
}

/// Paths that are held whoever stands where.
const HELD: usize = 4096;

impl Directories {
    /// The path of `directory`, if it is known or one of `pids` stands there now.
    pub fn resolve(&mut self, directory: Directory, pids: &[u32]) -> Option<&Bytes> {
        match self.paths.entry(directory) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(unknown) => {
                let path = pids.iter().find_map(|pid| path_of(*pid, directory))?;
                Some(unknown.insert(path))
            }
        }
    }

    /// Something to know a recorded path by: no file system has a device of this number.
    pub fn recorded(&mut self, path: Bytes) -> Directory {
        let next = Directory { dev: u64::MAX, ino: self.recordings };
        let directory = *self.recorded.entry(path.clone()).or_insert(next);
        self.recordings += u64::from(directory == next);
        self.paths.entry(directory).or_insert(path);
        directory
    }

    /// Whether there are so many that those in which nobody stands are to go.
    #[must_use]
    pub fn are_many(&self) -> bool {
        self.paths.len() > HELD.max(2 * self.left)
    }

    /// Forgets all but these. What is asked for again is found again where somebody stands there.
    pub fn keep(&mut self, wanted: impl Iterator<Item = Directory>) {
        let mut all = std::mem::take(&mut self.paths);
        self.paths = wanted.filter_map(|directory| Some((directory, all.remove(&directory)?))).collect();
        let paths = &self.paths;
        self.recorded.retain(|_, directory| paths.contains_key(directory));
        self.left = self.paths.len();
    }

    /// The path of `directory`, if it is known.
    #[must_use]
    pub fn known(&self, directory: Directory) -> Option<&Bytes> {
        self.paths.get(&directory)
    }
}

fn path_of(pid: u32, directory: Directory) -> Option<Bytes> {
    let link = format!("/proc/{pid}/cwd");
    let found = std::fs::metadata(&link).ok()?;
    if (found.dev(), found.ino()) != (directory.dev, directory.ino) {
        return None;
    }
    Some(std::fs::read_link(&link).ok()?.into_os_string().into_vec().into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::Directories;
    use crate::kernel::event::Directory;

    #[test]
    fn a_directory_is_named_by_whoever_stands_in_it() {
        let here = std::env::current_dir().unwrap();
        let meta = std::fs::metadata(&here).unwrap();
        let directory = Directory { dev: meta.dev(), ino: meta.ino() };
        let mut directories = Directories::default();
        assert_eq!(directories.resolve(directory, &[0]), None);
        let path = directories.resolve(directory, &[0, std::process::id()]).unwrap();
        assert_eq!(path, here.as_os_str().as_encoded_bytes());
        assert!(directories.known(directory).is_some());
    }

    #[test]
    fn of_many_directories_those_in_which_somebody_stands_stay() {
        let mut directories = Directories::default();
        let name = |number: usize| bytes::Bytes::from(format!("/tmp/test-{number}"));
        let first = directories.recorded(name(0));
        for number in 0..100_000 {
            let directory = directories.recorded(name(number));
            if directories.are_many() {
                directories.keep([first, directory].into_iter());
            }
            assert_eq!(directories.known(directory), Some(&name(number)));
        }
        assert!(directories.paths.len() <= super::HELD + 1 && directories.recorded.len() <= super::HELD + 1);
        assert_eq!(directories.known(first), Some(&name(0)));
        assert_eq!(directories.recorded(name(0)), first);
    }

    #[test]
    fn who_stands_elsewhere_names_nothing() {
        let nowhere = Directory { dev: 0, ino: 1 };
        assert_eq!(Directories::default().resolve(nowhere, &[std::process::id()]), None);
    }
}
