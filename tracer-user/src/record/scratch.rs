//! A file without a name, for what is too much for memory: it vanishes with the process, however that ends.
//!
//! If it can't be had or fails, there is one warning, and what it did not take stays with whoever asked, until it is asked again.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use super::log_place::{LogPlace, sessions};

/// Bytes that are kept in memory before it is asked, and so many more before it is asked again.
pub const IN_MEMORY: usize = 1 << 20;

/// The file, once it is needed.
#[derive(Debug)]
pub struct Scratch {
    /// It is made beside the sessions there; `None`: nowhere.
    place: Option<LogPlace>,
    file: Option<File>,
    len: u64,
    /// Bytes that whoever has it keeps in memory.
    patience: usize,
    /// Whether one in the same place has failed already.
    told: Rc<Cell<bool>>,
}

impl Scratch {
    /// None yet; it is to be in `place`, or nowhere.
    #[must_use]
    pub fn new(place: Option<LogPlace>) -> Self {
        Self { place, file: None, len: 0, patience: IN_MEMORY, told: Rc::default() }
    }

    /// An empty one in the same place. What goes wrong there is told once for all of them.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { told: Rc::clone(&self.told), ..Self::new(self.place.clone()) }
    }

    /// Whether so many bytes in memory are too many, and it is worth asking.
    #[must_use]
    pub fn is_for(&self, held: usize) -> bool {
        self.place.is_some() && held > self.patience
    }

    /// Adds `bytes`, all or none of them. Whether it did. `held` are in memory then, if it did not.
    pub fn append(&mut self, bytes: &[u8], held: usize) -> bool {
        let Some(place) = &self.place else { return false };
        let file = self.file.take().map_or_else(|| place.dirs()?.sessions.nameless_file(), Ok);
        let written = file.and_then(|file| {
            let written = file.write_all_at(bytes, self.len);
            if written.is_err() {
                // What does not count would only take room that is short.
                let _ = file.set_len(self.len);
            }
            self.file = Some(file);
            written
        });
        match written {
            Ok(()) => {
                self.len += bytes.len() as u64;
                self.patience = IN_MEMORY;
                true
            }
            Err(error) => {
                self.patience = held + IN_MEMORY;
                if !self.told.replace(true) {
                    let path = sessions(place.path());
                    log::warn!("no scratch file in {} ({error}); lines stay in memory", path.display());
                }
                false
            }
        }
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
    use std::io::Read;

    use super::{IN_MEMORY, Scratch};
    use crate::record::log_place::LogPlace;

    #[test]
    fn it_has_no_name_and_gives_back_what_it_took() {
        let dir = crate::scratch();
        let mut scratch = Scratch::new(LogPlace::made(dir.path()).ok());
        assert!(scratch.append(b"one", 3) && scratch.append(b"two", 3));
        assert_eq!(std::fs::read_dir(dir.path().join("sessions")).unwrap().count(), 0);
        let mut text = String::new();
        scratch.part(2, 5).read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), scratch.len()), ("etw", 6));
    }

    #[test]
    fn where_it_cannot_be_it_takes_nothing_and_is_asked_again_later() {
        let dir = crate::scratch();
        let log = dir.path().join("log");
        let mut scratch = Scratch::new(LogPlace::made(&log).ok());
        std::fs::remove_dir_all(&log).unwrap();
        std::fs::write(&log, "").unwrap();
        let many = IN_MEMORY + 1;
        assert!(scratch.is_for(many) && !scratch.append(b"one", many) && scratch.is_empty());
        assert!(!scratch.is_for(many + IN_MEMORY) && scratch.is_for(many + IN_MEMORY + 1));
        std::fs::remove_file(&log).unwrap();
        assert!(scratch.append(b"one", many) && scratch.is_for(many));
    }

    #[test]
    fn where_there_is_no_place_it_is_never_asked() {
        let mut scratch = Scratch::new(None);
        assert!(!scratch.is_for(usize::MAX) && !scratch.append(b"one", 3));
    }
}
