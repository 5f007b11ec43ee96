//! The verdict on a target that the OOM killer ended: which cgroup's limit was behind it, and what where that can't be told.
//!
//! A kill for want of memory in the whole system is not among them: it would take other processes of this host.

use serde_json::{Value, json};
use tests::{Session, Trace};

const LIMIT: u64 = 16 << 20;

/// A glutton in a cgroup, found under its name.
#[track_caller]
fn starved<const N: usize>(case: [&str; N]) -> Session {
    let session = Trace::case(case).flags(["--target", "glutton"]).run();
    let verdict = &session.summary["verdict"];
    assert_eq!((&verdict["oom_killed"], &verdict["exit_signal"]), (&json!(true), &json!(9)), "{verdict:#}");
    session
}

/// The verdict names this cgroup: the parent's own, and this below it.
#[track_caller]
fn assert_limit(session: &Session, limited: &str) {
    let (verdict, root) = (&session.summary["verdict"], &session.summary["pid"]);
    let cgroup = &verdict["cgroup"];
    assert_eq!(
        (&verdict["cause"], &cgroup["limit_bytes"]),
        (&json!("cgroup_limit"), &json!(LIMIT)),
        "{verdict:#}"
    );
    let path = format!("/tracer-test-{root}{limited}");
    assert_eq!(cgroup["path"], path);
    assert!(cgroup["before"].as_u64() < cgroup["after"].as_u64(), "{cgroup}");
    let pid = session.note("limited").pid;
    let expected = format!(
        "glutton ({pid}) was killed by the OOM killer: the memory limit of cgroup {path} (16.0 MiB) was reached (SIGKILL)"
    );
    assert_eq!(verdict["sentence"], expected);
}

#[test]
fn a_target_that_reached_its_cgroups_limit_names_the_cgroup() {
    assert_limit(&starved(["oom-target"]), "");
}

#[test]
fn a_limit_further_up_is_named_where_it_is() {
    assert_limit(&starved(["oom-target", "inner"]), "");
}

#[test]
fn a_cgroup_that_is_removed_as_soon_as_it_is_empty_is_asked_before() {
    const TIMES: usize = 5;
    let sessions: Vec<Session> = (0..TIMES).map(|_| starved(["oom-target", "at-once"])).collect();
    let known = sessions.iter().filter(|session| session.summary["verdict"]["cause"] == "cgroup_limit");
    // It is a race, which tracer wins where it is woken, and loses where it only looks every now and then.
    assert!(known.count() * 2 >= TIMES, "most of {TIMES} are known");
}

#[test]
fn a_cgroup_that_was_removed_before_it_could_be_asked_is_unknown() {
    let session = starved(["oom-target", "unseen"]);
    let verdict = &session.summary["verdict"];
    assert_eq!((&verdict["cause"], &verdict["cgroup"]), (&json!("oom_killer"), &Value::Null), "{verdict:#}");
    let pid = session.note("limited").pid;
    assert_eq!(verdict["sentence"], format!("glutton ({pid}) was killed by the OOM killer (SIGKILL)"));
}
