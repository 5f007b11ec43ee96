//! Tracer is killed on the way into each system call of what changes directories: the end of a run, recovery, retention, `clear`.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tests::faults::{Calls, changes, changes_of_thread, killed_at, killed_in_a_thread_at};
use tests::{Outcome, Trace};

/// Nothing is left in the runtime directory, and nothing in the log directory but sessions and an index that agree.
#[track_caller]
fn assert_tidy(outcome: &Outcome, at: (&str, u32)) {
    assert_eq!(outcome.left(), Vec::<PathBuf>::new(), "{at:?}");
    let names = outcome.session_names();
    assert!(names.iter().all(|name| !name.starts_with('.')), "{at:?}: {names:?}");
    let index = outcome.index();
    let mut indexed: Vec<_> = index.iter().map(|line| line["session_id"].as_str().unwrap()).collect();
    indexed.sort_unstable();
    assert_eq!(indexed, names, "{at:?}");
    let beside: BTreeSet<_> =
        fs::read_dir(outcome.log()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, BTreeSet::from(["sessions".into(), "sessions.jsonl".into()]), "{at:?}");
    outcome.assert_readable();
}

#[test]
fn a_recovery_that_is_killed_between_any_two_system_calls_leaves_the_crash_to_the_next_one() {
    const CRASH: &str =
        "until grep -q captured_at ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID";
    let outcome = Trace::sh(CRASH).flags(["--interval", "10ms"]).outcome();
    outcome.await_ends();
    let files: Vec<_> = outcome.left().into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let log = outcome.log();
    let again = || {
        fs::remove_dir_all(&log).unwrap();
        files.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
    };
    let words = outcome.recovery();
    let calls = Calls::of(&words);
    again();
    let places = calls.kill_at_each(
        0,
        |_| true,
        |at| {
            let killed = killed_at(&words, at);
            assert_eq!(outcome.recover([]).code, Some(0), "{at:?}");
            assert_eq!(outcome.session_names().len(), 1, "{at:?}");
            assert_tidy(&outcome, at);
            again();
            killed
        },
    );
    assert!(places > 100, "it was killed in {places} places");
}

#[test]
fn a_recovery_to_another_place_that_is_killed_anywhere_is_one_session_wherever_the_next_one_is_told_to_put_it()
 {
    const CRASH: &str =
        "until grep -q captured_at ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID";
    let outcome = Trace::sh(CRASH).flags(["--interval", "10ms"]).outcome();
    outcome.await_ends();
    let files: Vec<_> = outcome.left().into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let elsewhere = outcome.file("elsewhere");
    let again = || {
        for log in [&elsewhere, &outcome.log()] {
            drop(fs::remove_dir_all(log));
        }
        files.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
    };
    let mut words = outcome.recovery();
    words.extend(["--log-dir".into(), elsewhere.clone().into()]);
    let calls = Calls::of(&words);
    again();
    let (mut here, mut there) = (0, 0);
    let places = calls.kill_at_each(0, changes, |at| {
        let killed = killed_at(&words, at);
        let next = outcome.recover([]);
        assert_eq!((next.code, outcome.left()), (Some(0), vec![]), "{at:?}: {:?}", next.reports);
        let names = [outcome.log(), elsewhere.clone()].map(|log| sessions_in(&log));
        match names.each_ref().map(Vec::len) {
            [1, 0] => here += 1,
            [0, 1] => there += 1,
            _ => panic!("{at:?}: {names:?}"),
        }
        assert!(!names.concat()[0].starts_with('.'), "{at:?}: {names:?}");
        again();
        killed
    });
    assert!(places > 20 && here > 5 && there > 5, "{places} places; {here} here, {there} there");
}

