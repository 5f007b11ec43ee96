//! How much memory tracer takes with ten thousand processes in the tree.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::ground::Ground;
use super::report::{Line, Unit};
use super::sample::Sample;
use super::worker::Worker;

const PROCESSES: &str = "10000";
/// MiB beside the rings.
const BUDGET: f64 = 16.0;
/// Snapshots of all of them are taken each second meanwhile.
const WHILE: Duration = Duration::from_millis(3500);
/// How often tracer is weighed while it ends.
const LOOK: Duration = Duration::from_millis(5);

/// Measures tracer while a crowd stands still, and while it ends.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let mut worker = Worker::start(ground.traced(&ground.on_demand(["assemble", PROCESSES])))?;
    worker.ask()?;
    let tracer = worker.pid();
    let (alive, ended) = (AtomicBool::new(true), AtomicBool::new(false));
    let (while_alive, at_the_end) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let (mut while_alive, mut at_the_end) = (0.0_f64, 0.0_f64);
            while !ended.load(Ordering::Relaxed) {
                if let Some(size) = of_process(tracer) {
                    at_the_end = at_the_end.max(size);
                    if alive.load(Ordering::Relaxed) {
                        while_alive = at_the_end;
                    }
                }
                thread::sleep(LOOK);
            }
            (while_alive, at_the_end)
        });
        thread::sleep(WHILE);
        alive.store(false, Ordering::Relaxed);
        let finished = worker.finish();
        ended.store(true, Ordering::Relaxed);
        let sizes = watch.join().ok().context("the thread that weighs tracer failed")?;
        finished.map(|()| sizes)
    })?;
    let line = |what: &str, value, budget| Line {
        what: what.to_owned(),
        unit: Unit::Mebibytes,
        measured: Sample::exact(value),
        budget,
        beside: Vec::new(),
    };
    Ok(vec![
        line("tracer beside its rings, 10,000 processes in the tree", while_alive, Some(BUDGET)),
        line("the same, while they all end", at_the_end, None),
    ])
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
