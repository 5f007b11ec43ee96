//! The words at the end of a run, and `--summary-json`.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs::{self, OpenOptions};
use std::io::Write;

use serde_json::Value;
use tests::{Session, Trace};

/// The bytes of the session's own summary.
fn summary(session: &Session) -> Vec<u8> {
    fs::read(session.dir.join("summary.json")).unwrap()
}

#[test]
fn a_file_gets_the_bytes_of_the_summary_and_so_does_stdout_or_any_descriptor() {
    let session = Trace::sh("exit 3").flags(["--summary-json", "out.json"]).run();
    assert_eq!(session.outcome.status.code(), Some(3), "{}", session.outcome.stderr);
    assert_eq!(fs::read(session.outcome.file("out.json")).unwrap(), summary(&session));

    let session = Trace::sh("echo first").flags(["--summary-json", "-"]).run();
    assert_eq!(session.outcome.stdout, [b"first\n", &summary(&session)[..]].concat());

    let session =
        Trace::sh("true").flags(["--summary-json", "/dev/fd/3"]).after("exec 3>&1 >/dev/null").run();
    assert_eq!(session.outcome.stdout, summary(&session));

    let after = "mkfifo pipe; (cat pipe > got; mv got whole) & exec 4<>pipe";
    let session = Trace::sh("true").flags(["--summary-json", "pipe"]).after(after).run();
    let whole = session.outcome.file("whole");
    // The writer's end is gone with tracer.
    while !whole.exists() {
        std::thread::yield_now();
    }
    assert_eq!(fs::read(whole).unwrap(), summary(&session));
}

#[test]
fn a_command_that_was_not_found_and_a_target_that_was_not_have_a_summary_too() {
    for (command, code, subtype) in
        [(&["./no-such"][..], 127, "failed"), (&["timeout", "5", "no-such"], 125, "unresolved")]
    {
        let session = Trace::command(command).flags(["--summary-json", "out.json"]).run();
        assert_eq!(session.outcome.status.code(), Some(code), "{}", session.outcome.stderr);
        let told: Value =
            serde_json::from_slice(&fs::read(session.outcome.file("out.json")).unwrap()).unwrap();
        assert_eq!((&told["subtype"], &told["exit_code"]), (&subtype.into(), &code.into()));
    }
}

#[test]
fn a_summary_that_cant_be_written_is_a_warning_and_costs_no_status() {
    for (place, after) in [
        ("no/such/directory/out.json", ""),
        ("/dev/fd/77", ""),
        ("/dev/full", ""),
        ("pipe", "mkfifo pipe"),
        (".", ""),
        ("-", "exec >&-"),
        ("/dev/stdout", "exec >&-"),
        ("-", "exec >/dev/full"),
    ] {
        let session = Trace::sh("exit 4").flags(["--summary-json", place]).after(after).run();
        let stderr = &session.outcome.stderr;
        assert_eq!(session.outcome.status.code(), Some(4), "{place}: {stderr}");
        assert!(
            stderr.contains("tracer: warning: --summary-json: ") && stderr.contains(place),
            "{place}: {stderr}"
        );
    }
}

#[test]
fn a_pipe_that_is_open_and_full_holds_the_end_up_for_a_time_and_costs_no_status() {
    let write_to = |place: &'static str| {
        let trace = Trace::sh("exit 4").flags(["--summary-json", place]).after("exec 4>pipe").within(40);
        let path = trace.file("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let mut held = OpenOptions::new().read(true).write(true).open(path).unwrap();
        held.write_all(&[0; 65536]).unwrap();
        let session = trace.run();
        let stderr = &session.outcome.stderr;
        assert_eq!(session.outcome.status.code(), Some(4), "{place}: {stderr}");
        let warnings = stderr.lines().filter(|line| line.contains("warning")).count();
        let told =
            format!("tracer: warning: --summary-json: {place} can't be written (its reader took 0 of ");
        assert!(warnings == 1 && stderr.contains(&told), "{stderr}");
    };
    std::thread::scope(|scope| {
        ["pipe", "/dev/fd/4"].map(|name| scope.spawn(move || write_to(name))).map(drop)
    });
}

#[test]
fn the_end_of_a_run_tells_how_why_what_it_cost_and_where_it_is() {
    let session = Trace::sh("workload=$(sleep 2 >/dev/null & echo $!); echo $workload; kill -TERM $$").run();
    let (stderr, root) = (&session.outcome.stderr, session.root()["pid"].to_string());
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("tracer: ")), "{stderr}");
    assert_eq!(lines[0], format!("tracer: sh ({root}) was killed by SIGTERM that it sent itself"));
    for part in [" wall, ", " CPU, peak RSS ", " (sh), ", " (sum over the tree)"] {
        assert!(lines[1].contains(part), "{part:?} in {:?}", lines[1]);
    }
    let orphan = String::from_utf8_lossy(&session.outcome.stdout);
    assert_eq!(lines[2], format!("tracer: {} processes, no event lost", session.processes.len()));
    assert_eq!(lines[3], format!("tracer: 1 orphan still alive: sleep ({})", orphan.trim()));
    assert_eq!(lines[4], "tracer: anomalies: KILLED_BY_SIGNAL (1)");
    assert_eq!(lines[5], format!("tracer: session {}", session.dir.display()));
    assert_eq!(lines.len(), 6, "{stderr}");
}
