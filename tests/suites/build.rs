//! A real build: tracer sees as many processes as the kernel's own accounting.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;

use serde_json::Value;
use tests::truth::accounted;
use tests::{Session, Trace};

/// The same of the processes that tracer saw inside the namespace. (Its pid 1 gets its record as it ends accounting.)
fn traced(session: &Session) -> BTreeMap<(u64, u32), usize> {
    let outside = &session.root()["pid_ns"];
    let mut ends = BTreeMap::new();
    for row in session.processes.iter().filter(|row| row["pid_ns"] != *outside) {
        let part = |field: &str| u32::try_from(row[field].as_u64().unwrap_or(0)).unwrap();
        let core = if row["core_dumped"] == true { 0x80 } else { 0 };
        let status = part("exit_code") << 8 | part("exit_signal") | core;
        *ends.entry((row["ns_pid"].as_u64().unwrap(), status)).or_default() += 1;
    }
    ends
}

#[test]
fn a_build_of_a_crate_with_dependencies_has_as_many_processes_as_the_kernel_counted() {
    let trace = Trace::case(["accounted"]).within(600);
    let (records, target) = (trace.file("acct"), trace.file("target"));
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../tracer-ebpf/Cargo.toml");
    let what = ["--lib", "--features=user", "--manifest-path", manifest];
    let build = [&[env!("CARGO"), "build", "--offline"], &what[..], &["--target-dir"]].concat();
    let session = trace.args([&records]).args(build).args([&target]).run();
    assert_eq!(session.outcome.status.code(), Some(0), "{}", session.outcome.stderr);
    session.assert_whole();
    assert_eq!(session.state(), "complete");
    let counted = accounted(&std::fs::read(session.outcome.file("acct")).unwrap());
    assert!(counted.values().sum::<usize>() > 20, "a build runs compilers: {counted:?}");
    assert_eq!(traced(&session), counted);
    assert!(
        session.processes.iter().any(|row| row["comms"].as_array().unwrap().contains(&Value::from("rustc")))
    );
}
