//! Events as a run needs them: whatever goes wrong with them, the command runs on and keeps its exit status.
//!
//! After the first failure there is one warning, and no more events. What is missing then shows in the counts.

use crate::kernel::event::Event;
use crate::kernel::events::{Events, EventsError};
use crate::kernel::load::Programs;
use crate::kernel::loss::Loss;
use crate::session::recording::Recording;

/// The events, until something is wrong with them.
pub struct Listener {
    events: Option<Events>,
    deaf: bool,
}

impl Listener {
    /// Begins to listen. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(programs: &mut Programs) -> Self {
        let mut listener = Self { events: None, deaf: false };
        match Events::new(programs) {
            Ok(events) => listener.events = Some(events),
            Err(error) => listener.failed(&error),
        }
        listener
    }

    /// Waits until there is something to read; for ever, if nothing will come.
    pub async fn woken(&mut self) {
        let woken = match &mut self.events {
            Some(events) if !self.deaf => events.woken().await,
            _ => std::future::pending().await,
        };
        if let Err(error) = woken {
            self.failed(&error);
        }
    }

    /// Takes everything that happened before this call into `recording`.
    pub fn read(&mut self, recording: &mut Recording) {
        let Some(events) = self.events.as_mut().filter(|_| !self.deaf) else { return };
        if let Err(error) = events.read(|event| keep(recording, &event)) {
            self.failed(&error);
        }
    }

    /// What was lost; see [`Programs::loss`]. Where even the counters can't be read, that is a gap.
    pub fn loss(&self, programs: &Programs, recording: &Recording) -> Loss {
        let received = self.events.as_ref().map_or(&[] as &[u64], Events::received);
        let loss = programs.loss(received).unwrap_or_else(|error| {
            log::warn!("{error}; what was lost can't be counted");
            Loss { gaps: 1, ..Loss::default() }
        });
        Loss { gaps: loss.gaps + recording.dropped(), ..loss }
    }

    fn failed(&mut self, error: &EventsError) {
        self.deaf = true;
        log::warn!("{error}; the command runs on, and the session has what came before");
    }
}

fn keep(recording: &mut Recording, event: &Event) {
    recording.take(event);
}
