//! The published schemas. That every file of every session has their shapes is asserted wherever a test reads one
//! (`harness/schema.rs`); here are the files that no other test reads, and the schemas themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::{Value, json};
use tests::schema::{assert_file, assert_shape};
use tests::{Session, Trace};

/// Ends its tracer once there are rows.
const KILLS_ITS_TRACER: &str =
    "true; until [ -s ../run/tracer-0/tracer_trace_$$_*.jsonl ]; do :; done; kill -9 $PPID";

#[test]
fn a_sidecar_and_each_line_of_a_trace_file_have_the_published_shapes() {
    let flags = ["--label", "a=b", "--target", "sh", "--interval", "10ms"];
    let outcome = Trace::sh(KILLS_ITS_TRACER).flags(flags).outcome();
    let files = outcome.await_ends().left();
    let (sidecars, traces): (Vec<_>, Vec<_>) =
        files.iter().partition(|path| path.extension().is_some_and(|end| end == "json"));
    assert_eq!((sidecars.len(), traces.len()), (1, 1), "{files:?}");
    assert_file(sidecars[0]);
    let text = std::fs::read_to_string(traces[0]).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert_shape(if line["event"].is_null() { "proc_trace" } else { "events" }, line);
    }
    assert!(lines.iter().any(|line| line["event"] == "exec"), "{lines:?}");
}

#[test]
fn each_ending_has_the_published_shapes() {
    let killed = Trace::sh("kill -9 $$").run();
    let unresolved = Trace::command(["timeout", "5", "no-such-command"]).run();
    let orphans = Trace::sh("sleep 2 & exit 0").run();
    let redacted = Trace::sh("exit 3").flags(["--redact-args"]).run();
    let target_alone = Trace::sh("true; exit 0").flags(["--sample", "target", "--target", "sh"]).run();
    let subtypes = |session: &Session| session.summary["subtype"].as_str().unwrap().to_owned();
    let all = [&killed, &unresolved, &orphans, &redacted, &target_alone].map(subtypes);
    assert_eq!(all, ["killed", "unresolved", "completed", "failed", "completed"]);
    assert_eq!(orphans.summary["orphans"].as_array().unwrap().len(), 1);
}

#[test]
fn a_field_more_a_field_less_and_another_shape_are_all_noticed() {
    let session = Trace::command(["true"]).run();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut summary = session.summary.clone();
        change(&mut summary);
        catch_unwind(AssertUnwindSafe(|| assert_shape("summary", &summary))).is_err()
    };
    assert!(!refused(&|_| {}), "what was written is as published");
    assert!(refused(&|summary| summary["news"] = json!(1)));
    assert!(refused(&|summary| summary["completeness"]["news"] = json!(1)));
    assert!(refused(&|summary| drop(summary.as_object_mut().unwrap().remove("host"))));
    assert!(refused(&|summary| summary["started_at"] = json!("yesterday")));
    assert!(refused(&|summary| summary["verdict"]["cause"] = json!("bad luck")));
    assert!(refused(&|summary| summary["boot_id"] = json!(null)));
}

#[test]
fn every_published_schema_is_held_against_something() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".schema.json").expect("a schema's name").to_owned();
        let known = catch_unwind(|| assert_shape(&name, &Value::Null)).unwrap_err();
        let message = known.downcast_ref::<String>().unwrap();
        assert_eq!(message.contains("no schema"), name == "common", "{name}: {message}");
    }
}
