//! What a snapshot costs beside its own bare system calls, on this machine. In the release profile:
//!
//! `cargo test --release -p tracer --lib snapshot_cost -- --ignored --nocapture --test-threads 1`

use std::convert::Infallible;
use std::ffi::CStr;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::path::DecInt;

use super::timed;
use crate::process::identity::Identity;
use crate::process::proc::limits;
use crate::process::proc::reader::Reader;
use crate::process::proc::unread::Unread;
use crate::process::sampler::{Moment, Sampler};
use crate::process::stat::Stat;
use crate::session::snapshot_row::SnapshotRow;

/// The last two are not read of a process that slept since its row before.
const FILES: [&CStr; 6] = [c"stat", c"oom_score", c"oom_score_adj", c"status", c"wchan", c"io"];

/// The system calls of a snapshot and nothing else.
fn bare(proc: &OwnedFd, pid: u32, files: &[&CStr], buffer: &mut [u8]) {
    let dir =
        openat(proc, DecInt::new(pid), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .unwrap();
    limits::of_pid(pid).unwrap();
    statat(&dir, c"fd", AtFlags::empty()).unwrap();
    for name in files {
        let file = openat(&dir, *name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        rustix::io::read(&file, &mut *buffer).unwrap();
    }
}

/// Processes that sleep until they are dropped.
struct Sleepers(Vec<Child>);

impl Sleepers {
    fn new(count: usize) -> Self {
        let sleeper = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        Self(std::iter::repeat_with(sleeper).take(count).collect())
    }

    fn ids(&self) -> Vec<Identity> {
        self.0.iter().map(|child| Stat::read(child.id()).unwrap().identity()).collect()
    }
}

impl Drop for Sleepers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
#[ignore = "a measurement; in the release profile"]
fn a_snapshot_beside_its_bare_system_calls() {
    const ROUND: u32 = 200;
    let sleepers = Sleepers::new(1);
    let id = sleepers.ids()[0];
    let proc = OwnedFd::from(File::open("/proc").unwrap());
    let (mut reader, mut unread, mut buffer) = (Reader::new().unwrap(), Unread::default(), vec![0; 8 << 10]);
    let (mut bare_times, mut times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..301 {
        let calls = timed(|| (0..ROUND).for_each(|_| bare(&proc, id.pid, &FILES, &mut buffer)));
        let all = timed(|| (0..ROUND).for_each(|_| drop(reader.read(id, &mut unread).unwrap())));
        ratios.push(all.as_secs_f64() / calls.as_secs_f64());
        bare_times.push(calls / ROUND);
        times.push(all / ROUND);
    }
    // What `cargo xtask bench` reads.
    let nanoseconds = |times: &[Duration]| times.iter().map(Duration::as_nanos).collect::<Vec<_>>();
    println!("rounds: {{\"bare\":{:?},\"snapshot\":{:?}}}", nanoseconds(&bare_times), nanoseconds(&times));
    ratios.sort_unstable_by(f64::total_cmp);
    let (calls, all, ratio) = (median(bare_times), median(times), ratios[ratios.len() / 2]);
    println!("bare system calls {calls:?}, a snapshot {all:?}: {ratio:.3} times (median of paired rounds)");
    assert!(ratio <= 1.25);
}

#[test]
#[ignore = "a measurement; in the release profile"]
fn a_round_of_a_thousand_processes() {
    let sleepers = Sleepers::new(1000);
    let ids = sleepers.ids();
    let mut sampler = Sampler::new().unwrap();
    let mut line = Vec::new();
    let mut round = |write: bool| {
        timed(|| {
            let take = |row| {
                if write {
                    line.clear();
                    serde_json::to_writer(&mut line, &SnapshotRow::new(&row)).unwrap();
                }
                Ok::<_, Infallible>(())
            };
            sampler.sample_tree(ids.iter().copied(), |_| false, Moment::now, take).unwrap();
        })
    };
    round(true);
    let proc = OwnedFd::from(File::open("/proc").unwrap());
    let mut buffer = vec![0; 8 << 10];
    let mut calls = || timed(|| ids.iter().for_each(|id| bare(&proc, id.pid, &FILES[..4], &mut buffer)));
    let [mut bare_times, mut rows, mut lines] = [const { Vec::new() }; 3];
    for _ in 0..51 {
        bare_times.push(calls());
        rows.push(round(false));
        lines.push(round(true));
    }
    let (calls, rows, lines) = (median(bare_times), median(rows), median(lines));
    println!(
        "1,000 processes asleep: bare system calls {calls:?}, rows {rows:?}, rows and their lines {lines:?}"
    );
    assert!(lines < Duration::from_millis(20), "at 1 Hz, this is the share of one core");
}
