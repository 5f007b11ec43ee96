//! Why the target ended: one sentence and one object, each claim with the event that shows it.

use serde_json::{Value, json};
use tests::{Session, Trace};

const NOBODY: u32 = 65534;

/// Asserts a verdict of the session's target: its sentence, its cause, and the kinds of events that show it. Each of them is in
/// `events.jsonl`, and is the target's.
#[track_caller]
fn assert_verdict(session: &Session, sentence: &str, cause: &str, evidence: &[&str]) {
    session.assert_whole();
    let (target, verdict) = (session.target(), &session.summary["verdict"]);
    assert_eq!(verdict["sentence"], sentence);
    assert_eq!(verdict["cause"], cause, "{verdict:#}");
    let told = verdict["evidence"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(told.iter().map(|it| &it["event"]).collect::<Vec<_>>(), evidence, "{verdict:#}");
    for claim in told {
        let same = |event: &&Value| {
            ["event", "ktime_ns", "pid", "starttime_ticks"].iter().all(|it| event[it] == claim[it])
        };
        assert_eq!(session.all_events.iter().filter(same).count(), 1, "{claim} in events.jsonl");
        assert_eq!((&claim["pid"], &claim["starttime_ticks"]), (&target["pid"], &target["starttime_ticks"]));
    }
    let row = session.process(pid(target));
    for field in ["exit_code", "exit_signal", "core_dumped", "killed_by", "oom_killed"] {
        assert_eq!(verdict[field], row[field], "{field} of {verdict:#}");
    }
}

fn pid(row: &Value) -> u32 {
    row["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default()
}

/// A case as the target, called `patient`, below an observer that tells the truth about its end.
fn patient(case: &[&str]) -> Session {
    let session = Trace::observed(["become", "patient"]).args(case).flags(["--target", "patient"]).run();
    session.assert_agrees();
    session
}

#[test]
fn an_exit_is_told_with_its_code() {
    for (code, cause) in [("0", "exited_zero"), ("7", "exited_non_zero")] {
        let session = patient(&["exit", code]);
        let sentence = format!("workload ({}) exited with code {code}", session.target()["pid"]);
        assert_verdict(&session, &sentence, cause, &["exit"]);
    }
}

#[test]
fn the_verdict_is_about_the_target_and_not_about_its_wrappers() {
    let session = Trace::sh("sh -c 'exit 9'; exit 3").run();
    assert_eq!(
        (&session.summary["exit_code"], &session.summary["verdict"]["exit_code"]),
        (&json!(3), &json!(9))
    );
}

#[test]
fn a_killer_is_named_with_its_pid_comm_and_user() {
    for (signal, name, uid) in [(libc::SIGKILL, "SIGKILL", NOBODY), (libc::SIGTERM, "SIGTERM", 0)] {
        let case = ["murder", &signal.to_string(), &uid.to_string()];
        let session = Trace::case(case).flags(["--target", "the victim"]).run();
        let killer = session.note("assassin");
        let (victim, assassin) = (killer.value, killer.pid);
        assert_eq!(session.target()["pid"], victim);
        let sentence =
            format!("the victim ({victim}) was killed by {name} from the assassin ({assassin}), uid {uid}");
        assert_verdict(&session, &sentence, "signal_from_process", &["signal", "exit"]);
        let by = json!({"pid": assassin, "comm": "the assassin", "uid": uid});
        assert_eq!(session.summary["verdict"]["killed_by"], by);
    }
}

#[test]
fn a_killer_from_outside_the_tree_is_named_too() {
    let outside = "mkfifo pid; (read pid <pid; kill -9 $pid) &";
    let session = Trace::case(["announce", "pid"]).after(outside).run();
    let victim = &session.target()["pid"];
    let by = &session.summary["verdict"]["killed_by"];
    assert_eq!((&by["comm"], &by["uid"]), (&json!("sh"), &json!(0)), "{by}");
    assert!(session.processes.iter().all(|row| row["pid"] != by["pid"]), "{by} is not in the tree");
    let sentence = format!("workload ({victim}) was killed by SIGKILL from sh ({}), uid 0", by["pid"]);
    assert_verdict(&session, &sentence, "signal_from_process", &["signal", "exit"]);
}

#[test]
fn a_deadline_is_the_signal_of_the_program_that_kept_it() {
    for (flag, name) in [("TERM", "SIGTERM"), ("KILL", "SIGKILL")] {
        let words = ["timeout", "-s", flag, "0.2"].map(str::to_owned);
        let workload = tests::workload().to_string_lossy().into_owned();
        let session = Trace::command(words).args([workload.as_str(), "announce", "pid"]).run();
        let (victim, timeout) = (&session.target()["pid"], &session.root()["pid"]);
        let sentence = format!("workload ({victim}) was killed by {name} from timeout ({timeout}), uid 0");
        assert_verdict(&session, &sentence, "signal_from_process", &["signal", "exit"]);
    }
}

#[test]
fn the_oom_killer_is_named_and_nobody_is_blamed() {
    let session = Trace::case(["oom"]).flags(["--target", "glutton"]).run();
    let victim = session.note("victim").pid;
    assert_eq!(session.target()["pid"], victim);
    // Which limit was behind it, where tracer could look in time, is held by the suite of memory cgroups.
    let verdict = &session.summary["verdict"];
    let (sentence, cause) = (verdict["sentence"].as_str().unwrap(), verdict["cause"].as_str().unwrap());
    assert!(sentence.starts_with(&format!("glutton ({victim}) was killed by the OOM killer")), "{sentence}");
    assert_eq!(cause == "cgroup_limit", sentence.contains("the memory limit of cgroup"), "{verdict}");
    assert_verdict(&session, sentence, cause, &["oom", "signal", "exit"]);
    assert_eq!(session.summary["verdict"]["killed_by"], Value::Null);
}

#[test]
fn a_fault_is_a_signal_of_the_kernels_with_the_core_that_it_left() {
    for (case, may_dump) in [("segv", false), ("segv-with-core", true)] {
        let session = patient(&[case]);
        let (truth, target) = (session.reaped()[0], &session.target()["pid"]);
        assert!(may_dump || !truth.core_dumped, "the workload does what it says");
        let core = if truth.core_dumped { ", core dumped" } else { "" };
        let sentence = format!("workload ({target}) was killed by SIGSEGV from the kernel{core}");
        assert_verdict(&session, &sentence, "signal_from_kernel", &["signal", "exit"]);
    }
}

#[test]
fn a_timer_is_the_kernels_and_a_signal_to_oneself_ones_own() {
    let timer = patient(&["alarm"]);
    let sentence = format!("workload ({}) was killed by SIGALRM from its own timer", timer.target()["pid"]);
    assert_verdict(&timer, &sentence, "signal_from_kernel", &["signal", "exit"]);
    let own = patient(&["raise", "15"]);
    let sentence = format!("workload ({}) was killed by SIGTERM that it sent itself", own.target()["pid"]);
    assert_verdict(&own, &sentence, "signal_from_itself", &["signal", "exit"]);
}

#[test]
fn a_pipe_that_nobody_reads_any_more_is_the_cause_of_sigpipe() {
    let why = "was killed by SIGPIPE: it wrote to a pipe or socket that nobody reads any more";
    let pipeline = Trace::sh("yes | head -n 1 >/dev/null; true").flags(["--target", "yes"]).run();
    let sentence = format!("yes ({}) {why}", pipeline.target()["pid"]);
    assert_verdict(&pipeline, &sentence, "signal_from_itself", &["signal", "exit"]);
    let alone = patient(&["write-to-nobody"]);
    let sentence = format!("workload ({}) {why}", alone.target()["pid"]);
    assert_verdict(&alone, &sentence, "signal_from_itself", &["signal", "exit"]);
}

#[test]
fn a_file_that_may_not_grow_is_the_cause_of_sigxfsz() {
    let session = Trace::sh("ulimit -c 0; ulimit -f 1; exec head -c 100000 /dev/zero >large").run();
    let target = &session.target()["pid"];
    let sentence =
        format!("head ({target}) was killed by SIGXFSZ: it wrote beyond its limit on the size of files");
    assert_verdict(&session, &sentence, "signal_from_itself", &["signal", "exit"]);
}

#[test]
fn the_end_of_a_run_says_the_verdict_as_the_summary_has_it() {
    let session = Trace::sh("kill -9 $$").run();
    let sentence = session.summary["verdict"]["sentence"].as_str().unwrap_or_default().to_owned();
    assert!(
        session.outcome.stderr.starts_with(&format!("tracer: {sentence}\n")),
        "{}",
        session.outcome.stderr
    );
}
