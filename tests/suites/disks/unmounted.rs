//! A file system that is not mounted when a recovery looks for what is on it.

use tests::Trace;

use crate::{ELSEWHERE, RECOVER, RUN, WORK};

#[test]
fn a_crash_whose_older_rows_are_not_mounted_waits_for_them_whoever_makes_the_directory_again() {
    let crash = WORK.replace("exit 3", "kill -9 $PPID");
    let outcome = Trace::inside(&format!(
        "mkdir ../log ../mount; mount -t tmpfs none ../mount; mount --bind ../mount ../log
         {RUN} -q --spool-limit 64K -- sh -c '{crash}'; umount ../log
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         touch -d '1 minute ago' ../run/tracer-0/*
         {RUN} -q -- true; ls ../log/sessions | wc -l; {RECOVER}; echo $?; rm -r ../log/*
         mount --bind ../mount ../log; {RECOVER}; echo $?; umount ../log; mv ../mount/* ../log; umount ../mount"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!((lines[0], lines[2], lines.last()), ("1", "1", Some(&"0")), "{stdout}\n{}", outcome.stderr);
    assert!(lines[1].contains("another file system") && lines[1].contains("touch"), "{stdout}");
    let session = outcome.session();
    assert_eq!((&session.summary["subtype"], session.processes.len()), (&"crashed".into(), 151));
}

#[test]
fn a_session_whose_file_system_is_not_mounted_at_recovery_is_there_once() {
    // It is in its place, and its tracer is killed at the first removal after that.
    let strace =
        "strace -f -o strace.txt -e trace=unlink,unlinkat -e inject=unlink,unlinkat:signal=KILL:when=1+";
    let outcome = Trace::inside(&format!(
        "mkdir ../log ../mount; mount -t tmpfs none ../mount; mount --bind ../mount ../log
         {strace} {RUN} -q -- true; ls ../log/sessions | wc -l; umount ../log
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         $0 recover --min-age 0s --tmpfs-path ../run; echo $?; {ELSEWHERE}; echo $?; ls ../log ../there
         mount --bind ../mount ../log; {RECOVER}; echo $?; umount ../log; mv ../mount/* ../log; umount ../mount"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.starts_with("1\n") && stdout.ends_with("\n0\n"), "{stdout}\n{}", outcome.stderr);
    assert_eq!(stdout.matches("mount it").count(), 2, "{stdout}\n{}", outcome.stderr);
    assert!(
        stdout.contains("../log:\n") && outcome.stderr.contains("'../there'"),
        "{stdout}\n{}",
        outcome.stderr
    );
    assert_eq!((outcome.session_count(), outcome.index().len(), outcome.left().len()), (1, 1, 0));
}
