//! What it costs to look at a thousand processes each second: CPU time of tracer, beside that of looking at the target alone, and
//! beside what psutil takes for as many.
//!
//! The first two take turns, and each pair is compared with itself.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::ground::Ground;
use super::psutil;
use super::report::{Line, Unit};
use super::sample::{Sample, pairwise};
use super::worker::Worker;

const PROCESSES: usize = 1000;
/// Seconds of a turn.
const SECONDS: usize = 5;
/// Pairs of turns.
const ROUNDS: usize = 7;
/// Percent of one core.
const BUDGET: f64 = 2.0;

/// Measures tracer while it samples a crowd that stands still.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let (mut whole, mut target) = (Vec::new(), Vec::new());
    for _ in 0..ground.repetitions(ROUNDS) {
        whole.push(share(ground, "tree")?);
        target.push(share(ground, "target")?);
    }
    let looks = [ground.repetitions(ROUNDS), 1, PROCESSES].map(|number| number.to_string());
    let psutil = psutil::run(psutil::SNAPSHOT, &looks).and_then(|times| {
        Sample::of(times.into_iter().map(percent).collect()).ok_or_else(|| "no round".to_owned())
    });
    let line = |what: &str, values, budget, beside| {
        let measured = Sample::of(values).context("there was no round")?;
        anyhow::Ok(Line { what: what.to_owned(), unit: Unit::Percent, measured, budget, beside })
    };
    let alone = pairwise(&whole, &target, |whole, target| whole - target);
    let beside = vec![psutil::beside("psutil, what of it psutil knows", psutil)];
    Ok(vec![
        line("sampling 1,000 processes at 1 Hz, of one core", alone, Some(BUDGET), beside)?,
        line("all that tracer does meanwhile, of one core", whole, None, Vec::new())?,
        line("the same where it samples the target alone", target, None, Vec::new())?,
    ])
}

/// Percent of a core for a look at all of them each second, at so many nanoseconds each.
fn percent(nanoseconds: f64) -> f64 {
    nanoseconds * PROCESSES as f64 / 1e9 * 100.0
}

/// Percent of a core that tracer uses once the crowd is there.
fn share(ground: &Ground, whose: &str) -> Result<f64> {
    let words = ground.on_demand(["assemble", &PROCESSES.to_string()]);
    let mut worker = Worker::start(ground.traced_with(&["--interval", "1s", "--sample", whose], &words))?;
    worker.ask()?;
    let (begin, before) = (Instant::now(), cpu(worker.pid())?);
    thread::sleep(Duration::from_secs(ground.repetitions(SECONDS) as u64));
    let (elapsed, after) = (begin.elapsed(), cpu(worker.pid())?);
    worker.finish()?;
    Ok((after - before).as_secs_f64() / elapsed.as_secs_f64() * 100.0)
}

/// CPU time of all threads of a process (Documentation/scheduler/sched-stats.rst of the kernel: the first of three numbers).
fn cpu(pid: u32) -> Result<Duration> {
    let tasks = format!("/proc/{pid}/task");
    let mut sum = 0;
    for task in fs::read_dir(&tasks).with_context(|| format!("cannot read {tasks}"))? {
        let path = task?.path().join("schedstat");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let first = text.split(' ').next().unwrap_or_default();
        sum += first.parse::<u64>().with_context(|| format!("{} is {text:?}", path.display()))?;
    }
    Ok(Duration::from_nanos(sum))
}

#[cfg(test)]
mod tests {
    #[test]
    fn ten_microseconds_for_each_of_a_thousand_are_a_percent_of_a_second() {
        assert!((super::percent(10_000.0) - 1.0).abs() < 1e-9);
    }
}
