//! What the target was called and what it became: it stays the target whatever it calls itself.
//!
//! Whether a snapshot's comm is a name that the kernel ever reported for the target is asked here (`IDENTITY_DRIFT`). A
//! snapshot may be ahead of the event that explains it, so who asks does so when the events up to the
//! snapshot's time are in. Of names the first [`NAMES`] are kept, each once; of changes the first [`KEPT`] are, and all are
//! counted.

use std::collections::HashSet;

use crate::kernel::event::{Comm, Event, What};
use crate::process::member::Member;

/// How many changes are kept. Some programs show their progress in their name.
pub const KEPT: usize = 64;

/// How many names are kept. Whoever has more can't be said to have a wrong one.
const NAMES: usize = 4096;

/// The target's names and changes.
#[derive(Clone, Debug, Default)]
pub struct TargetHistory {
    comms: HashSet<Vec<u8>>,
    last: Comm,
    changes: Vec<Change>,
    total: u64,
}

/// The target became something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, nanoseconds since boot.
    pub at_ns: u64,
    /// Its comm before.
    pub from: Comm,
    /// Its comm after.
    pub to: Comm,
    /// The file that it executed; `None`: it renamed itself.
    pub filename: Option<Vec<u8>>,
}

impl TargetHistory {
    /// Of a target that is called `comm`, and had these names before, where they are known.
    pub(super) fn new(comm: Comm, member: Option<&Member>) -> Self {
        let before = member.into_iter().flat_map(|member| &member.comms);
        let comms = before.chain([&comm]).map(|comm| comm.bytes().to_vec()).collect();
        Self { comms, last: comm, changes: Vec::new(), total: 0 }
    }

    /// Takes note of an event of the target.
    pub(super) fn observe(&mut self, event: &Event) {
        if self.comms.len() < NAMES && !self.comms.contains(event.comm.bytes()) {
            self.comms.insert(event.comm.bytes().to_vec());
        }
        let filename = match &event.what {
            What::Exec(exec) => Some(exec.filename.to_vec()),
            What::Rename { .. } => None,
            _ => return,
        };
        self.total += 1;
        if self.changes.len() < KEPT {
            self.changes.push(Change { at_ns: event.ktime_ns, from: self.last, to: event.comm, filename });
        }
        self.last = event.comm;
    }

    /// Whether the kernel ever reported this name for the target.
    #[must_use]
    pub fn knows_comm(&self, comm: &[u8]) -> bool {
        self.comms.contains(comm) || self.comms.len() == NAMES
    }

    /// The first [`KEPT`] changes since it is the target, in order.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How many changes there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}
