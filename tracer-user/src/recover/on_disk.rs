//! Sessions that were written come to the disk, many at once, and only then what they were made of goes; with it goes what of a
//! crash no session is made of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::recovery::Recovery;
use super::scan::Opened;
use super::{Report, older};
use crate::record::dir::Dir;
use crate::record::enrollment::{self, Enrollment};
use crate::record::spool;
use crate::session::finish;

/// A session in its place, or of which there is to be none, and what goes now.
pub(super) struct Settled {
    pub(super) report: Report,
    pub(super) enrollment: Enrollment,
    /// Where somebody may have begun to write it.
    pub(super) begun: Vec<PathBuf>,
    /// Where it was put, held open since before that.
    pub(super) sessions: Option<Dir>,
    /// Nobody else works on it meanwhile.
    pub(super) lock: Opened,
}

impl Recovery<'_> {
    /// Brings sessions to the disk, and only then removes what they were made of.
    pub(super) fn clear_away(&self, settled: &mut Vec<Settled>, report: &mut impl FnMut(Report)) {
        let in_dir = |report: &Report| {
            report.session.as_deref().and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
        };
        // The first that was opened: what failed to be written before a descriptor was, syncfs(2) does not tell through it.
        let mut held = BTreeMap::new();
        for Settled { report, sessions, .. } in &mut *settled {
            if let Some(sessions) = sessions.take() {
                held.entry(in_dir(report)).or_insert(sessions);
            }
        }
        self.begun.forget();
        let mut synced = BTreeMap::new();
        for Settled { report: mut told, enrollment, begun, sessions: _, lock: _lock } in settled.drain(..) {
            self.begun.clear(&begun, &enrollment);
            let on_disk = match told.session {
                None => &Ok(()),
                Some(_) => synced.entry(in_dir(&told)).or_insert_with_key(|sessions| {
                    let not_yet =
                        |error| format!("{} can't be brought to the disk ({error})", sessions.display());
                    let held = held.get(sessions).filter(|held| !held.is_removed());
                    held.map_or_else(|| finish::sync(sessions), Dir::sync_file_system).map_err(not_yet)
                }),
            };
            told.error = on_disk.clone().and_then(|()| self.remove(&enrollment)).err();
            report(told);
        }
    }

    /// Removes what a session was made of. The sidecar last: without it nobody would know whose the other files are.
    pub(super) fn remove(&self, enrollment: &Enrollment) -> Result<(), String> {
        older::remove(enrollment);
        let root = enrollment.root();
        let new = self.ground.remove_rewritten(root);
        new.map_err(|error| format!("what is left of its sidecar can't be removed ({error})"))?;
        for name in [spool::name(root), enrollment::name(root)] {
            self.ground.remove(&name).map_err(|error| format!("{name} can't be removed ({error})"))?;
        }
        Ok(())
    }
}
