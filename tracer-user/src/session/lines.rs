//! The lines of a session in the making: of events and snapshots in the spool, of processes and anomalies beside it.

use std::io::{self, Write};

use super::rows::Rows;
use crate::record::scratch::Scratch;
use crate::record::spool::Spool;

/// How the line of an event begins.
pub const EVENT: &[u8] = b"{\"event\":";
/// How the line of a snapshot begins.
pub const SNAPSHOT: &[u8] = b"{\"captured_at\":";

/// The lines that are to stay.
pub struct Lines {
    /// Of events and snapshots, as they came.
    pub events: Spool,
    /// Of processes that ended.
    pub(super) processes: Rows,
    /// Of what somebody should look at.
    pub(super) anomalies: Rows,
}

impl Lines {
    /// None yet. `scratch` is for what is too much for memory.
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self {
            events: Spool::in_memory(scratch.another()),
            processes: Rows::new(scratch.another()),
            anomalies: Rows::new(scratch.another()),
        }
    }

    /// Copies the lines of events, in kernel order.
    pub fn copy_events(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.events.copy_lines(EVENT, to)
    }

    /// Copies the lines of snapshots, in the order in which they were taken.
    pub fn copy_snapshots(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.events.copy_lines(SNAPSHOT, to)
    }

    /// Whether there is no anomaly.
    #[must_use]
    pub fn is_without_anomaly(&self) -> bool {
        self.anomalies.is_empty()
    }

    /// Copies the lines of anomalies, in the order of their times.
    pub fn copy_anomalies(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.anomalies.copy_to(to)
    }

    /// Copies the lines of processes, in the order in which they were forked.
    pub fn copy_processes(&mut self, to: &mut impl Write) -> io::Result<()> {
        self.processes.copy_to(to)
    }
}
