//! What a recovery is at, for whoever waits for it no longer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The file whose session is under way. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<Mutex<Option<(String, Instant)>>>);

impl UnderWay {
    /// Its name, if there is one for that long by now.
    #[must_use]
    pub fn file_for(&self, time: Duration) -> Option<String> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        file.filter(|(_, since)| since.elapsed() >= time).map(|(file, _)| file)
    }

    /// Does that for a file.
    pub(super) fn with<T>(&self, file: &str, work: impl FnOnce() -> T) -> T {
        self.set(Some((file.to_owned(), Instant::now())));
        let done = work();
        self.set(None);
        done
    }

    fn set(&self, file: Option<(String, Instant)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }
}
