//! Tracers that are killed in the middle, and what recovery makes of what they left.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;

use tests::{Outcome, Trace, tracer};

/// Kills its tracer as soon as a snapshot of it is in the spool.
const KILLS_ITS_TRACER: &str =
    "until grep -q captured_at ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID";

fn killed() -> Outcome {
    let trace =
        Trace::sh(KILLS_ITS_TRACER).flags(["--interval", "10ms", "--target", "sh", "--label", "job=17"]);
    let outcome = trace.outcome();
    assert_eq!(outcome.status.code(), None, "tracer was killed; stderr:\n{}", outcome.stderr);
    outcome.await_ends();
    outcome
}

/// Runs a script that runs `$T`, the tracer, as often as it likes.
fn script(text: &str) -> Outcome {
    let head = "T=\"$0 run -q --log-dir ../log --tmpfs-path ../run\"\n";
    let tracer = tracer().into_os_string();
    Trace::command(["sh".into(), "-c".into(), format!("{head}{text}").into(), tracer]).without_tracer()
}

#[test]
fn a_killed_tracer_leaves_one_session_with_all_that_reached_the_spool() {
    let outcome = killed();
    let spool = outcome.left().into_iter().find(|path| path.extension().unwrap() == "jsonl").unwrap();
    let rows = fs::read_to_string(spool).unwrap();
    assert!(rows.ends_with('\n') && outcome.left().len() == 2);
    assert_eq!(outcome.session_count(), 0);

    let recovered = outcome.recover([]);
    assert_eq!((recovered.code, recovered.with("finish").len(), recovered.reports.len()), (Some(0), 1, 1));
    assert_eq!(outcome.recover([]).reports.len(), 0, "a second recovery finds nothing");
    assert_eq!(outcome.index().len(), 1);

    let session = outcome.session();
    let summary = &session.summary;
    assert_eq!((&summary["subtype"], &summary["termination_reason"]), (&"crashed".into(), &"CRASHED".into()));
    assert_eq!((&summary["exit_code"], &summary["labels"]["job"]), (&(-1).into(), &"17".into()));
    assert_eq!((session.state(), &summary["verdict"]["cause"]), ("lossy", &"tracer_killed".into()));
    assert_eq!((session.target()["comm"].as_str(), summary["command"][0].as_str()), (Some("sh"), Some("sh")));
    assert_eq!(session.all_events.len() + session.snapshots.len(), rows.lines().count());
    assert!(!session.snapshots.is_empty() && session.root()["is_target"] == true);
    assert!(session.root()["cwd"].is_string(), "a working directory comes back");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let outcome = killed();
    let before = outcome.left();
    assert_eq!(outcome.recover(["--dry-run"]).with("finish").len(), 1);
    assert_eq!((outcome.left(), outcome.session_count()), (before, 0));
}

/// Puts so many sidecars of tracers that died before their first row into the runtime directory.
fn enrol(outcome: &Outcome, many: u32) {
    // More than any kernel gives (PID_MAX_LIMIT).
    const NOBODYS: u32 = 5_000_000;
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for pid in NOBODYS..NOBODYS + many {
        let sidecar = serde_json::json!({
            "schema_version": 2, "session_id": format!("many-{pid}"), "pid": pid, "boot_id": boot_id.trim(),
            "starttime_ticks": 1, "comm": "sh", "enrolled_at": "2026-01-01T00:00:00.000000Z", "labels": {},
            "log_dir": outcome.log(),
        });
        let name = format!("tracer_enrollment_{pid}_1.json");
        fs::write(outcome.runtime().join(name), sidecar.to_string()).unwrap();
    }
}

#[test]
fn a_recovery_that_can_not_tell_goes_on_to_its_end_and_fails_only_where_somebody_would_have_read() {
    const MANY: u32 = 200;
    for (stdout, code, words) in [
        (">/dev/full", 125, "stdout can't be written (No space left"),
        ("| head -1 >/dev/null", 0, ""),
        ("| :", 0, ""),
    ] {
        for json in ["", "--json"] {
            let outcome = Trace::command(["true"]).outcome();
            enrol(&outcome, MANY);
            let mut shell = std::process::Command::new("bash");
            shell.args(["-c", &format!("\"$@\" {json} {stdout}; exit ${{PIPESTATUS[0]}}"), "bash"]);
            shell.arg(tracer()).args(["recover", "--min-age", "0s", "--tmpfs-path"]);
            shell.arg(outcome.runtime().parent().unwrap()).env("TRACER_TEST", "1");
            let output = shell.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), outcome.left().len()), (Some(code), 0), "{stdout}: {stderr}");
            assert!(stderr.contains(words), "{stdout}: {stderr}");
            assert_eq!(json.is_empty(), stderr.contains("200 recovered, 0 removed, 0 left"), "{stderr}");
            assert_eq!(outcome.session_count(), 1 + MANY as usize);
        }
    }
}

