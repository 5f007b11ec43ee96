//! `sessions.jsonl`: a line a session, what a list shows of it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clock::Time;
use super::id::SessionId;
use super::patience::Patience;
use super::summary::{Reason, State, Subtype, Summary};
use super::text::Text;
use crate::process::identity::Ticks;

/// With the lock of whatever index.
static PATIENCE: Patience = Patience::new();

/// Arguments of the command that the line has; the summary has all.
const ARGUMENTS: usize = 16;

/// Fields that the line takes from the summary as they are; the others are `command_truncated`, `orphan_count` and `completeness`.
const FIELDS: [&str; 19] = [
    "schema_version",
    "session_id",
    "labels",
    "command",
    "subtype",
    "exit_code",
    "exit_signal",
    "termination_reason",
    "pid",
    "boot_id",
    "starttime_ticks",
    "tracked_comm",
    "started_at",
    "ended_at",
    "elapsed_seconds",
    "process_count",
    "peak_rss_kb",
    "cpu_seconds",
    "anomaly_count",
];

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

/// Appends the session's line, and brings it to the disk unless somebody else does so later.
pub fn append(index: &Path, summary: &Summary<'_>, synced_later: bool) -> io::Result<()> {
    let command = &summary.command[..summary.command.len().min(ARGUMENTS)];
    let mut line = serde_json::to_vec(&Line {
        schema_version: summary.schema_version,
        session_id: &summary.session_id,
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
    let file = locked(index)?;
    append_line(&file, &line)?;
    if synced_later {
        return Ok(());
    }
    // Nobody else has to wait for the disk.
    flock(&file, FlockOperation::Unlock)?;
    file.sync_data()
}

/// The lines of an index that are whole, each with what is asked of it. Others, most likely torn, are passed over with one
/// warning.
pub(super) fn lines<'a, T: Deserialize<'a>>(index: &Path, text: &'a [u8]) -> Vec<(&'a [u8], T)> {
    let (mut lines, mut damaged) = (Vec::new(), 0_u64);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(parsed) => lines.push((line, parsed)),
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => damaged += 1,
        }
    }
    if damaged > 0 {
        log::warn!("{} has {damaged} damaged lines; they are passed over", index.display());
    }
    lines
}

/// Appends the line of a session, unless it is there. `in_place` says, under the lock, whether the session still is:
/// retention may have removed it meanwhile.
pub fn repair(
    index: &Path,
    id: &SessionId,
    mut summary: Value,
    in_place: impl FnOnce() -> bool,
) -> io::Result<()> {
    // A log directory that became read-only may be complete all the same.
    if read(index).is_ok_and(|text| has_line(&text, id)) {
        return Ok(());
    }
    let mut file = locked(index)?;
    if !in_place() {
        return Ok(());
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    if has_line(&text, id) {
        return Ok(());
    }
    let words = summary["command"].as_array().map_or(0, Vec::len);
    if let Some(command) = summary["command"].as_array_mut() {
        command.truncate(ARGUMENTS);
    }
    let mut line = Map::new();
    for name in FIELDS {
        line.insert(name.to_owned(), summary[name].take());
    }
    line.insert("command_truncated".to_owned(), Value::from(words > ARGUMENTS));
    line.insert("orphan_count".to_owned(), Value::from(summary["orphans"].as_array().map_or(0, Vec::len)));
    line.insert("completeness".to_owned(), summary["completeness"]["state"].take());
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    append_line(&file, &text)
}

/// Whether a session has its line.
fn has_line(text: &[u8], id: &SessionId) -> bool {
    #[derive(Deserialize)]
    struct Line<'a> {
        session_id: &'a str,
    }
    let lines = text.split(|byte| *byte == b'\n').map(serde_json::from_slice::<Line<'_>>);
    lines.flatten().any(|line| line.session_id == id.as_str())
}

/// The index as it is, for who needs no lock.
pub(super) fn read(index: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    plain(OpenOptions::new().read(true), index)?.read_to_end(&mut text)?;
    Ok(text)
}

/// Opens a plain file, through no link that somebody else could have put there.
pub(super) fn plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.nlink() <= 1 {
        Ok(file)
    } else {
        Err(io::Error::other("it is no regular file, or has another name too"))
    }
}

/// The index, locked until the file is closed: whoever rewrites it puts another file in its place.
pub(super) fn locked(index: &Path) -> io::Result<File> {
    loop {
        let file = plain(OpenOptions::new().read(true).append(true).create(true).mode(0o600), index)?;
        PATIENCE.lock(&file, index.display())?;
        let (ours, there) = (file.metadata()?, std::fs::symlink_metadata(index));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}

/// One write, so that a reader who asks for no lock sees it whole. A line that somebody left torn is ended first, so
/// that it takes no other with it.
fn append_line(mut file: &File, line: &[u8]) -> io::Result<()> {
    let mut last = [b'\n'];
    let end = file.metadata()?.len();
    if end > 0 {
        file.read_exact_at(&mut last, end - 1)?;
    }
    let torn: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    let whole = [torn, line].concat();
    let written = file.write(&whole)?;
    if written == whole.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::repair;

    fn lines(index: &std::path::Path) -> Vec<String> {
        std::fs::read_to_string(index).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_that_is_missing_is_added_once() {
        let dir = crate::scratch();
        let (index, id) = (dir.path().join("sessions.jsonl"), "a".parse().unwrap());
        let summary = json!({"session_id": "a", "command": vec!["x"; 20], "orphans": [1], "pid": 7,
            "completeness": {"state": "lossy"}});
        repair(&index, &id, summary.clone(), || true).unwrap();
        repair(&index, &id, summary, || true).unwrap();
        let lines = lines(&index);
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["pid"], &line["orphan_count"]), (&json!(7), &json!(1)));
        assert_eq!((&line["completeness"], &line["command_truncated"]), (&json!("lossy"), &json!(true)));
    }

    #[test]
    fn a_session_that_was_removed_meanwhile_gets_no_line() {
        let dir = crate::scratch();
        let index = dir.path().join("sessions.jsonl");
        repair(&index, &"a".parse().unwrap(), json!({"session_id": "a"}), || false).unwrap();
        assert_eq!(lines(&index), Vec::<String>::new());
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = crate::scratch();
        let (index, elsewhere) = (dir.path().join("sessions.jsonl"), dir.path().join("elsewhere"));
        std::os::unix::fs::symlink(&elsewhere, &index).unwrap();
        assert!(repair(&index, &"a".parse().unwrap(), json!({"session_id": "a"}), || true).is_err());
        assert!(!elsewhere.exists());
    }

    #[test]
    fn a_torn_line_does_not_take_the_next_one_with_it() {
        let dir = crate::scratch();
        let index = dir.path().join("sessions.jsonl");
        std::fs::write(&index, "{\"session_id\":\"to").unwrap();
        repair(&index, &"a".parse().unwrap(), json!({"session_id": "a"}), || true).unwrap();
        assert_eq!(lines(&index).len(), 2);
        let text = std::fs::read(&index).unwrap();
        assert_eq!(super::lines::<Value>(&index, &text).len(), 1, "it is passed over");
        assert_eq!(serde_json::from_str::<Value>(&lines(&index)[1]).unwrap()["session_id"], "a");
    }
}
