//! The enrollment sidecar `tracer_enrollment_<pid>_<starttime_ticks>.json`: whose trace file lies beside it (W2).
//!
//! It is there before the trace file has its first row, and goes after it, so a trace file without one is not ours, and
//! one without a trace file is a session that died before its first row. It holds what a session needs and the
//! trace file lacks, so that recovery can write it whole. What is noted in it later stands in its first page, with room to
//! grow, so that it can be noted in place where the file system is full.
//!
//! Here is what it holds; `enrolled` is the file.

mod enrolled;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::process::identity::{Identity, Ticks};
pub use enrolled::{Enrolled, is_full, overwrite, remove_new, rewrite};

/// Version of the sidecar's shape. Version 1 had no comm.
pub const SCHEMA_VERSION: u32 = 2;

/// What a sidecar's name begins with.
pub const PREFIX: &str = "tracer_enrollment_";

/// What the name of a sidecar that is being written begins with.
pub const NEW_PREFIX: &str = ".tracer_enrollment_";

/// Bytes of a page; larger ones are no harm.
const PAGE: usize = 4096;

/// The first of the fields that never change. Those before it are short but for what is noted, and hold no other fields.
const UNCHANGING: &[u8] = b",\"comm\":";

/// The contents of a sidecar. Bytes that are not UTF-8 are escaped as in all files of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrollment {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The session.
    pub session_id: String,
    /// The root's pid.
    pub pid: u32,
    /// The boot that the pid belongs to.
    pub boot_id: String,
    /// The root's start.
    pub starttime_ticks: u64,
    /// The log directory, absolute, that a recovery was about to put the session into, where that is not `log_dir`, or
    /// tracer never had that one.
    #[serde(default)]
    pub recovered_to: Option<String>,
    /// The session is in its place, and may lack its line in the index.
    #[serde(default)]
    pub finished: bool,
    /// Its tracer came to its end, and could not write the session.
    #[serde(default)]
    pub unwritten: bool,
    /// How the command ended, as wait(2) tells it, where it is `unwritten`.
    #[serde(default)]
    pub wait_status: Option<u32>,
    /// Lines that the trace file did not take, and that are gone, where it is `unwritten`.
    #[serde(default)]
    pub lost_lines: u64,
    /// The root's comm when this was written; `None`: the sidecar is of version 1.
    pub comm: Option<String>,
    /// When this was written, RFC 3339.
    pub enrolled_at: String,
    /// What the session's owner said about it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The command and its arguments, as far as they may be told.
    #[serde(default)]
    pub command: Vec<String>,
    /// Where the session is to be, absolute; `None`: wherever the recovery keeps sessions.
    #[serde(default)]
    pub log_dir: Option<String>,
    /// The tracer that wrote this.
    #[serde(default)]
    pub tracer_pid: u32,
    /// When this boot began, nanoseconds since 1970.
    #[serde(default)]
    pub booted_at_ns: Option<i64>,
    /// The name that the target was asked for by.
    #[serde(default)]
    pub target: Option<String>,
    /// Whose the session is to be, where root records it on somebody's behalf: user id and group id.
    #[serde(default)]
    pub reader: Option<(u32, u32)>,
    /// Arguments are left out of all files.
    #[serde(default)]
    pub redact_args: bool,
    /// Where anomalies begin.
    #[serde(default)]
    pub thresholds: serde_json::Value,
    /// Device and inode of the directory of sessions in `log_dir` when this was written, to know it again.
    #[serde(default)]
    pub sessions_dir: Option<(u64, u64)>,
}

impl Enrollment {
    /// Whose session it is.
    #[must_use]
    pub fn root(&self) -> Identity {
        Identity { pid: self.pid, start: Ticks(self.starttime_ticks) }
    }

    /// As it stands in the file: what may be noted later ends with the first page or before, and there is room for it.
    fn text(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        // In a string there are none of these bytes: its quotation marks are escaped.
        if let Some(notes) = text.windows(UNCHANGING.len()).position(|bytes| bytes == UNCHANGING) {
            let rest = text.len() - notes;
            let room = if rest <= PAGE / 2 { PAGE - rest } else { PAGE };
            text.splice(notes..notes, std::iter::repeat_n(b' ', room.saturating_sub(notes)));
        }
        Ok(text)
    }

    /// Without all that may be large: what is left says which files are to go.
    #[must_use]
    pub fn for_removal(self) -> Self {
        Self {
            comm: None,
            enrolled_at: String::new(),
            labels: BTreeMap::new(),
            command: Vec::new(),
            target: None,
            thresholds: serde_json::Value::Null,
            recovered_to: None,
            ..self
        }
    }
}

/// The sidecar's name.
#[must_use]
pub fn name(root: Identity) -> String {
    format!("{PREFIX}{}_{}.json", root.pid, root.start.0)
}

#[cfg(test)]
pub(crate) fn made(pid: u32, start: u64) -> Enrollment {
    Enrollment {
        schema_version: SCHEMA_VERSION,
        session_id: format!("s-{pid}-{start}"),
        pid,
        boot_id: "this boot".to_owned(),
        starttime_ticks: start,
        comm: Some("sh".to_owned()),
        enrolled_at: "2026-01-01T00:00:00.000000Z".to_owned(),
        labels: BTreeMap::from([("job".to_owned(), "17".to_owned())]),
        command: vec!["sh".to_owned(), "-c".to_owned(), "true".to_owned()],
        log_dir: None,
        tracer_pid: 1,
        booted_at_ns: Some(0),
        target: None,
        reader: None,
        redact_args: false,
        thresholds: serde_json::Value::Null,
        sessions_dir: None,
        recovered_to: None,
        finished: false,
        unwritten: false,
        wait_status: None,
        lost_lines: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::Enrollment;

    #[test]
    fn one_of_version_1_has_no_comm() {
        let line = r#"{"schema_version":1,"session_id":"a","pid":1,"boot_id":"b","starttime_ticks":2,
            "enrolled_at":"2026-01-01T00:00:00Z","labels":{}}"#;
        let enrollment: Enrollment = serde_json::from_str(line).unwrap();
        assert_eq!((enrollment.comm, enrollment.log_dir), (None, None));
    }
}
