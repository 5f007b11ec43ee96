//! What is left in log directories where somebody began to write the session of a crash, and died.
//!
//! Only who has claimed a crash removes what was begun of it. A log directory is listed for the first crash that goes there, and
//! not for each: what is left of a crash goes before it is written, and makes room. But another recovery may begin it after the
//! list was made, and be killed, before it is claimed here. So it is listed once more for each lot of crashes that are claimed
//! still, and what is left of them goes before their sidecars do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::record::enrollment::Enrollment;
use crate::session::staging;

/// So many directories are remembered.
const REMEMBERED: usize = 64;

/// The directories in which sessions were built when they were listed, by log directory.
#[derive(Debug, Default)]
pub(super) struct Begun {
    listed: RefCell<BTreeMap<PathBuf, Vec<String>>>,
}

impl Begun {
    /// Removes what is left in these log directories of a crash that the caller has claimed, and was there when they were listed.
    pub(super) fn clear(&self, log_dirs: &[PathBuf], claimed: &Enrollment) {
        let Ok(id) = claimed.session_id.parse() else { return };
        let mut listed = self.listed.borrow_mut();
        for log_dir in log_dirs {
            if listed.len() == REMEMBERED && !listed.contains_key(log_dir) {
                listed.clear();
            }
            let begun = listed.entry(log_dir.clone()).or_insert_with_key(|dir| staging::list(dir));
            staging::clear(log_dir, begun, &id, claimed.pid);
        }
    }

    /// Each log directory is listed anew by whoever asks next.
    pub(super) fn forget(&self) {
        self.listed.borrow_mut().clear();
    }
}
