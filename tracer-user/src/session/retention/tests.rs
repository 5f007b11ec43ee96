//! Directories and lines that go together, and what stays.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{Keep, apply, apply_at};
use crate::record::dir::Entry;
use crate::session::finish::LogDir;
use crate::session::index;

fn index_of(log_dir: &LogDir) -> Entry {
    index::of(&log_dir.place().dirs().unwrap().log)
}

fn sessions(log_dir: &LogDir) -> PathBuf {
    log_dir.sessions().unwrap().path().to_owned()
}

fn log_dir(dir: &std::path::Path, count: u32) -> LogDir {
    let log_dir = LogDir::open(dir, &"none".parse().unwrap()).unwrap();
    for number in 0..count {
        let id = format!("s{number}").parse().unwrap();
        let session = sessions(&log_dir).join(format!("s{number}"));
        fs::create_dir(&session).unwrap();
        fs::write(session.join("summary.json"), "{}").unwrap();
        let summary = json!({"session_id": format!("s{number}"), "ended_at": "2026-01-01T00:00:00Z"});
        index::repair(&index_of(&log_dir), &id, summary, || true).unwrap();
    }
    log_dir
}

fn names(log_dir: &LogDir) -> Vec<String> {
    let entries = fs::read_dir(sessions(log_dir)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn lines(log_dir: &LogDir) -> usize {
    fs::read_to_string(index_of(log_dir)).unwrap().lines().count()
}

#[test]
fn whole_directories_and_their_lines_go_and_what_is_being_written_stays() {
    let dir = crate::scratch();
    let log_dir = log_dir(dir.path(), 5);
    for other in [".s9.77", ".s8.removed", "not-in-the-index"] {
        fs::create_dir(sessions(&log_dir).join(other)).unwrap();
    }
    assert_eq!(apply(&log_dir, &Keep { sessions: 2, ..Keep::default() }).unwrap(), 3);
    assert_eq!(names(&log_dir), [".s9.77", "not-in-the-index", "s3", "s4"]);
    assert_eq!(lines(&log_dir), 2);
    assert_eq!(apply(&log_dir, &Keep::default()).unwrap(), 0);
}

/// A session of that root under a name that may have been another's, and its line.
fn session(log_dir: &LogDir, id: &str, pid: u32) {
    let summary = json!({"session_id": id, "pid": pid, "starttime_ticks": 5, "boot_id": "b",
        "ended_at": "2026-01-01T00:00:00Z"});
    let session = sessions(log_dir).join(id);
    fs::create_dir(&session).unwrap();
    fs::write(session.join("summary.json"), summary.to_string()).unwrap();
    index::repair(&index_of(log_dir), &id.parse().unwrap(), summary, || true).unwrap();
}

/// A session whose id was another's, of which somebody removed the directory.
fn given_again(dir: &std::path::Path) -> LogDir {
    let log_dir = log_dir(dir, 0);
    session(&log_dir, "nightly", 7);
    fs::remove_dir_all(sessions(&log_dir).join("nightly")).unwrap();
    session(&log_dir, "nightly", 8);
    log_dir
}

#[test]
fn a_session_does_not_go_with_the_line_of_an_earlier_one_of_its_id() {
    let dir = crate::scratch();
    let log_dir = given_again(dir.path());
    let one = Keep { sessions: 1, ..Keep::default() };
    assert_eq!(apply(&log_dir, &one).unwrap(), 1);
    assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned()], 1));
    assert!(fs::read_to_string(index_of(&log_dir)).unwrap().contains("\"pid\":8"));
    session(&log_dir, "other", 9);
    assert_eq!(apply(&log_dir, &one).unwrap(), 1);
    assert_eq!(names(&log_dir), ["other"], "it goes with its own");
}

#[test]
fn a_session_that_has_no_line_yet_does_not_go_with_that_of_an_earlier_one() {
    let dir = crate::scratch();
    let log_dir = log_dir(dir.path(), 0);
    session(&log_dir, "nightly", 7);
    session(&log_dir, "other", 9);
    let newer = json!({"session_id": "nightly", "pid": 8, "starttime_ticks": 5, "boot_id": "b"});
    fs::write(sessions(&log_dir).join("nightly/summary.json"), newer.to_string()).unwrap();
    let one = Keep { sessions: 1, ..Keep::default() };
    assert_eq!(apply(&log_dir, &one).unwrap(), 0);
    assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned(), "other".to_owned()], 2));
    index::repair(&index_of(&log_dir), &"nightly".parse().unwrap(), newer, || true).unwrap();
    assert_eq!(apply(&log_dir, &one).unwrap(), 2);
    assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned()], 1));
}

