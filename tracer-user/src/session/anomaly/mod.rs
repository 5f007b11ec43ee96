//! Anomalies: what in a session's rows and events somebody should look at. Pure, incremental, deterministic.
//!
//! - [`kind`]: the kinds, by the names of the contract. [`thresholds`]: where each begins, why there, and how to move it.
//! - [`detectors`]: the fold over rows and events. `process`: what it holds of each process.
//!
//! Each trouble is told once an **episode**: a process that stays above a threshold is reported when it gets there, and again
//! only after it was clearly below. A death is reported once. What a damaged row does not say is skipped, and neither begins
//! nor ends an episode.

pub mod detectors;
pub mod kind;
mod process;
pub mod thresholds;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::clock::Time;
use super::text::Text;
use crate::kernel::event::Comm;
use crate::process::identity::{Identity, Ticks};
pub use kind::{Kind, Severity};

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What it is.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// The time of the row or event that shows it.
    pub captured_at: Timestamp,
    /// Whose it is, with the name it had; `None`: the session's as a whole.
    pub process: Option<(Identity, Comm)>,
    /// In words and figures.
    pub detail: String,
}

/// A line of `anomalies.jsonl`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    kind: Kind,
    severity: Severity,
    captured_at: Time,
    pid: Option<u32>,
    starttime_ticks: Option<Ticks>,
    comm: Option<Text<'a>>,
    detail: &'a str,
}

impl Serialize for Anomaly {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let process = self.process.as_ref();
        let row = Row {
            kind: self.kind,
            severity: self.severity,
            captured_at: Time(self.captured_at),
            pid: process.map(|(id, _)| id.pid),
            starttime_ticks: process.map(|(id, _)| id.start),
            comm: process.map(|(_, comm)| Text(comm.bytes())),
            detail: &self.detail,
        };
        row.serialize(serializer)
    }
}

#[cfg(test)]
mod tests;
