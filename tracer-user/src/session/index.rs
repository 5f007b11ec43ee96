//! `sessions.jsonl`: a line a session, what a list shows of it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::Serialize;

use super::clock::Time;
use super::id::SessionId;
use super::summary::{Reason, State, Subtype, Summary};
use super::text::Text;
use crate::process::identity::Ticks;

/// Arguments of the command that the line has; the summary has all.
const ARGUMENTS: usize = 16;

/// A line of the index.
#[derive(Debug, Serialize)]
struct Line<'a> {
    schema_version: u32,
    session_id: &'a SessionId,
    labels: &'a BTreeMap<String, String>,
    command: &'a [Text<'a>],
    command_truncated: bool,
    subtype: Subtype,
    exit_code: Option<i32>,
    exit_signal: Option<u8>,
    termination_reason: Reason,
    pid: u32,
    boot_id: &'a str,
    starttime_ticks: Ticks,
    tracked_comm: Option<Text<'a>>,
    started_at: Time,
    ended_at: Time,
    elapsed_seconds: f64,
    process_count: u64,
    peak_rss_kb: Option<u64>,
    cpu_seconds: Option<f64>,
    anomaly_count: u64,
    orphan_count: usize,
    completeness: State,
}

/// Appends the session's line in one write, so that lines of others, at the same time, stay whole too.
pub fn append(index: &Path, summary: &Summary<'_>) -> io::Result<()> {
    let command = &summary.command[..summary.command.len().min(ARGUMENTS)];
    let mut line = serde_json::to_vec(&Line {
        schema_version: summary.schema_version,
        session_id: summary.session_id,
        labels: summary.labels,
        command,
        command_truncated: command.len() < summary.command.len(),
        subtype: summary.subtype,
        exit_code: summary.exit_code,
        exit_signal: summary.exit_signal,
        termination_reason: summary.termination_reason,
        pid: summary.pid,
        boot_id: summary.boot_id,
        starttime_ticks: summary.starttime_ticks,
        tracked_comm: summary.tracked_comm,
        started_at: summary.started_at,
        ended_at: summary.ended_at,
        elapsed_seconds: summary.elapsed_seconds,
        process_count: summary.process_count,
        peak_rss_kb: summary.peak_rss_kb,
        cpu_seconds: summary.cpu_seconds,
        anomaly_count: summary.anomaly_count,
        orphan_count: summary.orphans.len(),
        completeness: summary.completeness.state,
    })?;
    line.push(b'\n');
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    // No write follows a link that somebody else could have put there.
    let mut file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(index)?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(io::Error::other("it is no regular file, or has another name too"));
    }
    if is_torn(&file, found.len())? {
        line.insert(0, b'\n');
    }
    let written = file.write(&line)?;
    if written == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Whether the last line was cut off: then ours begins a new one, or both would be lost.
fn is_torn(file: &File, len: u64) -> io::Result<bool> {
    let mut last = [0];
    match len.checked_sub(1) {
        None => Ok(false),
        Some(at) => file.read_exact_at(&mut last, at).map(|()| last != *b"\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_torn;

    #[test]
    fn a_line_that_was_cut_off_is_told_from_a_whole_one() {
        let dir = crate::scratch();
        let torn = |text: &str| {
            let path = dir.path().join("index");
            std::fs::write(&path, text).unwrap();
            is_torn(&std::fs::File::open(&path).unwrap(), text.len() as u64).unwrap()
        };
        assert_eq!([torn(""), torn("{}\n"), torn("{}\n{\"a\"")], [false, false, true]);
    }
}
