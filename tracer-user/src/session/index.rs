//! `sessions.jsonl`: a line a session, what a list shows of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::{FlockOperation, OFlags, flock};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::clock::Time;
use super::id::SessionId;
use super::patience::Patience;
use super::summary::{Reason, State, Subtype, Summary};
use super::text::Text;
use crate::process::identity::Ticks;
use crate::record::dir::{Dir, Entry};

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

/// Whose a line is, or a summary. An id alone may be another session's by now: somebody removed its directory, and then it
/// was given again.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Whose {
    pub(super) session_id: String,
    #[serde(default)]
    pid: Value,
    #[serde(default)]
    starttime_ticks: Value,
    #[serde(default)]
    boot_id: Value,
}

impl Whose {
    /// By a summary that lies under that id.
    fn of(id: &SessionId, summary: &Value) -> Self {
        let [pid, starttime_ticks, boot_id] =
            ["pid", "starttime_ticks", "boot_id"].map(|name| summary[name].clone());
        Self { session_id: id.to_string(), pid, starttime_ticks, boot_id }
    }
}

/// The index of a log directory.
#[must_use]
pub fn of(log_dir: &Dir) -> Entry {
    log_dir.entry("sessions.jsonl")
}

/// The index before a session got its place. From then on others may give it its line ([`super::unlisted`]).
#[derive(Debug)]
pub struct Before(Option<(File, u64)>);

impl Before {
    /// As it is now.
    #[must_use]
    pub fn now(index: &Entry) -> Self {
        let file = index.plain_file(OFlags::RDONLY).ok();
        Self(file.and_then(|file| file.metadata().ok().map(|found| (file, found.len()))))
    }

    /// What came since, whoever rewrote it meanwhile.
    fn since(&self, index: &Entry, mut now: &File) -> io::Result<Vec<u8>> {
        let from = match &self.0 {
            Some((file, len)) if index.is(file)? => *len,
            _ => 0,
        };
        let mut text = Vec::new();
        now.seek(SeekFrom::Start(from))?;
        now.read_to_end(&mut text)?;
        Ok(text)
    }
}

/// Appends the session's line, and brings it to the disk unless somebody else does so later.
pub fn append(index: &Entry, summary: &Summary<'_>, before: &Before, synced_later: bool) -> io::Result<()> {
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
    let whose: Whose = serde_json::from_slice(&line)?;
    if !has_line(&before.since(index, &file)?, &whose) {
        append_line(&file, &line)?;
    }
    if synced_later {
        return Ok(());
    }
    // Nobody else has to wait for the disk.
    flock(&file, FlockOperation::Unlock)?;
    file.sync_data()
}

