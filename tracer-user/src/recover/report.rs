//! What is told of each file, in words and as JSON.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::gates::Decision;
use crate::session::text::Text;

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its name in the runtime directory; its path, if it is in a log directory.
    pub file: String,
    /// What was decided, and why.
    #[serde(flatten)]
    pub decision: Decision,
    /// The session that it belongs to.
    pub session_id: Option<String>,
    /// The id that the session was enrolled under, where that was another's and `session_id` is one beside it.
    pub enrolled_id: Option<String>,
    /// Where the session is now.
    #[serde(serialize_with = "as_text")]
    pub session: Option<PathBuf>,
    /// Lines that were damaged, and are not in the session.
    pub damaged_lines: usize,
    /// Bytes of older rows that are gone, and not in the session.
    pub lost_bytes: u64,
    /// Why what was decided could not be done.
    pub error: Option<String>,
}

impl Report {
    pub(super) fn new(file: impl Into<String>, decision: Decision) -> Self {
        let file = file.into();
        Self {
            file,
            decision,
            session_id: None,
            enrolled_id: None,
            session: None,
            damaged_lines: 0,
            lost_bytes: 0,
            error: None,
        }
    }
}

/// A path may hold any bytes; they are escaped as everywhere.
fn as_text<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| Text(path.as_os_str().as_bytes())).serialize(serializer)
}
