//! Real recordings, replayed. Each is an `events.jsonl` that `tracer run` left, of which only processes that lie too deep
//! to matter were taken out, and a directory was given another name.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::TargetRow;
use crate::process::target::unresolved::After;
use crate::process::target::{Resolver, Wanted};
use crate::process::tree::Tree;
use crate::session::clock::Clock;
use crate::session::replay;

/// The `target` object of a recording; null if there is no target.
fn target(wanted: &Wanted, recording: &str) -> Value {
    let mut tree = Tree::default();
    let mut resolver = Resolver::new(wanted.clone(), Arc::from("boot"));
    let mut now_ns = 0;
    for line in recording.lines() {
        let event = replay::event(line).unwrap();
        now_ns = event.ktime_ns;
        tree.apply(&event);
        resolver.observe(&event, &tree);
    }
    let root = tree.root().unwrap();
    let clock = Clock::new(Timestamp::UNIX_EPOCH, 0);
    match resolver.give_up(root, After::RootEnded, now_ns, &tree) {
        Ok(target) => serde_json::to_value(TargetRow::new(target, None, clock, false)).unwrap(),
        Err(_) => Value::Null,
    }
}

/// Rule, comm, arguments and wrappers on one line.
fn short(row: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value, each: &dyn Fn(&Value) -> String| {
        value.as_array().unwrap().iter().map(each).collect::<Vec<_>>().join(" ")
    };
    let wrappers = list(&row["how"]["wrappers"], &|wrapper| text(&wrapper["name"]).replace(' ', "_"));
    let cmdline = list(&row["cmdline"], &text);
    format!("{} {}: {cmdline} < {wrappers}", text(&row["how"]["rule"]), text(&row["comm"]))
}

fn behind(recording: &str) -> String {
    short(&target(&Wanted::BehindWrappers, recording))
}

fn called(name: &str, recording: &str) -> String {
    short(&target(&Wanted::named(name.as_bytes()).unwrap(), recording))
}

const SHIM: &str = include_str!("../testdata/shim.jsonl");
const CLAUDE: &str = include_str!("../testdata/claude.jsonl");

#[test]
fn python_behind_a_terminal_a_shell_and_a_shim_is_python() {
    let end = "python3: /root/.pyenv/versions/3.11.7/bin/python3 -c 1 < script bash_-c shim_python3";
    assert_eq!(behind(SHIM), format!("seen_through {end}"));
    assert_eq!(called("python3", SHIM), format!("filename {end}"));
}

#[test]
fn a_program_from_npm_is_known_by_its_script() {
    let end = "claude: /usr/bin/env node /opt/x/bin/claude < timeout script bash_-c env";
    assert_eq!(behind(CLAUDE), format!("seen_through {end}"));
    assert_eq!(called("claude", CLAUDE), format!("script {end}"));
    let su = behind(include_str!("../testdata/su.jsonl"));
    assert_eq!(su, "seen_through claude: /usr/bin/env node /opt/x/bin/claude < su bash_-c");
}

#[test]
fn every_wrapper_of_a_long_chain_is_told_of() {
    let dbus = behind(include_str!("../testdata/dbus.jsonl"));
    assert_eq!(dbus, "seen_through sleep: sleep 0.1 < dbus-run-session nice setsid stdbuf");
    let flock = behind(include_str!("../testdata/flock.jsonl"));
    assert_eq!(flock, "seen_through sleep: sleep 0.1 < flock bash_-c ionice taskset prlimit setpriv");
    let strace = behind(include_str!("../testdata/strace.jsonl"));
    assert_eq!(strace, "seen_through sleep: sleep 0.1 < strace runuser chrt");
}

#[test]
fn a_login_shells_profile_is_not_the_workload() {
    let end = behind(include_str!("../testdata/sulogin.jsonl"));
    assert_eq!(end, "seen_through sleep: sleep 0.1 < su bash_-c");
}

#[test]
fn the_last_of_a_few_small_commands_is_the_workload() {
    let end = behind(include_str!("../testdata/compound.jsonl"));
    assert_eq!(end, "seen_through sleep: sleep 0.1 < bash_-c");
}

#[test]
fn nothing_of_that_name_is_null() {
    assert_eq!(target(&Wanted::named(b"nobody").unwrap(), SHIM), Value::Null);
}

#[test]
fn the_object_has_the_fields_of_the_contract() {
    let row = target(&Wanted::named(b"sleep").unwrap(), include_str!("../testdata/compound.jsonl"));
    let id = |pid: &str| row[pid].clone();
    assert!(row["pid"].is_u64() && row["starttime_ticks"].is_u64());
    assert_eq!((id("boot_id"), id("args_truncated")), (json!("boot"), json!(false)));
    assert!(row["resolved_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!((id("comm"), id("cmdline")), (json!("sleep"), json!(["sleep", "0.1"])));
    let how = row["how"].as_object().unwrap();
    assert_eq!((how.len(), &how["rule"], &how["name"]), (4, &json!("filename"), &json!("sleep")));
    assert!(how["ktime_ns"].is_u64());
    let wrapper = row["how"]["wrappers"][0].as_object().unwrap();
    assert_eq!(wrapper.keys().collect::<Vec<_>>(), ["comm", "name", "pid", "starttime_ticks"]);
}
