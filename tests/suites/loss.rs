//! Loss is counted: rings and maps that are too small lose records, and seen + lost = happened, exactly.

use serde_json::json;
use tests::machine::fewer;
use tests::{Session, Trace};

/// The smallest rings: one page each.
const TINY: [&str; 2] = ["--ring-size", "4096"];

/// Events told, and events counted as lost.
fn told_and_lost(session: &Session, kind: &str) -> (usize, usize) {
    (session.events(kind).len(), session.lost(kind))
}

/// Asserts that a session lost some events of this kind, and that none is missing from the sum.
#[track_caller]
fn assert_some_lost(session: &Session, kind: &str, happened: usize) {
    let (told, lost) = told_and_lost(session, kind);
    assert!(lost > 0, "this was meant to lose {kind} events; {told} told");
    assert_eq!(told + lost, happened, "{told} {kind} events told and {lost} lost");
    assert_eq!(session.state(), "lossy");
    assert_eq!(session.lost("gaps"), 0, "what is counted as lost is no gap");
}

#[track_caller]
fn assert_none_lost(session: &Session, kind: &str, happened: usize) {
    assert_eq!(told_and_lost(session, kind), (happened, 0), "{kind} events told and lost");
}

#[test]
fn execs_too_large_for_the_ring_are_counted_and_cost_no_fork_or_exit() {
    let session =
        Trace::case(["fork", "20", "exec", "600"]).flags(["--ring-size", "life=4M,detail=4096"]).run();
    assert_some_lost(&session, "exec", 1 + 20);
    assert!(session.lost("exec") >= 20, "a record of 4.7 KB never fits into 4 KiB: {}", session.lost("exec"));
    assert_none_lost(&session, "fork", 1 + 20);
    assert_none_lost(&session, "exit", 1 + 20);
    session.assert_ordered();
    assert_eq!(session.processes.len(), 21);
}

#[test]
fn forks_and_exits_that_found_the_ring_full_are_counted() {
    let session = Trace::case(["behind-its-back", "forks", "300"]).flags(TINY).run();
    assert_some_lost(&session, "fork", 1 + 300);
    assert_some_lost(&session, "exit", 1 + 300);
}

#[test]
fn a_place_in_the_map_comes_back_even_where_the_exit_was_lost() {
    let flags = ["--ring-size", "4096", "--max-processes", "16"];
    let session = Trace::case(["behind-its-back", "forks", "300"]).flags(flags).run();
    assert_some_lost(&session, "exit", 1 + 300);
    assert_eq!(session.lost("untracked"), 0, "never more than two at a time");
}

#[test]
fn a_process_whose_exit_was_lost_has_ended_all_the_same() {
    let session = Trace::case(["behind-its-back", "forks", "300"]).flags(TINY).run();
    for row in &session.processes {
        assert!(row["ended_at"].is_string(), "has ended: {row}");
        assert_eq!(row["orphaned"], false, "is no orphan: {row}");
    }
    // The root's own status is tracer's to wait for, whether its exit event was lost or not.
    let children: Vec<_> = session.processes.iter().filter(|row| row["is_root"] == false).collect();
    let unknown = children.iter().filter(|row| row["exit_code"].is_null() && row["exit_signal"].is_null());
    let exits = session.events("exit");
    let untold = children.iter().filter(|row| !exits.iter().any(|exit| exit["pid"] == row["pid"]));
    assert_eq!(
        unknown.count(),
        untold.count(),
        "the status is unknown where the exit was lost, and only there"
    );
    assert_eq!(session.summary["orphans"], json!([]));
}

#[test]
fn the_roots_status_is_known_even_where_its_exit_was_lost() {
    let session = Trace::case(["dies-behind-its-back", "300"]).flags(TINY).run();
    let root = session.root();
    assert!(
        session.events("exit").iter().all(|exit| exit["pid"] != root["pid"]),
        "the workload does what it says"
    );
    assert_eq!(session.outcome.status.code(), Some(11));
    assert_eq!(
        (&session.summary["exit_code"], &root["exit_code"]),
        (&json!(11), &json!(11)),
        "tracer waited for it"
    );
}

#[test]
fn renames_that_found_the_ring_full_are_counted() {
    let session = Trace::case(["behind-its-back", "renames", "200"]).flags(TINY).run();
    assert_some_lost(&session, "rename", 200);
    assert_none_lost(&session, "exit", 1);
}

#[test]
fn signals_that_found_the_ring_full_are_counted() {
    let flags = ["--ring-size", "life=4M,detail=4096"];
    let session = Trace::case(["behind-its-back", "signals", "200"]).flags(flags).run();
    assert_some_lost(&session, "signal", 200);
    assert_none_lost(&session, "exit", 1 + 200);
}

#[test]
fn oom_victims_that_found_the_ring_full_are_counted() {
    let session = Trace::case(["behind-its-back", "oom", "300"]).flags(TINY).run();
    assert_some_lost(&session, "fork", 1 + 300 + 3);
    assert_some_lost(&session, "oom", 3);
}

#[test]
fn children_that_do_not_fit_into_the_map_are_told_and_counted() {
    let session = Trace::case(["crowd", "40"]).flags(["--max-processes", "16"]).run();
    assert_eq!(session.state(), "lossy");
    let untracked = session.events("fork").iter().filter(|event| event["untracked"] == true).count();
    assert!(untracked >= 40 - 16, "{untracked} untracked");
    assert_eq!(session.lost("untracked"), untracked);
    assert_none_lost(&session, "fork", 1 + 40);
    assert_none_lost(&session, "exit", 1 + 40 - untracked);
    assert_eq!(session.processes.len(), 41, "an untracked child is a process all the same");
}

#[test]
fn everything_counts_up_when_every_ring_and_map_is_too_small() {
    let flags = ["--ring-size", "4096", "--max-processes", "4096"];
    let each = fewer(250);
    let session = Trace::case(["parallel", "4", &each.to_string(), "exec", "600"]).flags(flags).run();
    let all = 4 * each;
    let happened = [("fork", 1 + 4 + all), ("exit", 1 + 4 + all), ("exec", 1 + all)];
    for (kind, happened) in happened {
        let (told, lost) = told_and_lost(&session, kind);
        assert_eq!(told + lost, happened, "{told} {kind} events told and {lost} lost");
    }
}

#[test]
fn rings_of_the_default_size_lose_nothing_of_a_burst() {
    let session = Trace::case(["behind-its-back", "forks", "2000"]).run();
    session.assert_whole();
}

#[test]
fn the_programs_say_what_they_lose_when_asked_and_nothing_otherwise() {
    let words = "tree map full: process";
    let crowd = || Trace::case(["crowd", "40"]);
    let asked = crowd().flags(["-vv", "--max-processes", "16"]).run();
    let told = asked.outcome.stderr.lines().filter(|line| line.contains(words)).count();
    assert_eq!(told, asked.lost("untracked"), "{}", asked.outcome.stderr);
    let unasked = crowd().flags(["--max-processes", "16"]).run();
    assert!(!unasked.outcome.stderr.contains(words), "{}", unasked.outcome.stderr);
}
