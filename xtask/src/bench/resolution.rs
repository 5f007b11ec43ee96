//! How long after the exec of a workload tracer knows it, while every core is busy.
//!
//! The exec's time is the kernel's own, and the first snapshot of a target is taken the moment it is known. So the time
//! between them, which the session tells, is what is sought and a little more.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::ground::Ground;
use super::psutil;
use super::report::{Line, Unit};
use super::sample::{Sample, quantile};
use crate::child;

const RUNS: usize = 1000;
/// Runs that are found by polling.
const POLLED: usize = 100;
/// Microseconds at the 99th percentile.
const BUDGET: f64 = 1000.0;
/// How long the workload lives, in seconds: a target that was not known by then was late by at least that.
const LIFE: &str = "0.03";
const LIFE_US: f64 = 30_000.0;

/// Measures runs of a workload behind two wrappers.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let runs = ground.repetitions(RUNS);
    let cores = thread::available_parallelism().context("cannot count the cores")?.get();
    let done = AtomicBool::new(false);
    let (delays, polled) = thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let delays: Result<Vec<f64>> = (0..runs).map(|run| delay(ground, run)).collect();
        let polled = psutil::run(psutil::POLLING, &[ground.repetitions(POLLED).to_string()]);
        done.store(true, Ordering::Relaxed);
        (delays, polled)
    });
    let mut delays = delays?;
    delays.sort_by(f64::total_cmp);
    let polled = polled.map(|mut delays| {
        delays.sort_by(f64::total_cmp);
        delays
    });
    let beside = |part| {
        let measured =
            polled.as_ref().map(|delays| Sample::exact(quantile(delays, part))).map_err(Clone::clone);
        vec![psutil::beside("polling each 50 ms with psutil", measured)]
    };
    let line = |what: &str, part, budget| Line {
        what: format!("exec until the target is known, {what} of {runs} runs"),
        unit: Unit::Microseconds,
        measured: Sample::exact(quantile(&delays, part)),
        budget,
        beside: beside(part),
    };
    Ok(vec![
        line("median", 0.5, None),
        line("99th percentile", 0.99, Some(BUDGET)),
        line("longest", 1.0, None),
    ])
}

/// One run's delay, in microseconds.
fn delay(ground: &Ground, run: usize) -> Result<f64> {
    let id = format!("resolution-{run}");
    let mut command = ground.traced_as(&id, &["nice", "env", "sleep", LIFE].map(Into::into));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().with_context(|| format!("cannot start `{}`", child::line(&command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", child::line(&command));
    }
    let session = ground.log().join("sessions").join(&id);
    let summary: Value = serde_json::from_slice(&read(&session, "summary.json")?)?;
    let execed = time(&summary["target"]["resolved_at"])?;
    let rows = String::from_utf8(read(&session, "proc_trace.jsonl")?)?;
    let row = rows.lines().find(|row| row.contains("\"is_target\":true"));
    let row = row.map(serde_json::from_str::<Value>).transpose()?.filter(|row| row["state"] != "Z");
    row.map_or(Ok(LIFE_US), |row| Ok((time(&row["captured_at"])? - execed) / 1000.0))
}

fn read(session: &Path, name: &str) -> Result<Vec<u8>> {
    let path = session.join(name);
    fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Nanoseconds within an hour, which is exact in a float.
fn time(value: &Value) -> Result<f64> {
    let text = value.as_str().context("the session has no such time")?;
    let at: Timestamp = text.parse().with_context(|| format!("{text} is no time"))?;
    Ok((at.as_nanosecond() % 3_600_000_000_000) as f64)
}
