//! How much memory tracer takes with ten thousand processes in the tree, and how much of it where there is no crowd.
//!
//! Trees with and without a crowd take turns, each with a tracer of its own.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::ground::Ground;
use super::report::{Line, Unit};
use super::sample::{Sample, pairwise};
use super::worker::Worker;

const PROCESSES: &str = "10000";
/// A tree that is its root alone.
const NONE: &str = "0";
/// Pairs of trees.
const ROUNDS: usize = 5;
/// MiB beside the rings.
const BUDGET: f64 = 16.0;
/// Snapshots of all of them are taken each second meanwhile.
const WHILE: Duration = Duration::from_millis(3500);
/// How often tracer is weighed while it ends.
const LOOK: Duration = Duration::from_millis(5);

/// The most that a tracer took, in MiB.
struct Weight {
    /// While all of its tree stood still, and before.
    while_alive: f64,
    /// Until it was gone.
    to_the_end: f64,
}

/// Measures tracers while a crowd stands still, and while it ends.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let (mut crowd, mut ending, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ground.repetitions(ROUNDS) {
        let Weight { while_alive, to_the_end } = weigh(ground, PROCESSES)?;
        crowd.push(while_alive);
        ending.push(to_the_end);
        alone.push(weigh(ground, NONE)?.while_alive);
    }
    let line = |what: &str, unit, values, budget| {
        let measured = Sample::of(values).context("there was no round")?;
        anyhow::Ok(Line { what: what.to_owned(), unit, measured, budget, beside: Vec::new() })
    };
    let (mebibytes, ratios) = (Unit::Mebibytes, pairwise(&crowd, &alone, |crowd, alone| crowd / alone));
    Ok(vec![
        line("tracer beside its rings, 10,000 processes in the tree", mebibytes, crowd, Some(BUDGET))?,
        line("the same, while they all end", mebibytes, ending, None)?,
        line("10,000 processes in the tree, against a tree of one", Unit::Times, ratios, None)?,
    ])
}

/// Weighs the tracer of a tree of one process and so many more.
fn weigh(ground: &Ground, processes: &str) -> Result<Weight> {
    let mut worker = Worker::start(ground.traced(&ground.on_demand(["assemble", processes])))?;
    worker.ask()?;
    let tracer = worker.pid();
    let (alive, ended) = (AtomicBool::new(true), AtomicBool::new(false));
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut weight = Weight { while_alive: 0.0, to_the_end: 0.0 };
            while !ended.load(Ordering::Relaxed) {
                if let Some(size) = of_process(tracer) {
                    weight.to_the_end = weight.to_the_end.max(size);
                    if alive.load(Ordering::Relaxed) {
                        weight.while_alive = weight.to_the_end;
                    }
                }
                thread::sleep(LOOK);
            }
            weight
        });
        thread::sleep(WHILE);
        alive.store(false, Ordering::Relaxed);
        let finished = worker.finish();
        ended.store(true, Ordering::Relaxed);
        let weight = watch.join().ok().context("the thread that weighs tracer failed")?;
        finished?;
        if weight.while_alive == 0.0 {
            bail!("a tracer of {processes} processes was gone before it could be weighed");
        }
        Ok(weight)
    })
}

/// Resident MiB of a process, without BPF maps. None: it is gone.
fn of_process(pid: u32) -> Option<f64> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    Some(resident_kib(&maps) as f64 / 1024.0)
}

/// KiB of all mappings but BPF maps (`anon_inode:bpf-map`), from smaps (proc_pid_smaps(5)).
fn resident_kib(smaps: &str) -> u64 {
    let (mut sum, mut is_ring) = (0, false);
    for line in smaps.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if !first.ends_with(':') {
            is_ring = line.ends_with("bpf-map");
        } else if let (Some(size), false) = (line.strip_prefix("Rss:"), is_ring) {
            sum += size.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_do_not_count() {
        let smaps = "00400000-00500000 r-xp 00000000 fe:00 12 /usr/bin/tracer\nSize: 1024 kB\nRss:  100 kB\n\
            7f00-7f01 rw-s 00001000 00:0e 9   anon_inode:bpf-map\nSize: 4 kB\nRss:  4096 kB\n\
            7f02-7f03 rw-p 00000000 00:00 0 \nSize: 4 kB\nRss:  7 kB\nPss: 7 kB\n";
        assert_eq!(resident_kib(smaps), 107);
    }
}
