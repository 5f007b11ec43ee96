//! Where in its life a tracer was when it was killed, by what it had left on disk.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::ground::Ground;

/// A part of a tracer's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// There was nothing yet.
    StartUp,
    /// The sidecar was on its way, or there without a trace file.
    Enrol,
    /// There were lines, but no snapshot yet.
    Events,
    /// There were snapshots too.
    Snapshots,
    /// Older rows had begun to move.
    Moving,
    /// The session was being built.
    Building,
    /// It was in its place, and what it came from was not cleared away yet.
    InPlace,
    /// All was done but to exit.
    After,
}

impl Phase {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::StartUp,
        Self::Enrol,
        Self::Events,
        Self::Snapshots,
        Self::Moving,
        Self::Building,
        Self::InPlace,
        Self::After,
    ];
}

/// What a killed tracer left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// Where it was.
    pub(crate) phase: Phase,
    /// Whole lines in its trace file.
    pub(crate) lines: usize,
}

/// What the killed tracer of the session `id` left. Somebody else may be at work in the same directories.
pub(crate) fn left(ground: &Ground, id: &str) -> Left {
    let names = ground.outcome.session_names();
    let in_place = names.iter().any(|name| name == id);
    let hidden = |name: &&String| name.starts_with(&format!(".{id}."));
    let building = names.iter().filter(hidden).any(|name| !name.ends_with(".spool"));
    let moved = names.iter().filter(hidden).find(|name| name.ends_with(".spool"));
    let runtime = ground.outcome.left();
    let name = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).unwrap().to_owned();
    let sidecar = runtime.iter().filter(|path| name(path).starts_with("tracer_enrollment_")).find(|path| {
        // Somebody else's may be gone by now.
        let text = fs::read(path).unwrap_or_default();
        serde_json::from_slice::<Value>(&text).unwrap_or_default()["session_id"] == id
    });
    let Some(sidecar) = sidecar else {
        let unfinished = runtime.iter().any(|path| name(path).starts_with(".tracer_enrollment_"));
        let phase = match (in_place, unfinished) {
            (true, _) => Phase::After,
            (false, true) => Phase::Enrol,
            (false, false) => Phase::StartUp,
        };
        return Left { phase, lines: 0 };
    };
    let trace = name(sidecar).replace("enrollment", "trace") + "l";
    let trace = fs::read(sidecar.with_file_name(trace)).ok().map(|trace| {
        let older = moved.map(|name| fs::read(ground.outcome.log().join("sessions").join(name)).unwrap());
        rows(&trace, &older.unwrap_or_default())
    });
    let phase = match &trace {
        _ if in_place => Phase::InPlace,
        _ if building => Phase::Building,
        None => Phase::Enrol,
        Some(_) if moved.is_some() => Phase::Moving,
        Some(text) if text.contains("\"captured_at\"") => Phase::Snapshots,
        Some(_) => Phase::Events,
    };
    let lines = trace.map_or(0, |text| text.bytes().filter(|byte| *byte == b'\n').count());
    Left { phase, lines }
}

/// The rows of a trace file. Where it begins with zeros, what stood there is in another file, at the same place.
fn rows(trace: &[u8], older: &[u8]) -> String {
    let zeros = trace.iter().position(|byte| *byte != 0).unwrap_or(trace.len());
    // Once the session is in its place that file goes first: then these rows are not counted here.
    let older = older.get(..zeros).unwrap_or_default();
    String::from_utf8([older, &trace[zeros..]].concat()).unwrap()
}
