//! Full: the log directory, the runtime directory, and both.

use tests::Trace;

use crate::{ELSEWHERE, RECOVER, RUN, WORK, assert_one_trouble, assert_recovered, troubles};

#[test]
fn a_full_log_directory_keeps_the_session_for_a_recovery() {
    let outcome = Trace::inside(&format!(
        "mkdir ../log; mount -t tmpfs -o size=64k none ../log; {RUN} -- sh -c '{WORK}'; echo status $?
         {ELSEWHERE}; umount ../log; rmdir ../log; mv ../there ../log"
    ));
    assert_one_trouble(&outcome, &["../log/sessions/", "No space left"]);
    assert_recovered(outcome);
}

#[test]
fn a_runtime_directory_that_is_full_too_costs_lines_and_both_the_run_and_the_recovery_say_so() {
    let outcome = Trace::inside(&format!(
        "mkdir ../log; mount -t tmpfs -o size=64k none ../log; mount -t tmpfs -o size=64k none ../run
         {RUN} -- sh -c '{WORK}'; echo status $?; cat ../run/tracer-0/tracer_enrollment_* >sidecar
         {ELSEWHERE}; umount ../log ../run; rmdir ../log; mv ../there ../log"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.starts_with("status 3\n") && stdout.contains("recovered"), "{stdout}\n{}", outcome.stderr);
    let error = outcome.stderr.lines().find(|line| line.contains("no session was written")).unwrap();
    let words: Vec<&str> = error.split_whitespace().collect();
    let lines = words.iter().position(|word| *word == "lines").unwrap();
    let lost: u64 = words[lines - 1].parse().unwrap();
    assert!(lost > 100 && error.ends_with("that were in memory are lost"), "{error}");
    let sidecar: serde_json::Value =
        serde_json::from_slice(&std::fs::read(outcome.file("sidecar")).unwrap()).unwrap();
    tests::schema::assert_shape("enrollment", &sidecar);
    assert_eq!((&sidecar["wait_status"], &sidecar["lost_lines"]), (&0x300.into(), &lost.into()));
    let session = outcome.session();
    let verdict = &session.summary["verdict"];
    let sentence = verdict["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("exited with code 3") && sentence.contains(&format!("{lost} lines")),
        "{sentence}"
    );
    assert_eq!((&verdict["cause"], &verdict["exit_code"]), (&"exited_non_zero".into(), &3.into()));
    // Fork, exec and end of 150 programs and of sh itself, and a snapshot a second.
    let events = ["fork", "exec", "exit"].map(|kind| session.events(kind).len());
    let rows = events.iter().sum::<usize>() as u64 + session.snapshots.len() as u64 + lost;
    assert!((3 * 151..3 * 151 + 100).contains(&rows), "each line is there, or is counted: {rows}");
}

#[test]
fn a_line_in_the_index_that_is_missing_is_noted_on_a_full_runtime_directory_too() {
    let fill = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; cat /dev/zero >../run/full";
    let outcome = Trace::inside(&format!(
        "mount -t tmpfs -o size=64k none ../run; mkdir -p ../log/sessions.jsonl
         {RUN} -- sh -c '{fill}; exit 3' >/dev/null; echo status $?; ls ../run/tracer-0; rmdir ../log/sessions.jsonl; {RECOVER}
         rm -r ../run/tracer-0 ../run/full; umount ../run"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0] == "status 3" && lines[1].contains("enrollment"), "{stdout}\n{}", outcome.stderr);
    assert_eq!(lines.len(), 3, "only the sidecar stays: {stdout}");
    let session = outcome.session();
    assert_eq!((&session.summary["subtype"], session.index.len()), (&"failed".into(), 1));
}

#[test]
fn a_full_log_directory_takes_no_older_rows_and_none_is_lost() {
    let outcome = Trace::inside(&format!(
        "mkdir ../log ../there; mount -t tmpfs -o size=24k none ../log
         {RUN} --spool-limit 64K -- sh -c '{WORK}'; echo status $?
         $0 recover --min-age 0s --tmpfs-path ../run --log-dir ../there; umount ../log; rmdir ../log; mv ../there ../log"
    ));
    let troubles = troubles(&outcome);
    let named = |path: &str| troubles.iter().filter(|line| line.contains(path)).count();
    assert_eq!(troubles.len(), 2, "{}", outcome.stderr);
    assert_eq!(
        (named(".spool can't take older rows"), named("no session was written")),
        (1, 1),
        "{troubles:?}"
    );
    assert_recovered(outcome);
}

#[test]
fn a_log_directory_that_sessions_have_filled_gets_room_from_those_that_are_not_kept() {
    for keep in ["--keep-sessions 2", "--keep-size 400K"] {
        let outcome = Trace::inside(&format!(
            "mkdir ../log ../kept; mount -t tmpfs -o size=2m none ../log
             for i in 1 2 3 4; do {RUN} -q -- sh -c '{WORK}'; done; ls ../log/sessions | wc -l
             cat /dev/zero >../log/full 2>/dev/null; {RUN} {keep} --session-id last -- sh -c 'exit 3'; echo status $?
             ls -A ../log; mv ../log/sessions* ../kept; umount ../log; rmdir ../log; mv ../kept ../log"
        ));
        let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert_eq!(stdout, "4\nstatus 3\nfull\nsessions\nsessions.jsonl\n", "{}", outcome.stderr);
        assert_eq!(troubles(&outcome), Vec::<&str>::new(), "{keep}");
        let (names, index) = (outcome.session_names(), outcome.index());
        assert!(names.len() < 4 && names.contains(&"last".to_owned()), "{keep}: {names:?}");
        assert_eq!((index.len(), outcome.left().len()), (names.len(), 0), "{keep}");
    }
}

#[test]
fn an_index_that_has_no_room_for_a_line_gets_it_from_sessions_that_are_not_kept() {
    let strace =
        "strace -f -o strace.txt -P ../log/sessions.jsonl -e trace=write -e inject=write:error=ENOSPC:when=1";
    let outcome = Trace::inside(&format!(
        "{RUN} -q -- true; {RUN} -q -- true; {strace} {RUN} --keep-sessions 1 -- sh -c 'exit 3'; echo status $?
         grep -c INJECTED strace.txt"
    ));
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "status 3\n1\n", "{}", outcome.stderr);
    assert_eq!(troubles(&outcome), Vec::<&str>::new());
    assert_eq!((outcome.left().len(), outcome.index().len()), (0, 1));
    outcome.session().assert_whole();
}

#[test]
fn rows_that_were_moved_before_the_log_directory_was_full_are_kept_too() {
    let outcome = Trace::inside(&format!(
        "mkdir ../log ../there; mount -t tmpfs -o size=192k none ../log
         {RUN} --spool-limit 64K -- sh -c '{WORK}'; echo status $?
         ls -A ../log/sessions; $0 recover --min-age 0s --tmpfs-path ../run --log-dir ../there; ls -A ../log/sessions
         umount ../log; rmdir ../log; mv ../there ../log"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert_eq!(
        stdout.matches(".spool").count(),
        1,
        "older rows were there, and are gone afterwards: {stdout}"
    );
    assert_recovered(outcome);
}

#[test]
fn what_a_killed_recovery_has_filled_the_disk_with_makes_room_for_the_next() {
    let crash = WORK.replace("exit 3", "kill -9 $PPID");
    let outcome = Trace::inside(&format!(
        "mkdir ../log; mount -t tmpfs -o size=2m none ../log; {RUN} -q --session-id one -- sh -c '{crash}'
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         mkdir ../log/sessions/.one.5000000_1; cat /dev/zero >../log/sessions/.one.5000000_1/events.jsonl 2>/dev/null
         {RECOVER}; echo $?; cp -r ../log ../there; umount ../log; rmdir ../log; mv ../there ../log"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.ends_with("\n0\n"), "{stdout}\n{}", outcome.stderr);
    assert_eq!(outcome.session_names(), ["one"]);
    assert_eq!(outcome.session().processes.len(), 151);
}

#[test]
fn a_runtime_directory_that_crashes_have_filled_is_no_reason_not_to_recover_elsewhere() {
    for argument in [0, 5000] {
        recovers_elsewhere_from_a_full_runtime_directory(argument);
    }
}

fn recovers_elsewhere_from_a_full_runtime_directory(argument: usize) {
    let outcome = Trace::inside(&format!(
        "mount -t tmpfs -o size=256k none ../run; A=$(printf %{argument}s .)
         {RUN} -q -- sh -c 'until ls ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID' \"$A\" >/dev/null 2>&1
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         cat /dev/zero >../run/full 2>/dev/null; rm -r ../log; true >../log
         strace -y -o strace.txt -e trace=renameat2 -e inject=renameat2:signal=KILL:when=1+ \
           $0 recover --min-age 0s --tmpfs-path ../run --log-dir ../there
         $0 recover --min-age 0s --tmpfs-path ../run --log-dir ../there; echo $?; ls -A ../run/tracer-0
         rm ../log; mv ../there ../log; umount ../run"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.contains("recovered") && stdout.ends_with("\n0\n"), "{stdout}\n{}", outcome.stderr);
    let session = outcome.session();
    assert_eq!((&session.summary["subtype"], session.index.len()), (&"crashed".into(), 1));
}

#[test]
fn a_disk_on_which_a_file_system_is_full_tells_so_in_time() {
    // A file system with delayed allocation, on a device of its own that goes with its last mount.
    let outcome = Trace::inside(&format!(
        "set -e; truncate -s 1M disk; mkfs.ext4 -q -O ^has_journal -m 0 disk; mkdir ../log; mount -o loop disk ../log
         set +e; {RUN} -- sh -c '{}'; echo status $?
         {ELSEWHERE}; umount ../log; rmdir ../log; mv ../there ../log",
        WORK.replace("150", "900")
    ));
    assert_one_trouble(&outcome, &["../log/sessions/", "No space left"]);
    let session = outcome.session();
    assert_eq!((&session.summary["subtype"], session.processes.len()), (&"crashed".into(), 901));
}
