//! What a recovery is at, for whoever waits for it no longer.

use std::sync::{Arc, Mutex, PoisonError};

/// The file whose session is under way. A clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct UnderWay(Arc<Mutex<Option<String>>>);

impl UnderWay {
    /// Its name, if there is one.
    #[must_use]
    pub fn file(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does that for a file.
    pub(super) fn with<T>(&self, file: &str, work: impl FnOnce() -> T) -> T {
        self.set(Some(file.to_owned()));
        let done = work();
        self.set(None);
        done
    }

    fn set(&self, file: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = file;
    }
}
