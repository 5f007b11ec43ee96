//! A line that is missing in the index, or torn in it.

use tests::Trace;

use crate::{RECOVER, RUN, assert_one_trouble};

#[test]
fn a_line_that_the_index_did_not_take_is_added_by_a_recovery_and_until_then_only_the_sidecar_stays() {
    // An index that nobody can write: something else has its name.
    let outcome = Trace::inside(&format!(
        "mkdir -p ../log/sessions.jsonl; {RUN} -- sh -c 'exit 3'; echo status $?; ls ../run/tracer-0; ls ../log/sessions
         $0 recover --min-age 0s --tmpfs-path ../run; echo recovered $?; rmdir ../log/sessions.jsonl
         $0 recover --min-age 0s --tmpfs-path ../run; echo recovered $?"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!((lines[0], lines.len()), ("status 3", 7), "{stdout}");
    assert!(lines[1].starts_with("tracer_enrollment_") && lines[3].contains("sessions.jsonl"), "{stdout}");
    assert_eq!((lines[4], lines[6]), ("recovered 1", "recovered 0"), "{stdout}");
    assert_one_trouble(&outcome, &["sessions.jsonl", "tracer recover"]);
    let session = outcome.session();
    assert_eq!((&session.summary["subtype"], session.index.len()), (&"failed".into(), 1));
}

#[test]
fn a_session_without_its_line_gets_it_after_a_reboot_too_and_is_counted_by_retention() {
    let outcome = Trace::inside(&format!(
        "mkdir -p ../log/sessions.jsonl; {RUN} -q -- true; rmdir ../log/sessions.jsonl; rm -r ../run/tracer-0
         {RECOVER}; {RUN} -q --keep-sessions 1 --session-id last -- true"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.contains("it had no line in the index"), "{stdout}\n{}", outcome.stderr);
    assert_eq!((outcome.session_names(), outcome.index().len()), (vec!["last".to_owned()], 1));
}

#[test]
fn a_session_that_gets_its_line_from_a_recovery_while_its_run_is_about_to_write_it_has_one() {
    // The run is held up between its session's place and its line.
    let strace = "strace -f -o strace.txt -e trace=renameat2 -e inject=renameat2:delay_exit=3000000:when=2";
    let outcome = Trace::inside(&format!(
        "{strace} {RUN} -q --session-id one -- true & until [ -e ../log/sessions/one ]; do :; done
         {RECOVER}; wait"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.contains("it had no line in the index"), "{stdout}\n{}", outcome.stderr);
    assert_eq!((outcome.index().len(), outcome.left().len()), (1, 0));
}

#[test]
fn a_session_that_somebody_removed_before_it_had_its_line_is_not_made_again() {
    let outcome = Trace::inside(&format!(
        "mkdir -p ../log/sessions.jsonl; {RUN} -- true; rmdir ../log/sessions.jsonl; rm -r ../log/sessions/*
         mv ../log ../away; $0 recover --min-age 0s --tmpfs-path ../run; echo $?
         mv ../away ../log; $0 recover --min-age 0s --tmpfs-path ../run; echo $?"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.contains("mkdir -p") && stdout.contains("somebody removed it"), "{stdout}");
    assert!(stdout.contains("\n1\n") && stdout.ends_with("\n0\n"), "{stdout}");
    assert_eq!((outcome.session_count(), outcome.left().len()), (0, 0));
}

#[test]
fn a_recovered_session_without_its_line_gets_it_from_the_next_recovery() {
    let outcome = Trace::inside(&format!(
        "{RUN} -q -- sh -c 'until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; kill -9 $PPID'
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         mkdir ../log/sessions.jsonl; {RECOVER}; echo $?; ls ../log/sessions; rmdir ../log/sessions.jsonl; {RECOVER}; echo $?"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(
        stdout.contains("no line in") && stdout.contains("\n1\n") && stdout.ends_with("\n0\n"),
        "{stdout}"
    );
    let session = outcome.session();
    assert_eq!((&session.summary["subtype"], session.index.len()), (&"crashed".into(), 1));
}

#[test]
fn a_torn_line_of_the_index_is_told_of_and_takes_no_other_with_it() {
    let outcome = Trace::inside(&format!(
        "for i in 1 2; do {RUN} -q -- true; printf '{{\"torn' >>../log/sessions.jsonl; done; {RUN} --keep-sessions 2 -- true"
    ));
    assert_one_trouble(&outcome, &["../log/sessions.jsonl", "2 damaged lines"]);
    assert_eq!(
        (outcome.session_count(), outcome.index().len()),
        (2, 2),
        "the oldest went, with what was torn"
    );
}
