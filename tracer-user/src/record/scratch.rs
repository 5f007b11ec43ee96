//! A file without a name, for what is too much for memory: it vanishes with the process, however that ends.
//!
//! If it can't be had or fails, there is one warning, and what it did not take stays with whoever asked.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use super::dir::Dir;

/// The file, once it is needed.
#[derive(Debug)]
pub struct Scratch {
    /// Where it can be made; `None`: nowhere any more.
    dir: Option<Dir>,
    file: Option<File>,
    len: u64,
    /// Whether one in the same place has failed already.
    told: Rc<Cell<bool>>,
}

impl Scratch {
    /// None yet; it is to be in `dir`, or nowhere.
    #[must_use]
    pub fn new(dir: Option<Dir>) -> Self {
        Self { dir, file: None, len: 0, told: Rc::default() }
    }

    /// An empty one in the same place. What goes wrong there is told once for all of them.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { dir: self.dir.clone(), file: None, len: 0, told: Rc::clone(&self.told) }
    }

    /// Whether it is worth asking.
    #[must_use]
    pub fn takes_more(&self) -> bool {
        self.dir.is_some()
    }

    /// Adds `bytes`, all or none of them. Whether it did.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let Some(dir) = &self.dir else { return false };
        let file = self.file.take().map_or_else(|| dir.nameless_file(), Ok);
        let written = file.and_then(|file| {
            let written = file.write_all_at(bytes, self.len);
            self.file = Some(file);
            written
        });
        match written {
            Ok(()) => self.len += bytes.len() as u64,
            Err(error) => {
                if !self.told.replace(true) {
                    log::warn!("no scratch file in {} ({error}); lines stay in memory", dir.path().display());
                }
                self.dir = None;
            }
        }
        self.dir.is_some()
    }

    /// Bytes in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its bytes from `begin` to before `end`.
    #[must_use]
    pub fn part(&self, begin: u64, end: u64) -> Stretch<'_> {
        Stretch { file: self.file.as_ref(), at: begin, end: end.min(self.len) }
    }
}

/// A stretch of a file, read without moving the file's own position.
#[derive(Debug)]
pub struct Stretch<'a> {
    file: Option<&'a File>,
    at: u64,
    end: u64,
}

impl<'a> Stretch<'a> {
    /// Of `file`, from `at` to before `end`, or to the file's own end.
    #[must_use]
    pub fn of(file: &'a File, at: u64, end: u64) -> Self {
        Self { file: Some(file), at, end }
    }
}

impl Read for Stretch<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(file) = self.file else { return Ok(0) };
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let read = file.read_at(&mut buffer[..room], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::Scratch;
    use crate::record::way;
    use std::io::Read;

    #[test]
    fn it_has_no_name_and_gives_back_what_it_took() {
        let dir = crate::scratch();
        let mut scratch = Scratch::new(way::existing(dir.path()).ok());
        assert!(scratch.append(b"one") && scratch.append(b"two"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut text = String::new();
        scratch.part(2, 5).read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), scratch.len()), ("etw", 6));
    }

    #[test]
    fn where_it_cannot_be_it_takes_nothing_and_says_so() {
        let gone = crate::scratch();
        let mut scratch = Scratch::new(way::existing(gone.path()).ok());
        drop(gone);
        assert!(!scratch.append(b"one") && !scratch.takes_more() && scratch.is_empty());
    }
}
