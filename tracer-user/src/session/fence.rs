//! The fence `.cleared_at` (W7): listings and totals leave out what ended before it. Nothing is deleted.

use std::io::{self, Read, Write};

use jiff::Timestamp;
use rustix::fs::OFlags;

use super::clock::Time;
use super::index;
use crate::record::dir::Dir;

/// The file's name, in the log directory.
const NAME: &str = ".cleared_at";
/// Its name while it is written.
const NEW: &str = ".cleared_at.new";

/// The most bytes that a fence has.
const LIMIT: u64 = 64;

/// The fence of a log directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fence(Option<Timestamp>);

impl Fence {
    /// Reads it: a plain file, and no more of it than a time takes. A log directory without one hides nothing.
    pub fn read(log_dir: &Dir) -> io::Result<Self> {
        let file = match log_dir.entry(NAME).plain_file(OFlags::RDONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self(None)),
            opened => opened?,
        };
        let mut text = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut text)?;
        let at = std::str::from_utf8(&text).ok().filter(|_| text.len() as u64 <= LIMIT);
        match at.and_then(|at| at.trim().parse().ok()) {
            Some(at) => Ok(Self(Some(at))),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no RFC 3339 time; remove it")),
        }
    }

    /// Puts it at `at`, in one step.
    pub fn put(log_dir: &Dir, at: Timestamp) -> io::Result<Self> {
        // Nobody else can open the index; anybody could lock the directory, and keep it.
        let _lock = index::locked(&index::of(log_dir))?;
        let new = log_dir.entry(NEW);
        // Only who has the lock comes here, so what is there was left by somebody who was killed.
        new.remove()?;
        let mut file = new.create_with(0o644)?;
        let put = writeln!(file, "{}", Time(at))
            .and_then(|()| file.sync_all())
            .and_then(|()| new.rename(&log_dir.entry(NAME)));
        if let Err(error) = put {
            // The error is what matters.
            let _ = new.remove();
            return Err(error);
        }
        Ok(Self(Some(at)))
    }

    /// Whether a session that ended then is left out.
    #[must_use]
    pub fn hides(&self, ended_at: Timestamp) -> bool {
        self.0.is_some_and(|fence| ended_at < fence)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Fence;
    use crate::record::dir::Dir;
    use crate::record::way;

    fn held(dir: &tempfile::TempDir) -> Dir {
        way::existing(dir.path()).unwrap()
    }

    #[test]
    fn what_ended_before_it_is_hidden_and_what_ended_later_is_not() {
        let dir = crate::scratch();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!Fence::read(&held(&dir)).unwrap().hides(at(0)));
        Fence::put(&held(&dir), at(10)).unwrap();
        Fence::put(&held(&dir), at(20)).unwrap();
        let fence = Fence::read(&held(&dir)).unwrap();
        assert_eq!((fence.hides(at(19)), fence.hides(at(20))), (true, false));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "and the index");
    }

    #[test]
    fn what_somebody_left_who_was_killed_is_in_nobodys_way() {
        let dir = crate::scratch();
        std::fs::write(dir.path().join(".cleared_at.new"), "2026-").unwrap();
        Fence::put(&held(&dir), Timestamp::from_second(10).unwrap()).unwrap();
        assert!(Fence::read(&held(&dir)).unwrap().hides(Timestamp::from_second(9).unwrap()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "and the index");
    }

    #[test]
    fn one_that_holds_no_time_is_an_error_and_hides_nothing_in_silence() {
        let dir = crate::scratch();
        std::fs::write(dir.path().join(".cleared_at"), "yesterday").unwrap();
        assert!(Fence::read(&held(&dir)).is_err());
    }

    #[test]
    fn only_a_small_plain_file_is_read() {
        let dir = crate::scratch();
        let (fence, elsewhere) = (dir.path().join(".cleared_at"), dir.path().join("elsewhere"));
        let time = "2026-01-01T00:00:00Z\n";
        std::fs::write(&elsewhere, time).unwrap();
        for what in ["a link", "another name", "a FIFO", "a directory", "a large file"] {
            match what {
                "a link" => std::os::unix::fs::symlink(&elsewhere, &fence).unwrap(),
                "another name" => std::fs::hard_link(&elsewhere, &fence).unwrap(),
                "a FIFO" => {
                    let kind = rustix::fs::FileType::Fifo;
                    rustix::fs::mknodat(held(&dir), ".cleared_at", kind, rustix::fs::Mode::RUSR, 0).unwrap();
                }
                "a directory" => std::fs::create_dir(&fence).unwrap(),
                _ => std::fs::write(&fence, time.to_owned() + &" ".repeat(100)).unwrap(),
            }
            assert!(Fence::read(&held(&dir)).is_err(), "{what}");
            held(&dir).entry(".cleared_at").remove_tree().unwrap();
        }
        std::fs::write(&fence, time).unwrap();
        assert!(Fence::read(&held(&dir)).is_ok());
    }
}
