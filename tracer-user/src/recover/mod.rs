//! What tracers that were killed left behind: found, judged, and made into sessions.
//!
//! ```text
//!  runtime dir ─▶ scan ─▶ claim ─▶ facts ─▶ gates ─▶ leave
//!  hostile        plain   the       /proc,   pure  ─▶ remove both files
//!  ground         files   lock      rows           ─▶ rebuild ─▶ finish ─▶ remove both files
//! ```
//!
//! - `recovery`: the way of each file. [`gates`]: the decision. [`scan`]: the ground; `size`: what is too large there. `turns`:
//!   the order. [`mod@claim`]: the lock. `sidecar`: what it is about.
//! - `live`: ids of runs that are on. `places`: where a session goes, and where it may be already. `begun`: what was left there
//!   of it. `older`: rows that were moved to the log directory. [`rebuild`]: the recording back from its lines. `write`: the
//!   session from that. `on_disk`: only then the files go. [`report`]: what is told of each file. [`under_way`]: what is told
//!   before that.
//! - `log_dirs`: what no file tells of. Last, sessions that are in their place without a line in the index get it, whoever left
//!   them so.
//!
//! Whatever kills a recovery, at whatever point, the next one goes on where it stopped: the session is put in its place in
//! one step, and the files go only after that, the sidecar last.

mod begun;
pub mod claim;
pub mod gates;
mod live;
mod log_dirs;
mod older;
mod on_disk;
mod places;
pub mod rebuild;
mod recovery;
pub mod report;
pub mod scan;
mod sidecar;
mod size;
mod turns;
pub mod under_way;
mod write;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::record::runtime::RuntimeDirError;
use crate::session::id::SessionId;
use begun::Begun;
use live::Live;
use log_dirs::{list_unlisted, sweep, without_line};
use recovery::Recovery;
pub use report::Report;
use scan::Ground;
use turns::Turns;
use under_way::UnderWay;

/// Younger files may be live.
pub const MIN_AGE: Duration = Duration::from_secs(30);

/// What is to be recovered, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the runtime directory lies.
    pub tmpfs_path: PathBuf,
    /// Where sessions go; `None`: where their tracers wanted them.
    pub log_dir: Option<PathBuf>,
    /// Where sessions go whose tracers did not say.
    pub default_log_dir: Option<PathBuf>,
    /// Younger files are left alone.
    pub min_age: Duration,
    /// Decide only.
    pub dry_run: bool,
    /// What the run has beside which this is done.
    pub reserved: Option<Reserved>,
    /// Says what it is at.
    pub under_way: UnderWay,
}

/// The id of a run that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The id.
    pub id: SessionId,
    /// Where its session will be.
    pub log_dir: PathBuf,
}

/// Why nothing was recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The runtime directory is not to be touched.
    #[error(transparent)]
    RuntimeDir(#[from] RuntimeDirError),
    /// It can't be read.
    #[error("the runtime directory {path} can't be read ({why})")]
    Read {
        /// The directory.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

/// Goes through the runtime directory, and hands on what became of each file. Stops early, between two files, once `stop` is set.
pub fn recover(
    request: &Request,
    stop: &AtomicBool,
    mut report: impl FnMut(Report),
) -> Result<(), RecoverError> {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let (boot_id, now) = (boot_id.trim(), SystemTime::now());
    sweep(request, boot_id, now, &mut report);
    let ground = Ground::open(&request.tmpfs_path)?;
    // A dry run adds no line, so what it tells of by a sidecar would be among them afterwards too.
    let mut lacking = if request.dry_run { without_line(request, now) } else { Vec::new() };
    let mut tell = |told: Report| {
        lacking.retain(|(_, id)| told.session_id.as_deref() != Some(id.as_str()));
        report(told);
    };
    let walked = ground.map_or(Ok(()), |ground| {
        let live = Live::new(&ground, request.reserved.as_ref());
        let begun = Begun::default();
        walk(&Recovery { request, ground: &ground, live, begun, boot_id, now }, stop, &mut tell)
    });
    if !stop.load(Ordering::Relaxed) {
        // Those of which a sidecar tells have their lines by now.
        let lacking = if request.dry_run { lacking } else { without_line(request, now) };
        list_unlisted(request, &lacking, &mut report);
    }
    walked
}

fn walk(
    recovery: &Recovery<'_>,
    stop: &AtomicBool,
    report: &mut impl FnMut(Report),
) -> Result<(), RecoverError> {
    let ground = recovery.ground;
    let mut turns = Turns::new();
    let walked = ground.names(|name| {
        let now = turns.take(recovery.turn(name), name.to_owned());
        if !now.is_empty() {
            recovery.all(&now, stop, report);
        }
    });
    recovery.all(&turns.rest(), stop, report);
    walked.map_err(|why| RecoverError::Read { path: ground.path().to_owned(), why })
}

#[cfg(test)]
mod tests;
