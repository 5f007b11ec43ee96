//! Disks that are full, read-only, removed or broken under way: the command keeps its status, there is one line for each
//! trouble that names the path, and what could be kept becomes a session once there is a disk for it.

use tests::{Outcome, Session, Trace};

/// `tracer run`, and what it needs of its ground.
const RUN: &str = "$0 run --log-dir ../log --tmpfs-path ../run";

/// Runs many programs, and fails in a way that shows.
const WORK: &str = "i=0; while [ $i -lt 150 ]; do /bin/true; i=$((i+1)); done; exit 3";

/// Makes a session of what is left.
const RECOVER: &str = "$0 recover --min-age 0s --tmpfs-path ../run --log-dir ../log";

/// The same, where the log directory is of no use.
const ELSEWHERE: &str = "$0 recover --min-age 0s --tmpfs-path ../run --log-dir ../there";

/// Lines of tracer that tell of a trouble. Each trouble is told once.
fn troubles(outcome: &Outcome) -> Vec<&str> {
    let told = |line: &&str| line.contains("warning") || line.contains("error");
    outcome.stderr.lines().filter(told).collect()
}

#[track_caller]
fn assert_one_trouble(outcome: &Outcome, words: &[&str]) {
    let troubles = troubles(outcome);
    assert_eq!(troubles.len(), 1, "{}", outcome.stderr);
    words.iter().for_each(|word| assert!(troubles[0].contains(word), "{word:?} in {}", troubles[0]));
}

/// What was kept: every process, in a session that says that tracer could not finish it.
#[track_caller]
fn assert_recovered(outcome: Outcome) -> Session {
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert!(stdout.contains("status 3"), "the command's status is tracer's: {stdout}\n{}", outcome.stderr);
    assert!(stdout.contains("recovered, its process is gone"), "{stdout}\n{}", outcome.stderr);
    let session = outcome.session();
    assert_eq!(
        (&session.summary["subtype"], &session.summary["exit_code"]),
        (&"crashed".into(), &(-1).into())
    );
    let verdict = &session.summary["verdict"];
    let sentence = verdict["sentence"].as_str().unwrap_or_default();
    assert!(
        sentence.contains("could not write its session") && sentence.contains("exited with code 3"),
        "{sentence}"
    );
    assert_eq!((&verdict["cause"], &verdict["exit_code"]), (&"exited_non_zero".into(), &3.into()));
    assert_eq!(session.processes.len(), 151);
    assert!(session.processes.iter().all(|row| row["end_lost"] == false), "every end is there");
    session
}

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
fn a_limit_on_the_size_of_files_is_the_commands_and_tracer_takes_no_harm_by_it() {
    let outcome =
        Trace::inside(&format!("ulimit -S -f 40; {RUN} -- sh -c 'ulimit -f; {WORK}'; echo status $?"));
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "40\nstatus 3\n", "{}", outcome.stderr);
    assert_eq!(troubles(&outcome), Vec::<&str>::new());
    let session = outcome.session();
    session.assert_whole();
    assert_eq!(session.processes.len(), 151);
    let crash = WORK.replace("exit 3", "kill -9 $PPID");
    let outcome = Trace::inside(&format!(
        "{RUN} -q -- sh -c '{crash}'; while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         ulimit -S -f 40; {RECOVER}"
    ));
    assert_eq!(outcome.session().processes.len(), 151);
}

#[test]
fn a_limit_on_the_size_of_files_that_tracer_may_not_raise_is_told_before_anything_runs() {
    let run = format!("setpriv --bounding-set=-sys_resource {RUN}");
    let outcome = Trace::inside(&format!("ulimit -f 40; exec {run} -- touch ran"));
    assert_eq!(outcome.status.code(), Some(125), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("blocks of 512 bytes in a file, and the limit is 40"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("ulimit -f 131072") && !outcome.file("ran").exists(),
        "{}",
        outcome.stderr
    );
    let outcome = Trace::inside(&format!("ulimit -S -f 40; exec {run} -- sh -c 'ulimit -f; exit 3'"));
    assert_eq!(
        (outcome.status.code(), &*outcome.stdout),
        (Some(3), b"40\n".as_slice()),
        "{}",
        outcome.stderr
    );
    outcome.session().assert_whole();
}

#[test]
fn a_log_directory_that_cannot_be_written_from_the_start_keeps_the_session_for_a_recovery() {
    // A disk that is read-only with and without its directories, one that is full, and a user who may not.
    let mount = "mkdir ../log; mount -t tmpfs none ../log";
    let barred = RUN.replace("$0", "setpriv --bounding-set=-dac_override,-dac_read_search $0");
    for (arranged, run, why) in [
        (format!("{mount}; mount -o remount,ro ../log"), RUN, "Read-only"),
        (format!("{mount}; mkdir -m 700 ../log/sessions; mount -o remount,ro ../log"), RUN, "Read-only"),
        (format!("{mount}; mount -o remount,nr_inodes=1 ../log"), RUN, "No space left"),
        (format!("{mount}; chmod 555 ../log"), &barred, "Permission denied"),
    ] {
        let outcome = Trace::inside(&format!(
            "{arranged}; {run} -- sh -c '{WORK}'; echo status $?
             {ELSEWHERE}; umount ../log; rmdir ../log; mv ../there ../log"
        ));
        assert_one_trouble(&outcome, &["../log", why, "tracer recover --log-dir"]);
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

/// A run of which the `nth` of these system calls fails for a broken disk.
fn with_errors(call: &str, nth: u32) -> Outcome {
    Trace::inside(&format!(
        "strace -y -o strace.txt -e trace={call} -e inject={call}:error=EIO:when={nth} {RUN} -- sh -c 'true & wait; exit 3'
         echo status $?; {RECOVER}"
    ))
}

#[test]
fn an_error_of_the_disk_at_any_call_costs_no_session() {
    for (call, least) in [("fsync", 5), ("mkdirat", 2), ("renameat2", 2)] {
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