#[test]
fn four_recoveries_at_once_finish_twenty_crashes_once_each() {
    let wait = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; kill -9 $PPID";
    let outcome = script(&format!("for i in $(seq 20); do $T -- sh -c '{wait}'; done; true"));
    outcome.await_ends();
    assert_eq!(outcome.left().len(), 40, "a trace file and a sidecar each");
    let all = outcome.recover_at_once(4);
    let finished: Vec<String> = all
        .iter()
        .flat_map(|one| one.with("finish"))
        .map(|report| report["session_id"].to_string())
        .collect();
    let distinct: BTreeSet<&String> = finished.iter().collect();
    assert_eq!((finished.len(), distinct.len()), (20, 20), "{all:#?}");
    assert!(all.iter().all(|one| one.code == Some(0)));
    assert_eq!((outcome.session_count(), outcome.index().len(), outcome.left().len()), (20, 20, 0));
}

#[test]
fn the_next_run_recovers_in_the_background() {
    let outcome = killed();
    outcome.age();
    let (log, run) = (outcome.runtime().join("../../log"), outcome.runtime().join(".."));
    let mut next = std::process::Command::new(tracer());
    next.arg("run").arg("-q").arg("--log-dir").arg(log).arg("--tmpfs-path").arg(run).args(["--", "true"]);
    assert!(next.env("TRACER_TEST", "1").status().unwrap().success());
    assert_eq!((outcome.session_count(), outcome.index().len(), outcome.left().len()), (2, 2, 0));
}

#[test]
fn what_takes_a_recovery_in_the_background_too_long_is_named_once_by_the_run_that_does_not_wait() {
    // Somebody has the lock on the index of that crash, which recovery waits for much longer than a run does for recovery.
    let wait = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; kill -9 $PPID";
    let next = |flags: &str| {
        format!("flock ../log/sessions.jsonl $0 run {flags} --log-dir ../there --tmpfs-path ../run -- true")
    };
    let outcome = script(&format!(
        "$T -- sh -c '{wait}'; while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         touch -d '1 minute ago' ../run/tracer-0/*; ls ../run/tracer-0/tracer_trace_*; {}; {}",
        next("-q").replace("../there", "../quiet"),
        next("")
    ));
    let trace = String::from_utf8_lossy(&outcome.stdout).trim().rsplit('/').next().unwrap().to_owned();
    let told: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("warning")).collect();
    assert_eq!(told.len(), 1, "{}", outcome.stderr);
    assert!(told[0].contains(&trace) && told[0].contains("run: tracer recover"), "{told:?}");
    assert_eq!(outcome.recover([]).code, Some(0));
    assert_eq!((outcome.session_count(), outcome.left().len()), (1, 0));
}

/// A run beside a recovery of `MANY` crashes that takes a fifth of a second over each: what the run said, and the calls by which its
/// command and that recovery came to be.
fn beside_a_slow_recovery() -> (Outcome, std::process::Output, String) {
    let outcome = Trace::command(["true"]).outcome();
    enrol(&outcome, MANY);
    outcome.age();
    let calls = outcome.file("calls");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-e", "trace=clone,clone3,fork,vfork,prctl,flock"]);
    strace.args(["-e", "inject=flock:delay_enter=200ms", "-o"]).arg(&calls).arg(tracer()).arg("run");
    strace.arg("--log-dir").arg(outcome.log()).arg("--tmpfs-path").arg(outcome.runtime().join(".."));
    strace.args(["--", "sh", "-c", "ls \"$0\" | grep -c ^tracer_enrollment_5"]).arg(outcome.runtime());
    let output = strace.env("TRACER_TEST", "1").output().unwrap();
    let calls = fs::read_to_string(calls).unwrap();
    (outcome, output, calls)
}

const MANY: u32 = 50;

