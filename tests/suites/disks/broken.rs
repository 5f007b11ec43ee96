//! A disk of which single calls fail (EIO), and one that dies under way.

use tests::{Outcome, Trace};

use crate::{ELSEWHERE, RECOVER, RUN, WORK, assert_one_trouble, assert_recovered, troubles};

/// A run of which the `nth` of these system calls fails for a broken disk.
fn with_errors(call: &str, nth: u32) -> Outcome {
    Trace::inside(&format!(
        "strace -y -o strace.txt -e trace={call} -e inject={call}:error=EIO:when={nth} {RUN} -- sh -c 'true & wait; exit 3'
         echo status $?; {RECOVER}"
    ))
}

#[test]
fn an_error_of_the_disk_at_any_call_costs_no_session() {
    for (call, least) in [("fsync", 5), ("sync_file_range", 4), ("mkdirat", 2), ("renameat2", 2)] {
        let mut places = 0;
        for nth in 1.. {
            let outcome = with_errors(call, nth);
            let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
            let calls = std::fs::read_to_string(outcome.file("strace.txt")).unwrap();
            let failed = calls.lines().find(|line| line.contains("INJECTED"));
            let injected = failed.is_some();
            let when = format!("{call} {nth}: {failed:?}: {stdout}\n{}", outcome.stderr);
            assert!(stdout.contains("status 3"), "{when}");
            // A log directory that can't be made at the start is made at the end.
            let has_passed =
                failed.is_some_and(|line| line.contains("\"log\"") || line.contains("\"sessions\""));
            let troubles = troubles(&outcome);
            assert_eq!(troubles.len(), usize::from(injected && !has_passed), "{when}");
            assert!(troubles.iter().all(|line| line.contains("../")), "the path is named: {when}");
            let session = outcome.session();
            assert_eq!((session.processes.len(), session.index.len()), (2, 1), "{when}");
            places += usize::from(injected);
            if !injected {
                break;
            }
        }
        assert!(places >= least, "{call} failed in {places} places");
    }
}

#[test]
fn a_write_that_fails_costs_no_line() {
    let mut files = std::collections::BTreeSet::new();
    for nth in 1..48 {
        let outcome = with_errors("write", nth);
        let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
        let calls = std::fs::read_to_string(outcome.file("strace.txt")).unwrap();
        let failed = calls.lines().find(|line| line.contains("INJECTED")).unwrap_or_default();
        // What is no file (a pipe, a terminal, an event) is not on a disk.
        let Some(file) = failed.split_once("</").and_then(|(_, rest)| rest.split_once('>')) else { continue };
        files.insert(file.0.rsplit('/').next().unwrap()[..5].to_owned());
        let when = format!("write {nth}: {stdout}\n{}", outcome.stderr);
        assert!(stdout.contains("status 3") && troubles(&outcome).len() <= 1, "{when}");
        let session = outcome.session();
        assert_eq!((session.processes.len(), session.events("exit").len()), (2, 2), "{when}");
        assert_eq!(session.index.len(), 1, "the index has its line by now: {when}");
    }
    assert!(files.len() >= 5, "sidecar, trace file and the session's files failed: {files:?}");
}

/// A log directory on a disk of its own.
const DISK: &str = "truncate -s 64M disk; mkfs.ext4 -q -F disk; mkdir ../log; mount -o loop disk ../log";

/// From now on that disk answers with EIO whatever is not in memory.
const DIES: &str = "truncate -s 64K disk; losetup -c $(findmnt -no SOURCE ../log)";

/// The session as it was recovered to another disk, where the harness looks for it.
const REPLACED: &str = "umount ../log; rmdir ../log; mv ../there ../log";

#[test]
fn a_disk_that_dies_under_way_keeps_the_session_for_a_recovery() {
    let outcome = Trace::inside(&format!(
        "{DISK}; mkfifo begun died; {RUN} -- sh -c ': >begun; : <died; {WORK}' &
         : <begun; {DIES}; : >died; wait $!; echo status $?; {ELSEWHERE}; {REPLACED}"
    ));
    assert_one_trouble(&outcome, &["../log/sessions/", "Input/output error"]);
    assert_recovered(outcome);
}
