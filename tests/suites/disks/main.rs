//! Disks that are full, read-only, removed or broken under way: the command keeps its status, there is one line for each
//! trouble that names the path, and what could be kept becomes a session once there is a disk for it.

mod broken;
mod full;
mod index;
mod limits;
mod noreplace;
mod removed;
mod unmounted;
mod unwritable;

use tests::{Outcome, Session};

/// `tracer run`, and what it needs of its ground.
const RUN: &str = "$0 run --log-dir ../log --tmpfs-path ../run";

/// Runs many programs, and fails in a way that shows.
const WORK: &str = "i=0; while [ $i -lt 150 ]; do /bin/true; i=$((i+1)); done; exit 3";

/// Makes a session of what is left.
const RECOVER: &str = "$0 recover --min-age 0s --tmpfs-path ../run --log-dir ../log";

/// The same, where the log directory is of no use.
const ELSEWHERE: &str = "$0 recover --min-age 0s --tmpfs-path ../run --log-dir ../there";

/// Lines of tracer that tell of a trouble. Each trouble is told once.
fn troubles(outcome: &Outcome) -> Vec<&str> {
    let told = |line: &&str| line.contains("warning") || line.contains("error");
    outcome.stderr.lines().filter(told).collect()
}

#[track_caller]
fn assert_one_trouble(outcome: &Outcome, words: &[&str]) {
    let troubles = troubles(outcome);
    assert_eq!(troubles.len(), 1, "{}", outcome.stderr);
    words.iter().for_each(|word| assert!(troubles[0].contains(word), "{word:?} in {}", troubles[0]));
}

/// What was kept: every process, in a session that says that tracer could not finish it.
#[track_caller]
fn assert_recovered(outcome: Outcome) -> Session {
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.contains("status 3"), "the command's status is tracer's: {stdout}\n{}", outcome.stderr);
    assert!(stdout.contains("recovered, its process is gone"), "{stdout}\n{}", outcome.stderr);
    let session = outcome.session();
    assert_eq!(
        (&session.summary["subtype"], &session.summary["exit_code"]),
        (&"crashed".into(), &(-1).into())
    );
    let verdict = &session.summary["verdict"];
    let sentence = verdict["sentence"].as_str().unwrap_or_default();
    assert!(
        sentence.contains("could not write its session") && sentence.contains("exited with code 3"),
        "{sentence}"
    );
    assert_eq!((&verdict["cause"], &verdict["exit_code"]), (&"exited_non_zero".into(), &3.into()));
    assert_eq!(session.processes.len(), 151);
    assert!(session.processes.iter().all(|row| row["end_lost"] == false), "every end is there");
    session
}
