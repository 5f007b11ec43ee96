//! The workload behind its wrappers, with real processes: who becomes the target, why, and what if nobody does.
//!
//! The workload is a `claude` as it is installed: a script for `#!/usr/bin/env INTERPRETER`, whose interpreter then takes a
//! name of its own.

mod changes;
mod named;
mod shims;
mod unresolved;
mod wrappers;

use std::ffi::OsStr;

use serde_json::Value;
use tests::{Session, Trace};

/// What it finds the programs of its own directory by; `script` runs the shell that is named here.
const OWN_PROGRAMS: &str = "PATH=$PWD:$PATH; export SHELL=/bin/sh";

/// A run of a command with a `claude` in its PATH that lives as the case says.
fn with_claude<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>, case: &str) -> Trace {
    Trace::command(command)
        .after(OWN_PROGRAMS)
        .workload_as("interp")
        .script("claude", &format!("#!/usr/bin/env interp\nrename MainThread {case}\n"))
}

/// The names of the wrappers that were seen through, from the root inwards.
fn wrappers(session: &Session) -> Vec<&str> {
    let wrappers = session.target()["how"]["wrappers"].as_array();
    wrappers.into_iter().flatten().filter_map(|wrapper| wrapper["name"].as_str()).collect()
}

/// Asserts what holds for every target: one process of the tree, known by the event that the evidence names, and rows that
/// have no name but those that the kernel reported for it.
#[track_caller]
fn assert_target(session: &Session, rule: &str, name: &str) {
    let target = session.target();
    assert_eq!((&target["how"]["rule"], &target["how"]["name"]), (&rule.into(), &name.into()), "{target:#}");
    let marked: Vec<&Value> = session.processes.iter().filter(|row| row["is_target"] == true).collect();
    assert_eq!(marked.len(), 1, "one target in {:#?}", session.processes);
    for field in ["pid", "starttime_ticks"] {
        assert_eq!(target[field], marked[0][field], "{field} of the target");
    }
    let evidence = session.all_events.iter().find(|event| event["ktime_ns"] == target["how"]["ktime_ns"]);
    let told = evidence.map(|event| (&event["event"], &event["pid"], &event["at"]));
    let event = if rule == "comm" { &["exec", "rename"][..] } else { &["exec"] };
    assert!(told.is_some_and(|(kind, ..)| event.iter().any(|name| kind == name)), "{told:?} for {target:#}");
    assert_eq!(told.map(|(_, pid, _)| pid), Some(&target["pid"]), "the evidence is the target's own");
    let comms = marked[0]["comms"].as_array();
    for row in session.target_rows() {
        assert_eq!(row["pid"], target["pid"], "{row}");
        assert!(comms.is_some_and(|comms| comms.contains(&row["comm"])), "{row} has no comm of {comms:?}");
    }
}

/// The names and files that the target had one after another, as the summary's changes tell.
fn changes(session: &Session) -> Vec<(&str, &str, Option<&str>)> {
    let changes = session.target()["changes"].as_array();
    changes
        .into_iter()
        .flatten()
        .map(|change| {
            let name = |field: &str| change[field].as_str().unwrap_or_default();
            (name("from"), name("to"), change["filename"].as_str())
        })
        .collect()
}