#[test]
fn a_command_does_not_wait_for_what_is_to_be_recovered() {
    let (_, output, calls) = beside_a_slow_recovery();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let seen: u32 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    assert!(seen > MANY / 2, "the command saw {seen} of {MANY}; {stderr}");
    let is_fork = |line: &&str| line.contains(" fork(") || line.contains("clone") && line.contains("SIGCHLD");
    let before: Vec<&str> = calls.lines().take_while(|line| !is_fork(line)).collect();
    assert!(before.len() < calls.lines().count() && calls.contains("\"tracer-recover\""), "{calls}");
    let recovers = |line: &&str| line.contains("CLONE_THREAD") || line.contains("flock(");
    assert!(!before.iter().any(recovers), "it begins once the command is started:\n{calls}");
}

#[test]
fn a_run_that_does_not_wait_for_many_crashes_says_so_once_and_how_many_may_be_left() {
    let (outcome, output, _) = beside_a_slow_recovery();
    let left = outcome.left().len();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = stderr.lines().filter(|line| line.contains("warning")).collect();
    assert_eq!((told.len(), output.status.code()), (1, Some(0)), "{stderr}");
    let words = told[0].split_once("up to ").unwrap().1;
    let (many, words) = words.split_once(' ').unwrap();
    assert!(words.starts_with("crashed sessions are left") && words.ends_with("tracer recover"), "{told:?}");
    assert!((left..=MANY as usize).contains(&many.parse().unwrap()) && left > 1, "{left} are left: {told:?}");
    assert_eq!((outcome.recover([]).code, outcome.session_count()), (Some(0), 2 + MANY as usize));
}

#[test]
fn an_id_that_is_given_again_after_a_crash_is_the_runs_that_is_on_and_the_crash_has_one_beside_it() {
    // By the recovery in the background of that run; and by another one, that knows the run by its sidecar.
    [true, false].into_iter().for_each(assert_id_is_kept);
}

