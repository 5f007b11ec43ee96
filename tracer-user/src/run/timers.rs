//! What is not to be waited for without end: a deadline for each timer that runs.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ending::Timer;

/// The timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Starts a timer, or starts it again. One that would be up beyond the end of time never is.
    pub(super) fn start(&mut self, timer: Timer, after: Duration) {
        match Instant::now().checked_add(after) {
            Some(due) => self.due.insert(timer, due),
            None => self.due.remove(&timer),
        };
    }

    /// It has been up, and is not any more.
    pub(super) fn stop(&mut self, timer: Timer) {
        self.due.remove(&timer);
    }

    /// Waits for the first that is up; for ever, if none runs.
    pub(super) async fn up(&self) -> Timer {
        match self.due.iter().min_by_key(|(_, due)| **due) {
            // The runtime's clock is as late as its last pause: a time that was up while tracer stood still is up now.
            Some((timer, due)) if *due <= Instant::now() => *timer,
            Some((timer, due)) => {
                sleep_until(*due).await;
                *timer
            }
            None => std::future::pending().await,
        }
    }
}
