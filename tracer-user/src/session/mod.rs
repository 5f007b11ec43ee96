//! A session: one root's life as files that scripts and dashboards read.
//!
//! - [`recording`]: a session in the making. [`lines`], [`told`]: what comes of it. [`finish`]: the one way in which it is written;
//!   [`staging`]: where, before it is in its place.
//! - [`summary`], [`index`], [`event_row`], [`process_row`], [`snapshot_row`], [`target_row`]: the shapes, whose field names are a contract.
//! - [`sum_up`]: a recording and how it ended into its summary.
//! - [`peaks`]: the highest figures over a session's rows.
//! - `patience`: locks that somebody may keep.
//! - [`retention`]: which sessions stay. [`fence`]: which of them are listed. [`mod@unlisted`]: those without a line in the index.
//! - [`replay`]: a line of `events.jsonl` back into its event.
//! - [`anomaly`]: what somebody should look at.
//! - [`verdict`]: why a process ended.
//! - [`id`], [`clock`], [`text`]: ids that are safe as names, times that never jump, bytes that come back.

pub mod anomaly;
pub mod clock;
pub mod event_row;
pub mod fence;
pub mod finish;
pub mod id;
pub mod index;
pub mod lines;
mod patience;
pub mod peaks;
pub mod process_row;
pub mod recording;
pub mod replay;
pub mod retention;
mod rows;
pub mod snapshot_row;
pub mod staging;
pub mod sum_up;
pub mod summary;
pub mod target_row;
#[cfg(test)]
mod tests;
pub mod text;
pub mod told;
pub mod unlisted;
pub mod verdict;
