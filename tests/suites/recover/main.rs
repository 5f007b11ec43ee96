//! Tracers that are killed in the middle, and what recovery makes of what they left.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod background;
mod crash;
mod disk;
mod live;
mod many;
mod runtime;

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
