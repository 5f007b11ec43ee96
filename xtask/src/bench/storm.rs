//! Every core forks as fast as it can: is anything lost, how much slower is it, and how large does tracer get meanwhile?
//!
//! Several storms, each under a tracer of its own and beside the same work without one, before and after it. Rates and sizes
//! are medians. A loss is not: one event in one storm is one too many, so all storms' losses are added up.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::ground::{Ground, command};
use super::report::{Line, Unit};
use super::sample::{Sample, pairwise};
use super::worker::Worker;

/// Forks of each forker in a block.
const BLOCK: usize = 10_000;
/// Blocks of a storm.
const BLOCKS: usize = 3;
/// Storms of a whole bench.
const STORMS: usize = 7;

/// What came of a storm.
struct Storm {
    /// Seconds.
    took: f64,
    /// Processes by tracer's summary.
    seen: u64,
    lost: u64,
    /// Mebibytes.
    memory: f64,
}

/// Measures blocks of fork and wait, as many forkers at once as there are cores.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let cores = std::thread::available_parallelism().context("cannot count the cores")?.get();
    let words = ground.on_demand(["parallel", &cores.to_string(), &BLOCK.to_string()]);
    let (blocks, count) = (ground.repetitions(BLOCKS), ground.repetitions(STORMS));
    let calm = || -> Result<f64> {
        let mut worker = Worker::start(command(&words))?;
        let took = ask(&mut worker, blocks)?;
        worker.finish()?;
        Ok(took.as_secs_f64())
    };
    let (mut bare, mut storms) = (vec![calm()?], Vec::new());
    for number in 0..count {
        let worker = Worker::start(ground.traced_as(&format!("storm-{number}"), &words))?;
        storms.push(storm(ground, worker, blocks, number)?);
        bare.push(calm()?);
    }
    // Each block makes the forkers and their children; the worker itself is the root.
    let happened = 1 + blocks * cores * (1 + BLOCK);
    lines(&storms, &bare, happened as u64, cores)
}

/// Has a worker under a tracer storm.
fn storm(ground: &Ground, mut worker: Worker, blocks: usize, number: usize) -> Result<Storm> {
    let took = ask(&mut worker, blocks)?.as_secs_f64();
    let memory = high_water_mark(worker.pid())?;
    worker.finish()?;
    let session = ground.log().join("sessions").join(format!("storm-{number}"));
    let summary = summary(&session.join("summary.json"))?;
    let seen = summary["process_count"].as_u64().context("the summary has no process_count")?;
    Ok(Storm { took, seen, lost: lost(&summary)?, memory })
}

fn ask(worker: &mut Worker, blocks: usize) -> Result<Duration> {
    (0..blocks).map(|_| worker.ask()).sum()
}

/// What the storms show; `bare` has the times without a tracer around each of them, in seconds.
fn lines(storms: &[Storm], bare: &[f64], happened: u64, cores: usize) -> Result<Vec<Line>> {
    let line =
        |what: String, unit, measured, budget| Line { what, unit, measured, budget, beside: Vec::new() };
    let of_each = |value: fn(&Storm) -> f64| storms.iter().map(value).collect::<Vec<_>>();
    let sample = |values| Sample::of(values).context("there was no storm");
    let all = |count: u64| Sample::exact(count as f64);
    let lost = storms.iter().map(|storm| storm.lost).sum();
    let astray = storms.iter().map(|storm| happened.abs_diff(storm.seen)).sum();
    let took = of_each(|storm| storm.took);
    let rates = took.iter().map(|took| happened as f64 / took).collect();
    let around: Vec<f64> = bare.windows(2).map(|pair| pair.iter().sum::<f64>() / pair.len() as f64).collect();
    let ratios = pairwise(&took, &around, |with, bare| with / bare);
    let memory = of_each(|storm| storm.memory);
    let number = storms.len();
    let what = format!("events lost in {number} storms, {cores} forkers");
    Ok(vec![
        line(what, Unit::Count, all(lost), Some(0.0)),
        line(
            format!("processes missing or too many in all, of {}", happened * number as u64),
            Unit::Count,
            all(astray),
            Some(0.0),
        ),
        line("rate of fork and exit, each".to_owned(), Unit::PerSecond, sample(rates)?, None),
        line("time of a storm, against none".to_owned(), Unit::Times, sample(ratios)?, None),
        line("tracer's peak resident set".to_owned(), Unit::Mebibytes, sample(memory)?, None),
    ])
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
    fn a_loss_in_one_storm_of_many_is_over_the_budget_and_times_are_of_pairs() {
        let storm = |took, seen, lost| Storm { took, seen, lost, memory: 20.0 };
        // The machine gets slower and slower, with a tracer as without.
        let storms = [storm(2.2, 100, 0), storm(4.4, 99, 1), storm(6.6, 101, 0)];
        let told = lines(&storms, &[1.0, 3.0, 5.0, 7.0], 100, 2).unwrap();
        let medians: Vec<f64> = told.iter().map(|line| line.measured.median).collect();
        assert_eq!(medians, [1.0, 2.0, 100.0 / 4.4, 1.1, 20.0]);
        assert_eq!((told[0].within(), told[1].within()), (Some(false), Some(false)));
        assert_eq!(told[3].measured.count, 3);
    }

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
