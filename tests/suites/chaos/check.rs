//! What has to hold after a step: each session that was started is there once, whole, and nothing else is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::{Identity, assert_family, assert_ordered, files_below, identity, lines};

use crate::ground::Ground;
use crate::phase::Phase;
use crate::step::{Run, Tally};

/// Processes of the workload.
const FAMILY: usize = 1 + 12 * 2;

/// Recovers for the last time, and looks at all that there is then.
pub(crate) fn check(ground: &mut Ground, runs: &[Run], tally: &mut Tally) {
    let last = ground.outcome.recover([]);
    assert_eq!(last.code, Some(0), "{:?}", last.reports);
    assert!(last.reports.iter().all(|report| report["action"] != "leave"), "{:?}", last.reports);
    let nothing: Vec<std::path::PathBuf> = Vec::new();
    assert_eq!(ground.outcome.left(), nothing, "the runtime directory is empty");
    ground.watch.read();
    let sessions = ground.outcome.session_names();
    assert_indexed_once(ground, &sessions);
    let found: BTreeSet<Identity> =
        sessions.iter().map(|name| identity(&summary(&session(ground, name)))).collect();
    assert_eq!(found, ground.watch.enrolled, "a session for each sidecar that was ever in its place");
    for run in runs {
        let dir = session(ground, &run.id);
        if dir.exists() {
            let subtype = assert_session(ground, run, &dir);
            *tally.sessions.entry(subtype).or_default() += 1;
        } else {
            assert!(run.left.is_some_and(|left| left.phase <= Phase::Enrol), "{} is nowhere", run.id);
            *tally.sessions.entry("never began").or_default() += 1;
        }
        assert_members(ground, run);
    }
}

fn session(ground: &Ground, name: &str) -> std::path::PathBuf {
    ground.outcome.log().join("sessions").join(name)
}

fn summary(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("summary.json")).unwrap()).unwrap()
}

/// The index and the directories agree, and the log directory holds nothing else.
fn assert_indexed_once(ground: &Ground, sessions: &[String]) {
    let entries = fs::read_dir(ground.outcome.log()).unwrap();
    let names: BTreeSet<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["sessions".to_owned(), "sessions.jsonl".to_owned()]));
    assert!(sessions.iter().all(|name| !name.starts_with('.')), "hidden directories stay: {sessions:?}");
    let mut indexed: Vec<String> =
        ground.outcome.index().iter().map(|line| line["session_id"].as_str().unwrap().to_owned()).collect();
    indexed.sort();
    assert_eq!(indexed, sessions, "the index has a line for each session, and no other");
}

/// A session's files hold what had reached the disk, in order, and nothing that did not happen.
fn assert_session(ground: &Ground, run: &Run, dir: &Path) -> &'static str {
    files_below(dir).iter().for_each(|path| tests::schema::assert_file(path));
    let [events, snapshots, processes] =
        ["events", "proc_trace", "processes"].map(|name| lines(&dir.join(format!("{name}.jsonl"))));
    assert_ordered(&events);
    assert_family(&processes);
    let summary = summary(dir);
    let forks = events.iter().filter(|event| event["event"] == "fork").map(identity);
    let (forks, members) = (forks.collect::<Vec<_>>(), ground.members(&run.id));
    assert_eq!(processes.iter().map(identity).collect::<Vec<_>>(), forks, "a row a process, in their order");
    // Who was killed with tracer may not have told of itself yet.
    let untold = usize::from(run.with_tree);
    assert!(forks.len() <= members.len() + untold, "{forks:?} of {members:?}");
    assert!(forks.iter().zip(&members).all(|(fork, member)| fork == member), "{forks:?} of {members:?}");
    assert!(snapshots.iter().all(|row| forks.contains(&identity(row))), "snapshots of members only");
    let finished = run.left.is_none_or(|left| left.phase >= Phase::InPlace);
    if finished {
        assert_eq!(
            (&summary["subtype"], &summary["completeness"]["state"]),
            (&"completed".into(), &"complete".into())
        );
        assert_eq!(forks.len(), FAMILY);
        return "completed";
    }
    assert_eq!((&summary["subtype"], &summary["exit_code"]), (&"crashed".into(), &(-1).into()));
    let spooled = run.left.map(|left| left.lines);
    assert_eq!(Some(events.len() + snapshots.len()), spooled, "all that had reached the trace file");
    "crashed"
}

/// The command goes on without its tracer, unless it was killed with it.
fn assert_members(ground: &Ground, run: &Run) {
    let members = ground.members(&run.id).len();
    let never_began = run.left.is_some_and(|left| left.phase <= Phase::Enrol) && members == 0;
    assert!(run.with_tree || never_began || members == FAMILY, "{} of its members: {members}", run.id);
}
