//! Every core forks as fast as it can: is anything lost, and how large does tracer get meanwhile?

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::ground::Ground;
use super::report::{Line, Unit};
use super::sample::Sample;
use super::worker::Worker;

/// Forks of each forker in a block.
const BLOCK: usize = 10_000;
/// Blocks of a whole bench.
const BLOCKS: usize = 5;

/// The session's id.
const ID: &str = "storm";

/// Measures blocks of fork and wait, as many forkers at once as there are cores.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let cores = std::thread::available_parallelism().context("cannot count the cores")?.get();
    let words = ground.on_demand(["parallel", &cores.to_string(), &BLOCK.to_string()]);
    let blocks = ground.repetitions(BLOCKS);
    let mut worker = Worker::start(ground.traced_as(ID, &words))?;
    let mut took = Duration::ZERO;
    for _ in 0..blocks {
        took += worker.ask()?;
    }
    let memory = high_water_mark(worker.pid())?;
    worker.finish()?;
    let summary = summary(&ground.log().join("sessions").join(ID).join("summary.json"))?;
    // Each block makes the forkers and their children; the worker itself is the root.
    let happened = 1 + blocks * cores * (1 + BLOCK);
    let seen = summary["process_count"].as_u64().context("the summary has no process_count")?;
    let rate = happened as f64 / took.as_secs_f64();
    Ok(vec![
        exactly(format!("events lost, {cores} forkers"), Unit::Count, lost(&summary)? as f64, Some(0.0)),
        exactly("processes missing".to_owned(), Unit::Count, happened as f64 - seen as f64, Some(0.0)),
        exactly("rate of fork and exit, each".to_owned(), Unit::PerSecond, rate, None),
        exactly("tracer's peak resident set".to_owned(), Unit::Mebibytes, memory, None),
    ])
}

fn exactly(what: String, unit: Unit, value: f64, budget: Option<f64>) -> Line {
    Line { what, unit, measured: Sample::exact(value), budget, beside: Vec::new() }
}

fn summary(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} does not parse", path.display()))
}

/// All kinds of loss together.
fn lost(summary: &Value) -> Result<u64> {
    let kinds = summary["completeness"]["lost"].as_object().context("the summary has no completeness")?;
    let counts =
        kinds.iter().map(|(kind, count)| count.as_u64().with_context(|| format!("{kind} is {count}")));
    counts.sum()
}

/// `VmHWM` of a process, in MiB.
pub(super) fn high_water_mark(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kibibytes = mark_in(&text).with_context(|| format!("{path} has no VmHWM"))?;
    Ok(f64::from(kibibytes) / 1024.0)
}

fn mark_in(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_loss_count() {
        let summary = serde_json::json!({ "completeness": { "lost": { "fork": 2, "gaps": 3 } } });
        assert_eq!(lost(&summary).unwrap(), 5);
        assert!(lost(&Value::Null).is_err());
    }

    #[test]
    fn the_high_water_mark_is_read_and_no_other_size() {
        assert_eq!(mark_in("VmPeak:\t  9 kB\nVmHWM:\t   16384 kB\nVmRSS:\t 7 kB\n"), Some(16384));
        assert_eq!(mark_in("VmRSS:\t 7 kB\n"), None);
    }
}
