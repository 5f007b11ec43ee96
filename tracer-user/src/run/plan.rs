//! What `tracer run` is to do: checked settings, made by the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::Limits;
use super::sampling::Rhythm;
use super::user::Account;
use crate::kernel::load::Settings;
use crate::process::target::Wanted;
use crate::session::anomaly::thresholds::Thresholds;
use crate::session::finish::Reader;
use crate::session::id::SessionId;
use crate::session::retention::Keep;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The command and its arguments; not empty.
    pub command: Vec<OsString>,
    /// The session's id.
    pub session_id: SessionId,
    /// What its owner says about it.
    pub labels: BTreeMap<String, String>,
    /// Where sessions go.
    pub log_dir: PathBuf,
    /// Where the runtime directory lies.
    pub tmpfs_path: PathBuf,
    /// Bytes that the trace file in the runtime directory may take.
    pub spool_limit: u64,
    /// Sizes of the kernel side.
    pub settings: Settings,
    /// Which process is the workload.
    pub wanted: Wanted,
    /// How long to look for it; `None`: as long as the command runs.
    pub resolve_timeout: Option<Duration>,
    /// What to do where it is not found.
    pub on_unresolved: OnUnresolved,
    /// What ends it, if it does not end by itself.
    pub limits: Limits,
    /// When and of whom snapshots are taken.
    pub rhythm: Rhythm,
    /// Where anomalies begin.
    pub thresholds: Thresholds,
    /// Leaves arguments out of all files.
    pub redact: bool,
    /// A status line is drawn, if stderr is a terminal.
    pub live: bool,
    /// tracer says nothing at all.
    pub silent: bool,
    /// Who the command is to be; `None`: who the caller is.
    pub user: Option<Account>,
    /// Whose the session is, where root records it on somebody's behalf.
    pub reader: Option<Reader>,
    /// Which sessions stay in the log directory.
    pub keep: Keep,
}

impl Plan {
    /// The words of the command that files may tell.
    pub fn told_command(&self) -> impl Iterator<Item = &OsString> {
        let words = if self.redact { 1 } else { self.command.len() };
        self.command.iter().take(words)
    }
}

/// What to do where the workload is not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnresolved {
    /// End the tree, and say so.
    Abort,
    /// Record who descends from whom, and say so.
    Continue,
}