fn assert_id_is_kept(is_old: bool) {
    let outcome =
        Trace::sh(KILLS_ITS_TRACER).flags(["--interval", "10ms", "--session-id", "nightly"]).outcome();
    outcome.await_ends();
    if is_old {
        outcome.age();
    }
    let looks = format!(
        "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; \
         {} recover --min-age 0s --tmpfs-path ../run >&2; exit 3",
        tracer().display()
    );
    assert_eq!(outcome.start_run("nightly", ["sh", "-c", &looks]).wait().unwrap().code(), Some(3));
    let names = outcome.session_names();
    assert!(names.len() == 2 && names[0] == "nightly" && names[1].starts_with("nightly-pid"), "{names:?}");
    let summary = |name: &str| -> serde_json::Value {
        let path = outcome.log().join("sessions").join(name).join("summary.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    assert_eq!(
        (&summary("nightly")["subtype"], &summary("nightly")["exit_code"]),
        (&"failed".into(), &3.into())
    );
    let crashed = summary(&names[1]);
    assert_eq!((&crashed["subtype"], crashed["session_id"].as_str()), (&"crashed".into(), Some(&*names[1])));
    assert_eq!((outcome.left().len(), outcome.index().len()), (0, 2));
    outcome.assert_readable();
}

#[test]
fn of_two_runs_at_once_under_one_id_the_later_to_end_is_not_lost() {
    let inner = format!(
        "{} run -q --session-id nightly --log-dir ../log --tmpfs-path ../run -- true; exit 3",
        tracer().display()
    );
    let flags = ["--session-id", "nightly", "--summary-json", "told.json"];
    let outcome = Trace::sh(&inner).flags(flags).outcome();
    assert_eq!(outcome.status.code(), Some(3), "{}", outcome.stderr);
    let names = outcome.session_names();
    assert!(names.len() == 2 && names[0] == "nightly" && names[1].starts_with("nightly-pid"), "{names:?}");
    assert!(
        outcome.stderr.contains("another session nightly") && outcome.stderr.contains(&names[1]),
        "{}",
        outcome.stderr
    );
    let told: serde_json::Value =
        serde_json::from_slice(&fs::read(outcome.file("told.json")).unwrap()).unwrap();
    assert_eq!((told["session_id"].as_str(), &told["exit_code"]), (Some(&*names[1]), &3.into()));
    assert_eq!((outcome.left().len(), outcome.index().len()), (0, 2));
    outcome.assert_readable();
}

#[test]
fn arguments_that_are_to_be_left_out_are_in_no_file_of_a_crash_either() {
    let script = format!("{KILLS_ITS_TRACER}; : swordfish");
    let trace = Trace::command(["sh", "-c", &script, "swordfish"]).args(["swordfish"]);
    let outcome = trace.flags(["--interval", "10ms", "--target", "sh", "--redact-args"]).outcome();
    outcome.await_ends();
    let holds = |files: Vec<std::path::PathBuf>| {
        assert!(files.len() >= 2, "{files:?}");
        let holds =
            |path: &std::path::PathBuf| fs::read(path).unwrap().windows(9).any(|it| it == b"swordfish");
        files.into_iter().filter(holds).collect::<Vec<_>>()
    };
    let nothing: Vec<std::path::PathBuf> = Vec::new();
    assert_eq!(holds(outcome.left()), nothing);
    assert_eq!(outcome.recover([]).code, Some(0));
    assert_eq!(holds(tests::files_below(&outcome.log())), nothing);
    let session = outcome.session();
    assert_eq!(session.summary["command"], serde_json::json!(["sh"]));
    assert!(!session.snapshots.is_empty() && session.target()["comm"] == "sh", "{}", session.summary);
}

#[test]
fn a_log_directory_whose_name_is_not_utf_8_comes_back() {
    let outcome = Trace::inside(
        "L=$(printf '../log/\\377\\n.'); L=${L%.}
         $0 run -q --log-dir \"$L\" --tmpfs-path ../run -- sh -c 'until ls ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID' >/dev/null 2>&1
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         $0 recover --json --min-age 0s --tmpfs-path ../run; ls \"$L/sessions\"",
    );
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let (report, id) = stdout.trim_end().split_once('\n').unwrap();
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    tests::schema::assert_shape("recover", &report);
    let session = report["session"].as_str().unwrap();
    assert!(session.ends_with(&format!("/log/\\xff\n/sessions/{id}")), "{session:?}");
    assert_eq!((outcome.left().len(), report["session_id"].as_str()), (0, Some(id)));
}

#[test]
fn a_name_that_a_file_system_hands_on_twice_is_told_of_once() {
    // tmpfs goes on reading a directory at another place if the name at which it stopped was renamed meanwhile.
    let count = 300;
    let outcome = Trace::inside(&format!(
        "mount -t tmpfs none ../run; $0 run -q --log-dir ../log --tmpfs-path ../run -- \
         sh -c 'until ls ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID' >/dev/null 2>&1
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         cd ../run/tracer-0; S=$(ls tracer_e*); T=$(ls tracer_t*); N=$(echo $S | cut -d_ -f3)
         for i in $(seq {count}); do
           P=$((5000000 + i)); sed \"s/\\\"pid\\\":$N,/\\\"pid\\\":$P,/; s/\\(session_id\\\":\\\"\\)/\\1x$i-/\" $S >$(echo $S | sed s/_$N/_$P/)
           sed \"s/\\\"pid\\\":$N,/\\\"pid\\\":$P,/\" $T >$(echo $T | sed s/_$N/_$P/)
         done; rm $S $T; chmod 600 *; cd ../../cwd
         $0 recover --json --min-age 0s --tmpfs-path ../run --log-dir ../there"
    ));
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let reports: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let files: BTreeSet<&str> = reports.iter().map(|report| report["file"].as_str().unwrap()).collect();
    assert_eq!((reports.len(), files.len()), (count, count), "{}", outcome.stderr);
    assert!(
        reports.iter().all(|report| report["action"] == "finish" && report["error"].is_null()),
        "{stdout}"
    );
}

#[test]
fn a_session_that_is_being_recorded_is_left_alone() {
    let tracer = tracer();
    let recover = format!(
        "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; \
         {} recover --min-age 0s --json --tmpfs-path ../run",
        tracer.display()
    );
    let session = Trace::sh(&recover).run();
    session.assert_whole();
    let report: serde_json::Value = serde_json::from_slice(&session.outcome.stdout).unwrap();
    assert_eq!((&report["action"], &report["gate"]), (&"leave".into(), &"G6".into()));
}

#[test]
fn a_runtime_directory_that_is_full_is_one_warning_and_a_whole_session() {
    let many = "i=0; while [ $i -lt 150 ]; do /bin/true; i=$((i+1)); done; exit 3";
    let inside = format!(
        "mount -t tmpfs -o size=64k none ../run && exec $0 run --log-dir ../log --tmpfs-path ../run -- sh -c '{many}'"
    );
    let tracer = tracer().into_os_string();
    let outcome =
        Trace::command(["unshare".into(), "-m".into(), "sh".into(), "-c".into(), inside.into(), tracer]);
    let outcome = outcome.without_tracer();
    assert_eq!(outcome.status.code(), Some(3), "{}", outcome.stderr);
    let warnings = outcome.stderr.lines().filter(|line| line.contains("warning")).count();
    assert_eq!(warnings, 1, "{}", outcome.stderr);
    let session = outcome.session();
    session.assert_whole();
    assert_eq!(session.processes.len(), 151);
}

#[test]
fn a_runtime_directory_that_is_removed_under_way_is_one_warning_and_costs_nothing() {
    let vanish = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; rm -r ../run/tracer-0; exit 3";
    let in_its_place = "until ls ../run/tracer-0/tracer_trace_$$_*.jsonl >/dev/null 2>&1; do :; done; until { true >../run/tracer-0; } 2>/dev/null; do rm -r ../run/tracer-0; done; exit 3";
    for (script, told) in [(vanish, "it is made again"), (in_its_place, "can't be made again")] {
        let outcome = Trace::sh(script).outcome();
        assert_eq!(outcome.status.code(), Some(3));
        if script == in_its_place {
            fs::remove_file(outcome.runtime()).unwrap();
        }
        let session = outcome.session();
        session.assert_whole();
        let warnings: Vec<&str> =
            session.outcome.stderr.lines().filter(|line| line.contains("warning")).collect();
        assert_eq!(warnings.len(), 1, "{}", session.outcome.stderr);
        assert!(
            warnings[0].contains("run/tracer-0/tracer_") && warnings[0].contains("was removed"),
            "{warnings:?}"
        );
        assert!(script == in_its_place || warnings[0].contains(told), "{warnings:?}");
    }
}

#[test]
fn files_that_are_removed_under_way_are_made_again_and_a_kill_after_that_loses_nothing() {
    let programs = |count: usize| format!("i=0; while [ $i -lt {count} ]; do /bin/true; i=$((i+1)); done");
    let until = |what: &str| format!("timeout 20 sh -c \"until {what}; do :; done\"");
    let there = |name: &str| until(&format!("ls ../run/tracer-0/{name}"));
    let (sidecar, trace) = ("tracer_enrollment_*.json", "tracer_trace_*.jsonl");
    for (removed, before) in [("", 0), ("", 200), (sidecar, 100), (trace, 0), (trace, 200)] {
        let script = format!(
            "{}; {}; rm -r ../run/tracer-0/{removed}; {}; {}; {}; /bin/true the-last-one; {}; kill -9 $PPID",
            there(trace),
            programs(before),
            there(sidecar),
            there(trace),
            programs(100),
            until(&format!(
                "grep -aqs 'true.,.the-last-on[e]' ../run/tracer-0/{trace} ../log/sessions/.*.spool"
            ))
        );
        let outcome =
            Trace::sh(&format!("{{ {script}; }} >ls 2>&1")).flags(["--spool-limit", "64K"]).outcome();
        outcome.await_ends();
        assert_eq!(outcome.recover([]).code, Some(0), "{removed} {before}");
        assert_eq!(outcome.left(), Vec::<std::path::PathBuf>::new(), "{removed} {before}");
        let warnings =
            outcome.stderr.lines().filter(|line| line.contains("was removed; it is made again")).count();
        assert_eq!(warnings, 1, "{removed} {before}: {}", outcome.stderr);
        let session = outcome.session();
        assert_eq!(session.summary["subtype"], "crashed");
        let runs = session.events("exec").iter().filter(|event| event["comm"] == "true").count();
        assert_eq!(runs, before + 101, "{removed} {before}");
    }
}

#[test]
fn under_sudo_a_session_is_the_invoking_users_and_nobody_elses() {
    use std::os::unix::fs::MetadataExt;
    let prelude = "export SUDO_UID=12345 SUDO_GID=23456";
    let finished = Trace::command(["true"]).after(prelude).run();
    let killed = Trace::sh(KILLS_ITS_TRACER).flags(["--interval", "10ms", "--target", "sh"]).after(prelude);
    let killed = killed.outcome();
    assert_eq!(killed.await_ends().recover([]).code, Some(0));
    for session in [finished, killed.session()] {
        let inside = fs::read_dir(&session.dir).unwrap().map(|entry| entry.unwrap().path());
        for path in inside.chain([session.dir.clone()]) {
            let found = fs::symlink_metadata(&path).unwrap();
            assert_eq!(
                (found.uid(), found.gid(), found.mode() & 0o077),
                (12345, 23456, 0),
                "{}",
                path.display()
            );
        }
        assert_eq!(fs::metadata(session.dir.join("..")).unwrap().uid(), 0);
    }
}

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