/// The lines of an index that are whole, each with what is asked of it. Others, most likely torn, are passed over with one
/// warning.
pub(super) fn lines<'a, T: Deserialize<'a>>(index: &Entry, text: &'a [u8]) -> Vec<(&'a [u8], T)> {
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

/// Appends the line of a session, unless it is there, and says whether it did. `in_place` says, under the lock, whether the session still is:
/// retention may have removed it meanwhile.
pub fn repair(
    index: &Entry,
    id: &SessionId,
    mut summary: Value,
    in_place: impl FnOnce() -> bool,
) -> io::Result<bool> {
    let whose = Whose::of(id, &summary);
    // A log directory that became read-only may be complete all the same.
    if read(index).is_ok_and(|text| has_line(&text, &whose)) {
        return Ok(false);
    }
    let mut file = locked(index)?;
    if !in_place() {
        return Ok(false);
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    if has_line(&text, &whose) {
        return Ok(false);
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
    append_line(&file, &text)?;
    Ok(true)
}

/// Whether a session has its line.
fn has_line(text: &[u8], whose: &Whose) -> bool {
    let lines = text.split(|byte| *byte == b'\n').map(serde_json::from_slice::<Whose>);
    lines.flatten().any(|line| line == *whose)
}

/// The index as it is, for who needs no lock.
pub(super) fn read(index: &Entry) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    index.plain_file(OFlags::RDONLY)?.read_to_end(&mut text)?;
    Ok(text)
}

/// The index, locked until the file is closed: whoever rewrites it puts another file in its place.
pub(super) fn locked(index: &Entry) -> io::Result<File> {
    loop {
        let file = index.plain_file(OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)?;
        PATIENCE.lock(&file, index.display())?;
        if index.is(&file)? {
            return Ok(file);
        }
    }
}

/// One write, so that a reader who asks for no lock sees it whole. A line that somebody left torn is ended first, so
/// that it takes no other with it.
fn append_line(mut file: &File, line: &[u8]) -> io::Result<()> {
    let mut last = *b"\n";
    let end = file.metadata()?.len();
    if end > 0 {
        file.read_exact_at(&mut last, end - 1)?;
    }
    let torn: &[u8] = if last == *b"\n" { b"" } else { b"\n" };
    let whole = [torn, line].concat();
    let written = file.write(&whole)?;
    if written == whole.len() {
        return Ok(());
    }
    // Most likely there was no room for the rest. A part is of no use to anybody.
    file.set_len(end)?;
    Err(io::ErrorKind::StorageFull.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Before, repair};
    use crate::record::dir::Entry;
    use crate::record::way;

    fn index(dir: &tempfile::TempDir) -> Entry {
        way::existing(dir.path()).unwrap().entry("sessions.jsonl")
    }

    fn lines(index: &Entry) -> Vec<String> {
        std::fs::read_to_string(index).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_that_is_missing_is_added_once() {
        let dir = crate::scratch();
        let (index, id) = (index(&dir), "a".parse().unwrap());
        let summary = json!({"session_id": "a", "command": vec!["x"; 20], "orphans": [1], "pid": 7,
            "completeness": {"state": "lossy"}});
        assert!(repair(&index, &id, summary.clone(), || true).unwrap());
        assert!(!repair(&index, &id, summary, || true).unwrap());
        let lines = lines(&index);
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((&line["pid"], &line["orphan_count"]), (&json!(7), &json!(1)));
        assert_eq!((&line["completeness"], &line["command_truncated"]), (&json!("lossy"), &json!(true)));
    }

    #[test]
    fn the_line_of_an_earlier_session_of_that_id_is_not_taken_for_its_own() {
        let dir = crate::scratch();
        let (index, id) = (index(&dir), "nightly".parse().unwrap());
        let of = |pid: u32, start: u64, boot: &str| json!({"session_id": "nightly", "pid": pid, "starttime_ticks": start, "boot_id": boot});
        let all = [of(7, 5, "b"), of(8, 5, "b"), of(7, 6, "b"), of(7, 5, "c")];
        for summary in all.iter().chain(&all) {
            repair(&index, &id, summary.clone(), || true).unwrap();
        }
        assert_eq!(lines(&index).len(), 4, "each has its own, once");
    }

    #[test]
    fn a_session_that_was_removed_meanwhile_gets_no_line() {
        let dir = crate::scratch();
        let index = index(&dir);
        assert!(!repair(&index, &"a".parse().unwrap(), json!({"session_id": "a"}), || false).unwrap());
        assert_eq!(lines(&index), Vec::<String>::new());
    }

    #[test]
    fn what_came_meanwhile_is_seen_whoever_rewrote_the_index() {
        let dir = crate::scratch();
        let index = index(&dir);
        let since = |before: &Before| {
            let now = super::locked(&index).unwrap();
            String::from_utf8(before.since(&index, &now).unwrap()).unwrap()
        };
        let none = Before::now(&index);
        std::fs::write(&index, "one\n").unwrap();
        let one = Before::now(&index);
        assert_eq!((since(&none), since(&one)), ("one\n".to_owned(), String::new()));
        std::fs::write(&index, "one\ntwo\n").unwrap();
        assert_eq!((since(&none), since(&one)), ("one\ntwo\n".to_owned(), "two\n".to_owned()));
        std::fs::write(dir.path().join("new"), "two\n").unwrap();
        std::fs::rename(dir.path().join("new"), &index).unwrap();
        assert_eq!((since(&none), since(&one)), ("two\n".to_owned(), "two\n".to_owned()));
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = crate::scratch();
        let (index, elsewhere) = (index(&dir), dir.path().join("elsewhere"));
        std::os::unix::fs::symlink(&elsewhere, &index).unwrap();
        assert!(repair(&index, &"a".parse().unwrap(), json!({"session_id": "a"}), || true).is_err());
        assert!(!elsewhere.exists());
    }

    #[test]
    fn a_torn_line_does_not_take_the_next_one_with_it() {
        let dir = crate::scratch();
        let index = index(&dir);
        std::fs::write(&index, "{\"session_id\":\"to").unwrap();
        repair(&index, &"a".parse().unwrap(), json!({"session_id": "a"}), || true).unwrap();
        assert_eq!(lines(&index).len(), 2);
        let text = std::fs::read(&index).unwrap();
        assert_eq!(super::lines::<Value>(&index, &text).len(), 1, "it is passed over");
        assert_eq!(serde_json::from_str::<Value>(&lines(&index)[1]).unwrap()["session_id"], "a");
    }
}