#[test]
fn who_changes_a_summary_does_not_keep_the_session_for_ever() {
    let one = Keep { sessions: 1, ..Keep::default() };
    let day = SystemTime::now() + Duration::from_hours(25);
    for (id, pid) in [("a", 8), ("b", 8), ("b", 9), ("../..", 7)] {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 0);
        session(&log_dir, "a", 7);
        session(&log_dir, "b", 9);
        let changed = json!({"session_id": id, "pid": pid, "starttime_ticks": 5, "boot_id": "b"});
        fs::write(sessions(&log_dir).join("a/summary.json"), changed.to_string()).unwrap();
        assert_eq!(apply(&log_dir, &one).unwrap(), 0, "it may be another one that has no line yet");
        assert_eq!(apply_at(&log_dir, &one, day).unwrap(), 1, "{changed}");
        assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["b".to_owned()], 1), "{changed}");
    }
}

#[test]
fn the_line_of_an_earlier_session_of_an_id_is_not_kept_by_the_directory_of_a_later_one() {
    let dir = crate::scratch();
    let log_dir = given_again(dir.path());
    fs::write(dir.path().join(".sessions.jsonl.new"), "half").unwrap();
    apply(&log_dir, &Keep::default()).unwrap();
    assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned()], 1));
}

#[test]
fn a_run_of_days_keeps_the_index_as_short_as_what_is_kept() {
    let dir = crate::scratch();
    let log_dir = log_dir(dir.path(), 0);
    for number in 0..60 {
        let id = format!("s{number}").parse().unwrap();
        let summary = json!({"session_id": format!("s{number}"), "ended_at": "2026-01-01T00:00:00Z"});
        index::repair(&index_of(&log_dir), &id, summary, || true).unwrap();
        if number % 7 == 0 {
            let mut file = fs::File::options().append(true).open(index_of(&log_dir)).unwrap();
            std::io::Write::write_all(&mut file, b"{\"session_id\":\"torn").unwrap();
        }
        apply(&log_dir, &Keep { sessions: 5, ..Keep::default() }).unwrap();
        assert!(lines(&log_dir) <= 6, "{} lines after {number}", lines(&log_dir));
    }
    let text = fs::read_to_string(index_of(&log_dir)).unwrap();
    let last = ["s55", "s56", "s57", "s58", "s59"].map(|id| text.contains(&format!("\"{id}\"")));
    assert_eq!(last, [true; 5], "a torn line takes no other with it: {text}");
}

#[test]
fn what_a_killed_round_left_is_finished_by_the_next_whatever_that_is_to_keep() {
    let dir = crate::scratch();
    let log_dir = log_dir(dir.path(), 3);
    let sessions = sessions(&log_dir);
    fs::rename(sessions.join("s0"), sessions.join(".s0.removed")).unwrap();
    fs::remove_file(sessions.join(".s0.removed/summary.json")).unwrap();
    fs::write(dir.path().join(".sessions.jsonl.new"), "half").unwrap();
    assert_eq!(apply(&log_dir, &Keep::default()).unwrap(), 0);
    assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["s1".to_owned(), "s2".to_owned()], 2));
    assert!(!dir.path().join(".sessions.jsonl.new").exists());
}

#[test]
fn lines_that_come_meanwhile_are_not_lost() {
    let dir = crate::scratch();
    let log_dir = log_dir(dir.path(), 40);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log_dir = &log_dir;
            scope.spawn(move || {
                for number in 0..20 {
                    let id = format!("new{thread}-{number}");
                    let summary = json!({"session_id": id, "ended_at": "2026-01-01T00:00:00Z"});
                    index::repair(&index_of(log_dir), &id.parse().unwrap(), summary, || true).unwrap();
                    apply(log_dir, &Keep { sessions: 80, ..Keep::default() }).unwrap();
                }
            });
        }
    });
    let text = fs::read_to_string(index_of(&log_dir)).unwrap();
    assert_eq!((lines(&log_dir), text.matches("\"new").count()), (80, 80));
    assert_eq!(names(&log_dir).len(), 0);
}

#[test]
fn a_line_that_names_no_session_removes_nothing() {
    let dir = crate::scratch();
    let log_dir = log_dir(dir.path(), 1);
    let bad = "{\"session_id\":\"../..\",\"ended_at\":null}\n{\"torn";
    let text = fs::read_to_string(index_of(&log_dir)).unwrap();
    fs::write(index_of(&log_dir), format!("{bad}\n{text}")).unwrap();
    assert_eq!(apply(&log_dir, &Keep { sessions: 1, ..Keep::default() }).unwrap(), 1);
    assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["s0".to_owned()], 1));
}
