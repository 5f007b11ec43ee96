//! The disk under a recovery: nothing that a session is made of goes before that is on it.

use std::fs;

use tests::tracer;

use crate::killed;

#[test]
fn a_recovery_that_the_disk_does_not_take_keeps_what_it_was_made_of() {
    let outcome = killed();
    let before = outcome.left();
    let mut strace = std::process::Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", "trace=syncfs", "-e", "inject=syncfs:error=EIO"]).arg(tracer());
    strace.args(["recover", "--json", "--min-age", "0s", "--tmpfs-path"]).arg(outcome.runtime().join(".."));
    let told = strace.env("TRACER_TEST", "1").output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(report["error"].as_str().unwrap().contains("disk"), "{report}");
    assert_eq!((told.status.success(), outcome.left()), (false, before));
    assert_eq!(outcome.recover([]).code, Some(0));
    assert_eq!((outcome.left().len(), outcome.session_count(), outcome.index().len()), (0, 1, 1));
}

#[test]
fn the_disk_is_asked_through_what_was_opened_before_anything_was_written_there() {
    // What failed to be written before a descriptor was opened, syncfs(2) does not tell through it.
    let outcome = killed();
    let calls = outcome.runtime().join("../../calls.txt");
    let mut strace = std::process::Command::new("strace");
    strace
        .args(["-y", "-e", "trace=openat,openat2,dup,fcntl,mkdirat,syncfs", "-o"])
        .arg(&calls)
        .arg(tracer());
    strace.args(["recover", "--min-age", "0s", "--tmpfs-path"]).arg(outcome.runtime().join(".."));
    assert!(strace.env("TRACER_TEST", "1").output().unwrap().status.success());
    let text = fs::read_to_string(&calls).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let synced = lines.iter().position(|line| line.starts_with("syncfs(")).unwrap();
    let held = lines[synced].trim_start_matches("syncfs(").split_once(')').unwrap().0;
    assert!(held.contains("/sessions>"), "{text}");
    let opened = lines[..synced].iter().rposition(|line| line.contains(&format!("= {held}")));
    let begun =
        lines.iter().position(|line| line.starts_with("mkdirat(") && line.contains("/sessions>, \"."));
    assert!(opened.unwrap() < begun.unwrap(), "{text}");
}

#[test]
fn a_log_directory_that_is_broken_is_in_nobodys_way_who_recovers_to_another() {
    let outcome = killed();
    let log = outcome.runtime().join("../../log");
    fs::remove_dir_all(&log).unwrap();
    fs::write(&log, "in the way").unwrap();
    let elsewhere = outcome.runtime().join("../../elsewhere");
    assert_eq!(outcome.recover(["--log-dir", elsewhere.to_str().unwrap()]).code, Some(0));
    assert_eq!(outcome.left(), Vec::<std::path::PathBuf>::new());
    assert_eq!(fs::read_dir(elsewhere.join("sessions")).unwrap().count(), 1);
}
