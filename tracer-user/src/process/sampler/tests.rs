use std::convert::Infallible;
use std::fs::{self, File};
use std::path::Path;

use jiff::Timestamp;
use rustix::fd::OwnedFd;

use super::{Moment, Sampler, percent};
use crate::process::identity::{Identity, Ticks};
use crate::process::proc::dir::Counting;
use crate::process::proc::reader::Reader;
use crate::process::snapshot::Snapshot;

/// A `/proc` of the test's own, of processes that have the two files without which there is no row.
struct Made(tempfile::TempDir);

impl Made {
    fn new() -> Self {
        Self(crate::scratch())
    }

    fn process(&self, pid: u32, start: u64, cpu: u64) -> Identity {
        let dir = self.0.path().join(pid.to_string());
        fs::create_dir_all(&dir).unwrap();
        // After the parent come nine fields, user and system time, five fields, and the start.
        let line = format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 {cpu} 0 0 0 20 0 1 0 {start} 0 0\n");
        fs::write(dir.join("stat"), line).unwrap();
        fs::write(dir.join("status"), "VmRSS:\t 5 kB\n").unwrap();
        Identity { pid, start: Ticks(start) }
    }

    fn ends(&self, id: Identity) {
        fs::remove_dir_all(self.0.path().join(id.pid.to_string())).unwrap();
    }

    fn sampler(&self) -> Sampler {
        Sampler::with(reader(self.0.path()))
    }
}

fn reader(root: &Path) -> Reader {
    Reader::on(OwnedFd::from(File::open(root).unwrap()), Counting::ByEntry, |_| Ok(1024))
}

fn second(second: i64) -> Moment {
    let boot_ns = u64::try_from(second).unwrap() * 1_000_000_000;
    Moment { calendar: Timestamp::from_second(second).unwrap(), boot_ns }
}

fn sample(sampler: &mut Sampler, members: &[Identity], now: Moment) -> Vec<Snapshot> {
    let mut rows = Vec::new();
    let take = |row| {
        rows.push(row);
        Ok::<_, Infallible>(())
    };
    sampler.sample_tree(members.iter().copied(), |id| id.pid == 10, || now, take).unwrap();
    rows
}

#[test]
fn the_first_row_of_a_process_has_no_cpu_percent_and_the_next_has() {
    let proc = Made::new();
    let mut sampler = proc.sampler();
    let id = proc.process(10, 5, 100);
    assert_eq!(sample(&mut sampler, &[id], second(1))[0].cpu_percent, None);
    proc.process(10, 5, 150);
    assert_eq!(sample(&mut sampler, &[id], second(2))[0].cpu_percent, Some(50.0));
    proc.process(10, 5, 150);
    assert_eq!(sample(&mut sampler, &[id], second(4))[0].cpu_percent, Some(0.0));
}

#[test]
fn a_process_with_a_reused_pid_does_not_inherit_cpu_time() {
    let proc = Made::new();
    let mut sampler = proc.sampler();
    let first = proc.process(10, 5, 100);
    sample(&mut sampler, &[first], second(1));
    let next = proc.process(10, 6, 300);
    let rows = sample(&mut sampler, &[first, next], second(2));
    assert_eq!(rows.iter().map(|row| (row.id, row.cpu_percent)).collect::<Vec<_>>(), [(next, None)]);
}

#[test]
fn time_that_stands_or_cpu_time_that_shrinks_gives_no_percent() {
    assert_eq!(
        (percent(5, 0), percent(0, 1_000_000_000), percent(300, 1_000_000_000)),
        (None, Some(0.0), Some(300.0))
    );
    let proc = Made::new();
    let mut sampler = proc.sampler();
    let id = proc.process(10, 5, 100);
    sample(&mut sampler, &[id], second(1));
    proc.process(10, 5, 99);
    assert_eq!(sample(&mut sampler, &[id], second(2))[0].cpu_percent, None);
}

#[test]
fn who_is_gone_is_forgotten() {
    let proc = Made::new();
    let mut sampler = proc.sampler();
    let ids = [proc.process(10, 5, 1), proc.process(11, 5, 1), proc.process(12, 5, 1)];
    sample(&mut sampler, &ids, second(1));
    assert_eq!(sampler.before.len(), 3);
    proc.ends(ids[1]);
    assert_eq!(sample(&mut sampler, &ids, second(2)).len(), 2);
    assert_eq!(sampler.before.len(), 2);
    assert_eq!(sample(&mut sampler, &[], second(3)), []);
    assert_eq!((sampler.before.len(), sampler.rows()), (0, 5));
}

#[test]
fn rows_of_one_round_share_its_number_and_no_time() {
    let proc = Made::new();
    let mut sampler = proc.sampler();
    let ids = [proc.process(10, 5, 1), proc.process(11, 5, 1)];
    let first = sample(&mut sampler, &ids, second(1));
    assert_eq!(
        first.iter().map(|row| (row.sweep, row.is_target)).collect::<Vec<_>>(),
        [(1, true), (1, false)]
    );
    assert!(first[0].captured_at < first[1].captured_at);
    let alone = sampler.sample_one(ids[0], true, second(1)).unwrap();
    assert!(alone.captured_at > first[1].captured_at && alone.sweep == 2);
    assert_eq!(sampler.before.len(), 2, "one process alone does not make the others forgotten");
}

#[test]
fn what_is_missing_is_counted_over_all_rows() {
    let proc = Made::new();
    let mut sampler = proc.sampler();
    let id = proc.process(10, 5, 1);
    for at in 1..=3 {
        sample(&mut sampler, &[id], second(at));
    }
    let rows = sampler.unread().rows();
    assert!(rows.iter().any(|row| row.reason.contains("kernel does not") && row.count == 3), "{rows:?}");
}

#[test]
fn an_error_of_the_taker_ends_the_round() {
    let proc = Made::new();
    let mut sampler = proc.sampler();
    let ids = [proc.process(10, 5, 1), proc.process(11, 5, 1)];
    let result = sampler.sample_tree(ids, |_| false, || second(1), |_| Err("full"));
    assert_eq!((result, sampler.rows()), (Err("full"), 1));
}
