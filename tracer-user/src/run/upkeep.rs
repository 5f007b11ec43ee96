//! Sidecar and trace file while the run is on: a cleaner of files, or the command itself, may remove them.
//!
//! Without their names nobody would find them after a kill. So they are looked after now and then, and made again from what
//! tracer has open. That is told once; where it can't be done it is tried again, since room or a directory may come back.

use std::io;
use std::path::{Path, PathBuf};

use crate::record::enrollment::Enrolled;
use crate::record::runtime;
use crate::session::recording::Recording;

/// Who looks after them.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    told: bool,
}

impl Upkeep {
    /// Looks, and makes again what somebody removed.
    pub(super) fn look(&mut self, tmpfs: &Path, recording: &mut Recording, enrolled: &mut Enrolled) {
        let (sidecar, spool) = (enrolled.is_there(), recording.lines.events.is_there());
        if sidecar && spool {
            return;
        }
        let gone = if sidecar { recording.lines.events.path() } else { Some(enrolled.path()) };
        let gone = gone.map(PathBuf::into_os_string).unwrap_or_default();
        let again = make_again(tmpfs, recording, enrolled);
        if !std::mem::replace(&mut self.told, true) {
            let gone = gone.display();
            match again {
                Ok(()) => log::warn!("{gone} was removed; it is made again, and nothing is lost"),
                Err(why) => log::warn!(
                    "{gone} was removed, and can't be made again ({why}); if tracer is killed now, the session is lost"
                ),
            }
        }
    }
}

fn make_again(tmpfs: &Path, recording: &mut Recording, enrolled: &mut Enrolled) -> Result<(), String> {
    let dir = match enrolled.dir().is_removed() {
        true => runtime::open(tmpfs).map_err(|error| error.to_string())?,
        false => enrolled.dir().clone(),
    };
    let told = |error: io::Error| error.to_string();
    // The sidecar first: without it nobody knows whose the trace file is.
    if !enrolled.is_there() {
        enrolled.make_again(&dir).map_err(told)?;
    }
    if recording.lines.events.is_there() {
        Ok(())
    } else {
        recording.lines.events.make_again(&dir).map_err(told)
    }
}
