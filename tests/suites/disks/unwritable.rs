//! A log directory that can't be written, from the start or from some moment on; and what is none.

use tests::Trace;

use crate::{ELSEWHERE, RECOVER, RUN, WORK, assert_one_trouble, assert_recovered, troubles};

#[test]
fn a_log_directory_that_cannot_be_written_from_the_start_keeps_the_session_for_a_recovery() {
    // A disk that is read-only with and without its directories, one that is full, one whose server is gone, and a user who may not.
    let mount = "mkdir ../log; mount -t tmpfs none ../log";
    let dead = "mkdir ../log; exec 3<>/dev/fuse
                mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none ../log; exec 3>&-";
    let barred = "setpriv --bounding-set=-dac_override,-dac_read_search $0";
    let (barred, elsewhere) = (RUN.replace("$0", barred), ELSEWHERE.replace("$0", barred));
    for (arranged, run, why) in [
        (format!("{mount}; mount -o remount,ro ../log"), RUN, "Read-only"),
        (format!("{mount}; mkdir -m 700 ../log/sessions; mount -o remount,ro ../log"), RUN, "Read-only"),
        (format!("{mount}; mount -o remount,nr_inodes=1 ../log"), RUN, "No space left"),
        (dead.to_owned(), RUN, "not connected"),
        (format!("{mount}; chmod 555 ../log"), &barred, "Permission denied"),
        (format!("{mount}; chmod 000 ../log"), &barred, "Permission denied"),
    ] {
        let outcome = Trace::inside(&format!(
            "{arranged}; {run} -- sh -c '{WORK}'; echo status $?
             {elsewhere}; umount ../log; rmdir ../log; mv ../there ../log"
        ));
        assert_one_trouble(&outcome, &["../log", why, "tracer recover --tmpfs-path ../run --log-dir"]);
        assert_recovered(outcome);
    }
}

#[test]
fn a_log_directory_that_can_be_written_by_the_end_gets_the_session() {
    let outcome = Trace::inside(&format!(
        "mkdir ../log; mount -t tmpfs none ../log; mount -o remount,ro ../log
         {RUN} -- sh -c 'mount -o remount,rw ../log; exit 3'; echo status $?
         cp -r ../log ../there; umount ../log; rmdir ../log; mv ../there ../log"
    ));
    assert_eq!(&*outcome.stdout, b"status 3\n", "{}", outcome.stderr);
    assert_eq!(troubles(&outcome), Vec::<&str>::new());
    outcome.session().assert_whole();
}

#[test]
fn what_is_no_log_directory_is_told_before_anything_runs() {
    for arranged in ["touch ../log", "mkdir ../log; touch ../log/sessions", "ln -s log ../log"] {
        let outcome = Trace::inside(&format!("{arranged}; exec {RUN} -- touch ran"));
        assert_eq!(outcome.status.code(), Some(125), "{arranged}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("give another one with --log-dir"), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert!(!outcome.file("ran").exists());
    }
}

#[test]
fn a_log_directory_that_becomes_read_only_keeps_the_session_for_a_recovery() {
    let outcome = Trace::inside(&format!(
        "mkdir ../log; mount -t tmpfs none ../log; {RUN} --target sh -- sh -c 'mount -o remount,ro ../log; {}'; echo status $?
         {ELSEWHERE}; umount ../log; rmdir ../log; mv ../there ../log",
        WORK.replace("150", "149")
    ));
    assert_one_trouble(&outcome, &["../log/sessions/", "Read-only"]);
    assert_recovered(outcome);
}

#[test]
fn older_rows_on_a_disk_that_became_read_only_are_in_a_session_elsewhere_once() {
    let crash = WORK.replace("exit 3", "kill -9 $PPID");
    let there = "$0 recover --min-age 0s --tmpfs-path ../run --log-dir ../there";
    let outcome = Trace::inside(&format!(
        "mkdir ../log; mount -t tmpfs none ../log; {RUN} -q --spool-limit 64K -- sh -c '{crash}'
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         mount -o remount,ro ../log; {there}; echo $?; mount -o remount,rw ../log; {there}; {RECOVER}; ls ../log/sessions
         umount ../log; rmdir ../log; mv ../there ../log"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let (recovered, rest) = stdout.split_once('\n').unwrap();
    assert!(recovered.contains("recovered") && rest == "0\n", "{stdout}\n{}", outcome.stderr);
    assert_one_trouble(&outcome, &[".spool", "Read-only", "remove it"]);
    let session = outcome.session();
    assert_eq!((&session.summary["subtype"], session.processes.len()), (&"crashed".into(), 151));
}