/// All names where a log directory has its sessions.
fn sessions_in(log: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(log.join("sessions")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_run_that_is_killed_between_any_two_changes_of_a_file_is_one_session_or_none() {
    let outcome = Trace::command(["true"]).outcome();
    // Its own first: what is there already is not made.
    let calls = Calls::of(&outcome.run("calm", []));
    let from = calls.from("mkdir", "tracer-0");
    let mut number = 0;
    let places = calls.kill_at_each(from, changes, |at| {
        let before = outcome.session_count();
        number += 1;
        let id = format!("{}-{}-{number}", at.0, at.1);
        let killed = killed_at(&outcome.run(&id, []), at);
        outcome.await_ends();
        let began = !outcome.left().is_empty();
        let is_enrolled =
            |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("tracer_enrollment_");
        let there = outcome.left().iter().any(is_enrolled) || outcome.session_names().contains(&id);
        outcome.age();
        assert_eq!(outcome.recover([]).code, Some(0), "{at:?}");
        assert_tidy(&outcome, at);
        let after = before + usize::from(there);
        assert_eq!(outcome.session_count(), after, "{at:?}: one session if it began, or else none");
        assert_eq!(outcome.session_names().contains(&id), there, "{at:?}");
        assert!(killed.is_some() || !began, "{at:?}: who is not killed leaves nothing to recover");
        killed
    });
    assert!(places > 20, "it was killed in {places} places");
}

#[test]
fn a_run_that_is_killed_while_it_recovers_beside_its_command_leaves_both_to_the_next_recovery() {
    const CRASH: &str =
        "until grep -q captured_at ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID";
    // Kills when the session of the crash was begun, and its files were not gone.
    const ENOUGH: u32 = 8;
    let outcome = Trace::sh(CRASH).flags(["--interval", "10ms"]).outcome();
    outcome.await_ends();
    let files: Vec<_> = outcome.left().into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let again = || {
        fs::remove_dir_all(outcome.log()).unwrap();
        files.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
        outcome.age();
    };
    outcome.age();
    let words = outcome.run("beside", []);
    let calls = changes_of_thread(&words, "tracer-recover");
    let (mut places, mut in_the_middle) = (0, 0);
    // Any thread of tracer may be the first that comes to its nth call; so several rounds.
    for (name, count) in calls.iter().cycle().take(calls.len() * 10) {
        if in_the_middle >= ENOUGH {
            break;
        }
        for at in (1..=*count).map(|nth| (name.as_str(), nth)) {
            again();
            let killed = killed_in_a_thread_at(&words, at);
            outcome.await_ends();
            let begun = outcome.session_names().iter().any(|name| !name.contains("beside"));
            let is_there = files.iter().any(|(_, path)| path.exists());
            (places, in_the_middle) =
                (places + u32::from(killed), in_the_middle + u32::from(begun && is_there));
            let own = is_enrolled_or_there(&outcome, &files, "beside");
            outcome.age();
            assert_eq!(outcome.recover([]).code, Some(0), "{at:?}");
            assert_tidy(&outcome, at);
            assert_eq!(
                outcome.session_count(),
                1 + usize::from(own),
                "{at:?}: the crash, and the run if it began"
            );
        }
    }
    assert!(in_the_middle >= ENOUGH, "{places} places, {in_the_middle} in the middle: {calls:?}");
}

/// Whether the run `id` has a sidecar or a session in its place, beside the files of a crash.
fn is_enrolled_or_there(outcome: &Outcome, files: &[(Vec<u8>, PathBuf)], id: &str) -> bool {
    let is_own = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("tracer_enrollment_") && files.iter().all(|(_, file)| file != path)
    };
    outcome.left().iter().any(is_own) || outcome.session_names().iter().any(|name| name == id)
}

#[test]
fn a_retention_that_is_killed_between_any_two_system_calls_is_finished_by_the_next_run() {
    let outcome = Trace::command(["true"]).outcome();
    let run = |id: &str, flags| {
        let mut run = Command::new(tests::tracer());
        assert!(run.args(outcome.run(id, flags)).env("TRACER_TEST", "1").status().unwrap().success());
    };
    run("first", []);
    let keep = ["--keep-sessions", "1"];
    let calls = Calls::of(&outcome.run("calm", keep));
    let from = calls.from("unlinkat", "tracer_enrollment_");
    let places = calls.kill_at_each(
        from,
        |name| name != "munmap" && name != "close",
        |at| {
            run("second", []);
            let killed = killed_at(&outcome.run("third", keep), at);
            outcome.await_ends();
            assert_eq!(outcome.recover([]).code, Some(0), "{at:?}");
            // It has another mind about what is to be kept, and finishes what is half removed all the same.
            run("last", []);
            assert_tidy(&outcome, at);
            assert!(outcome.session_names().contains(&"third".to_owned()), "{at:?}: the latest one stays");
            for name in outcome.session_names() {
                fs::remove_dir_all(outcome.log().join("sessions").join(name)).unwrap();
            }
            fs::remove_file(outcome.log().join("sessions.jsonl")).unwrap();
            run("first", []);
            killed
        },
    );
    assert!(places > 20, "it was killed in {places} places");
}

#[test]
fn a_session_that_retention_removed_after_its_run_was_killed_is_not_made_again() {
    let outcome = Trace::command(["true"]).outcome();
    let calls = Calls::of(&outcome.run("calm", []));
    let from = calls.from("renameat2", "\"calm\"");
    let (mut removed, mut number) = (0, 0);
    let places = calls.kill_at_each(from, changes, |at| {
        number += 1;
        let id = format!("first-{number}");
        let killed = killed_at(&outcome.run(&id, []), at);
        outcome.await_ends();
        let has_line = outcome.index().iter().any(|line| line["session_id"] == id.as_str());
        let is_left = !outcome.left().is_empty();
        let mut last = Command::new(tests::tracer());
        let last = last.args(outcome.run(&format!("last-{number}"), ["--keep-sessions", "1"]));
        assert!(last.env("TRACER_TEST", "1").status().unwrap().success());
        assert_eq!(outcome.recover([]).code, Some(0), "{at:?}");
        let names = outcome.session_names();
        assert!(!has_line || names == [format!("last-{number}")], "{at:?}: {names:?}");
        removed += u32::from(has_line && is_left);
        assert_tidy(&outcome, at);
        killed
    });
    assert!(
        places > 10 && removed > 2,
        "killed in {places} places, {removed} after the line and before the end"
    );
}

#[test]
fn a_clear_that_is_killed_between_any_two_system_calls_puts_a_fence_or_none() {
    let outcome = Trace::command(["true"]).outcome();
    let words = outcome.clear();
    let calls = Calls::of(&words);
    let fence = outcome.log().join(".cleared_at");
    let places = calls.kill_at_each(
        0,
        |_| true,
        |at| {
            fs::remove_file(&fence).unwrap();
            let killed = killed_at(&words, at);
            if let Ok(text) = fs::read_to_string(&fence) {
                assert!(text.len() > 20 && text.ends_with("Z\n"), "{at:?}: {text:?}");
            }
            assert_eq!(killed_at(&words, ("open_tree", 1)), None, "the next one is not held up");
            let hidden: Vec<_> = fs::read_dir(outcome.log())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with('.'))
                .collect();
            assert_eq!(hidden, [".cleared_at"], "{at:?}");
            killed
        },
    );
    assert!(places > 20, "it was killed in {places} places");
}
