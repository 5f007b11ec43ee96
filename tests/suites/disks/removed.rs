//! Directories that are removed under way, and what comes in their place.

use tests::Trace;

use crate::{RECOVER, RUN, WORK, assert_one_trouble, assert_recovered, troubles};

#[test]
fn a_log_directory_that_is_removed_under_way_is_made_again() {
    for removed in ["../log", "../log/sessions"] {
        let outcome = Trace::sh(&format!("rm -r {removed}; exit 3")).outcome();
        assert_eq!((outcome.status.code(), troubles(&outcome).len()), (Some(3), 0), "{}", outcome.stderr);
        outcome.session().assert_whole();
    }
}

#[test]
fn a_log_directory_of_several_layers_that_is_removed_under_way_is_made_again() {
    // As in a container whose image has it. A directory of a lower layer keeps its links.
    let run = RUN.replace("../log", "disk/all/log");
    for removed in ["log", "log/sessions"] {
        let outcome = Trace::inside(&format!(
            "mkdir disk; mount -t tmpfs none disk; (cd disk; mkdir -p lower/log/sessions upper work all
             mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none all) || exit
             {run} -- sh -c 'rm -r disk/all/{removed}; exit 3'; echo status $?; cp -r disk/all/log .."
        ));
        let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(stdout.starts_with("status 3\n"), "{removed}: {stdout}\n{}", outcome.stderr);
        assert_eq!(troubles(&outcome), Vec::<&str>::new(), "{removed}");
        outcome.session().assert_whole();
    }
}

#[test]
fn a_log_directory_that_is_removed_under_way_takes_older_rows_again() {
    for (removed, moved) in [("../log", 0), ("../log/sessions", 200)] {
        // Rows that were moved before are gone with their file's name, and not with the file: tracer has it open.
        let work = |count: usize| WORK.replace("150", &count.to_string()).replace("exit 3", "true");
        let script = format!("{}; rm -r {removed}; {}; exit 3", work(moved), work(200));
        let outcome = Trace::sh(&script).flags(["--spool-limit", "64K"]).outcome();
        assert_eq!((outcome.status.code(), troubles(&outcome).len()), (Some(3), 0), "{}", outcome.stderr);
        let session = outcome.session();
        session.assert_whole();
        assert!(session.processes.len() > 200 + moved, "{}", session.processes.len());
        assert_eq!(session.outcome.session_names().len(), 1, "no older rows are left");
    }
}

#[test]
fn something_else_in_the_place_of_the_log_directory_keeps_the_session_for_a_recovery() {
    // tracer, which may only just have begun, makes the directory again where that comes first.
    let in_its_place = "i=0; until { true >../log; } 2>/dev/null; do rm -r ../log; i=$((i+1)); done; ";
    let outcome = Trace::inside(&format!(
        "{RUN} -- sh -c '{}'; echo status $?
         rm ../log; {RECOVER}",
        WORK.replacen("i=0; ", in_its_place, 1)
    ));
    assert_one_trouble(&outcome, &["../log/sessions/", "Not a directory"]);
    assert_recovered(outcome);
}
