//! What `tracer run` is to do: checked settings, made by the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::kernel::load::Settings;
use crate::session::id::SessionId;

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
    /// Sizes of the kernel side.
    pub settings: Settings,
}
