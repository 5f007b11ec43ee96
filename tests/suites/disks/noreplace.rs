//! A file system that knows no rename without replacing (RENAME_NOREPLACE of renameat2(2)).

use tests::{Outcome, Trace};

use crate::{RUN, assert_one_trouble, troubles};

/// Runs under an id while this file system refuses a rename that replaces nothing, as NFS and some of FUSE do.
fn without_noreplace(error: &str, script: &str) -> Outcome {
    let strace = format!("strace -f -o strace.txt -e trace=renameat2 -e inject=renameat2:error={error}");
    Trace::inside(&format!("T=\"{strace} {RUN}\"; {script}; grep -c INJECTED strace.txt"))
}

#[test]
fn a_file_system_that_knows_no_rename_without_replacing_gets_sessions_and_recoveries_too() {
    for error in ["EINVAL", "ENOSYS", "EOPNOTSUPP"] {
        let outcome = without_noreplace(error, "$T -- sh -c 'true & wait; exit 3'; echo status $?");
        let stdout = String::from_utf8_lossy(&outcome.stdout);
        assert!(
            stdout.starts_with("status 3\n") && !stdout.ends_with("\n0\n"),
            "{stdout}\n{}",
            outcome.stderr
        );
        assert_eq!(troubles(&outcome), Vec::<&str>::new(), "{error}");
        assert_eq!(outcome.left(), Vec::<std::path::PathBuf>::new(), "{error}");
        let session = outcome.session();
        session.assert_whole();
    }
}

#[test]
fn a_session_that_is_there_is_not_replaced_on_such_a_file_system_either() {
    // Another one of the same id comes into its place while this one is on its way.
    let outcome = without_noreplace(
        "EINVAL",
        "$T --session-id one -- sh -c '$0 run -q --session-id other --log-dir ../log --tmpfs-path ../run -- true
            mv ../log/sessions/other ../log/sessions/one; exit 3' $0; echo status $?",
    );
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    assert!(stdout.starts_with("status 3\n"), "{stdout}\n{}", outcome.stderr);
    let summary = std::fs::read(outcome.log().join("sessions/one/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["session_id"], "other", "it is the one that was there");
    assert!(!outcome.stderr.contains("can't be written (Invalid"), "{}", outcome.stderr);
    assert_one_trouble(&outcome, &["another session one by now"]);
    let names = outcome.session_names();
    assert!(names.len() == 2 && names[1].starts_with("one-"), "it is beside that: {names:?}");
}
