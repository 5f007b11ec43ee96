//! A target stays the target, whatever it execs and whatever it calls itself.

use crate::{assert_target, changes, with_claude};

const INSIDE: [&str; 4] = ["script", "-qefc", "claude --flag", "/dev/null"];

#[test]
fn a_target_that_execs_itself_again_and_again_stays_the_target() {
    let session = with_claude(INSIDE, "exec-again 3").flags(["--interval", "10ms"]).run();
    assert_target(&session, "seen_through", "claude");
    let files: Vec<Option<&str>> = changes(&session).into_iter().map(|(.., file)| file).collect();
    assert_eq!(files.len(), 6, "interp, the name that it takes, three execs of itself, and show: {files:?}");
    assert_eq!(files.iter().filter(|file| file.is_none()).count(), 1, "one is a rename: {files:?}");
    assert_eq!(session.target()["change_count"], 6);
    assert_eq!(session.target()["pid"], session.shown_once().pid, "the image in the end is the target's");
    session.assert_whole();
}

#[test]
fn a_target_that_renames_itself_is_sampled_under_each_name() {
    // The file may lag some rows behind, and more so on a slow machine.
    let rows = 6 * tests::machine::slowness();
    let life = format!("sampled 2 rename other sampled {rows} exit 0");
    let session = with_claude(INSIDE, &life).flags(["--interval", "10ms"]).run();
    assert_target(&session, "seen_through", "claude");
    let names: Vec<_> = changes(&session).into_iter().map(|(from, to, _)| (from, to)).collect();
    assert_eq!(names, [("claude", "interp"), ("interp", "MainThread"), ("MainThread", "other")]);
    assert_eq!(session.summary["tracked_comm_drift"], true);
    let last = session.target_rows().last().map(|row| &row["comm"]);
    assert_eq!(last, Some(&"other".into()));
}

#[test]
fn more_names_than_are_kept_are_counted_all_the_same() {
    let life = (0..100).map(|index| format!("rename n{index} ")).collect::<String>() + "exit 0";
    let session = with_claude(INSIDE, &life).run();
    assert_target(&session, "seen_through", "claude");
    assert_eq!(session.target()["change_count"], 102);
    assert_eq!(changes(&session).len(), 64, "the first of them");
    let comms = session.by_comm("n99")["comms"].as_array().map_or(0, Vec::len);
    assert!(comms > 102, "the process has them all, and those from before: {comms}");
}
