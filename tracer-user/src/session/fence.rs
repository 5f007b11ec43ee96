//! The fence `.cleared_at` (W7): listings and totals leave out what ended before it. Nothing is deleted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;

use super::clock::Time;
use super::index;

/// The file's name, in the log directory.
const NAME: &str = ".cleared_at";
/// Its name while it is written.
const NEW: &str = ".cleared_at.new";

/// The fence of a log directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fence(Option<Timestamp>);

impl Fence {
    /// Reads it. A log directory without one hides nothing.
    pub fn read(log_dir: &Path) -> io::Result<Self> {
        match fs::read_to_string(log_dir.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(None)),
            Err(error) => Err(error),
            Ok(text) => match text.trim().parse() {
                Ok(at) => Ok(Self(Some(at))),
                Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no RFC 3339 time")),
            },
        }
    }

    /// Puts it at `at`, in one step.
    pub fn put(log_dir: &Path, at: Timestamp) -> io::Result<Self> {
        // Nobody else can open the index; anybody could lock the directory, and keep it.
        let _lock = index::locked(&log_dir.join("sessions.jsonl"))?;
        let new = log_dir.join(NEW);
        // Only who has the lock comes here, so what is there was left by somebody who was killed.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(0o644).open(&new)?;
        let put = writeln!(file, "{}", Time(at))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, log_dir.join(NAME)));
        if let Err(error) = put {
            // The error is what matters.
            let _ = fs::remove_file(&new);
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

    #[test]
    fn what_ended_before_it_is_hidden_and_what_ended_later_is_not() {
        let dir = crate::scratch();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!Fence::read(dir.path()).unwrap().hides(at(0)));
        Fence::put(dir.path(), at(10)).unwrap();
        Fence::put(dir.path(), at(20)).unwrap();
        let fence = Fence::read(dir.path()).unwrap();
        assert_eq!((fence.hides(at(19)), fence.hides(at(20))), (true, false));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "and the index");
    }

    #[test]
    fn what_somebody_left_who_was_killed_is_in_nobodys_way() {
        let dir = crate::scratch();
        std::fs::write(dir.path().join(".cleared_at.new"), "2026-").unwrap();
        Fence::put(dir.path(), Timestamp::from_second(10).unwrap()).unwrap();
        assert!(Fence::read(dir.path()).unwrap().hides(Timestamp::from_second(9).unwrap()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "and the index");
    }

    #[test]
    fn one_that_holds_no_time_is_an_error_and_hides_nothing_in_silence() {
        let dir = crate::scratch();
        std::fs::write(dir.path().join(".cleared_at"), "yesterday").unwrap();
        assert!(Fence::read(dir.path()).is_err());
    }
}
