//! What it costs to look at a thousand processes each second: CPU time of tracer, beside that of looking at the target alone.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::ground::Ground;
use super::report::{Line, Unit};
use super::sample::Sample;
use super::worker::Worker;

const PROCESSES: &str = "1000";
/// Seconds of a whole bench.
const SECONDS: usize = 15;
/// Percent of one core.
const BUDGET: f64 = 2.0;

/// Measures tracer while it samples a crowd that stands still.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let whole = share(ground, "tree")?;
    let target = share(ground, "target")?;
    let line = |what: &str, value, budget| Line {
        what: what.to_owned(),
        unit: Unit::Percent,
        measured: Sample::exact(value),
        budget,
        beside: Vec::new(),
    };
    Ok(vec![
        line("sampling 1,000 processes at 1 Hz, of one core", whole - target, Some(BUDGET)),
        line("all that tracer does meanwhile, of one core", whole, None),
    ])
}

/// Percent of a core that tracer uses once the crowd is there.
fn share(ground: &Ground, whose: &str) -> Result<f64> {
    let words = ground.on_demand(["assemble", PROCESSES]);
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
