//! What a line of the spool costs: serialised and written, each in a write of its own. `cargo xtask bench spool` runs this, in
//! the release profile, with a tmpfs in `COST_TMPFS`; without that it is some directory of the build's.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::{of_all_threads, timed};
use crate::kernel::event::{Args, Comm, Event, Exec, Exit, Fork, Status, Totals, What};
use crate::process::identity::{Identity, Ticks};
use crate::process::snapshot::Values;
use crate::record::log_place::LogPlace;
use crate::record::older::Older;
use crate::record::scratch::Scratch;
use crate::record::spool::Spool;
use crate::record::trace_file::Room;
use crate::record::way;
use crate::session::clock::Clock;
use crate::session::event_row::EventRow;
use crate::session::snapshot_row::{SnapshotRow, made};

const ROOT: Identity = Identity { pid: 10, start: Ticks(5) };
/// Lives of processes in a round; each has four lines.
const LIVES: u32 = 1000;
const LINES: u32 = LIVES * 4;
const ROUNDS: usize = 51;

/// What a compiler's process gives: fork, exec with arguments, exit, and a snapshot.
fn life() -> [Event; 3] {
    let event = |what| Event {
        ktime_ns: 1_234_567_890_123,
        process: Identity { pid: 123_456, start: Ticks(1_234_567) },
        parent: ROOT,
        depth: 3,
        comm: Comm::cut(b"cc1plus"),
        what,
    };
    let argv = b"/usr/lib/gcc/cc1plus\0-quiet\0-O2\0-o\0build/object/file.o\0source/file.cc\0";
    let args = Args {
        bytes: Bytes::from_static(argv),
        total: argv.len() as u64,
        truncated: false,
        unreadable: false,
    };
    [
        event(What::Fork(Fork { uid: 1000, namespace: None, parent_tid: 10, untracked: false })),
        event(What::Exec(Box::new(Exec {
            filename: Bytes::from_static(b"/usr/lib/gcc/cc1plus"),
            filename_truncated: false,
            interp: None,
            args,
            old_tid: 123_456,
            uid: 1000,
            euid: None,
            namespace: None,
            cgroup_id: Some(4242),
            cwd: None,
        }))),
        event(What::Exit(Box::new(Exit {
            status: Status(0),
            tid: 123_456,
            totals: Totals {
                max_rss_kb: Some(81_234),
                utime_us: 654_321,
                stime_us: 54_321,
                ..Totals::default()
            },
            totals_partial: false,
            cgroup_id: Some(4242),
        }))),
    ]
}

struct Lines {
    life: [Event; 3],
    snapshot: crate::process::snapshot::Snapshot,
    clock: Clock,
    cwd: Bytes,
}

impl Lines {
    fn new() -> Self {
        let values =
            Values { vm_rss_kb: Some(81_234), threads: Some(7), oom_score: Some(667), ..Values::default() };
        let snapshot = crate::process::snapshot::Snapshot { values, ..made(123_456, "cc1plus") };
        let clock = Clock::new(Timestamp::UNIX_EPOCH, 0);
        Self { life: life(), snapshot, clock, cwd: Bytes::from_static(b"/home/somebody/project") }
    }

    /// Hands each line of many lives to `take`.
    fn each(&self, mut take: impl FnMut(&Self, Option<&Event>)) {
        for _ in 0..LIVES {
            self.life.iter().for_each(|event| take(self, Some(event)));
            take(self, None);
        }
    }

    fn push(&self, event: Option<&Event>, spool: &mut Spool) {
        match event {
            Some(event) => {
                let cwd = matches!(event.what, What::Exec(_)).then_some(&self.cwd);
                spool.push(&EventRow { event, clock: self.clock, cwd, redact: false }).unwrap();
            }
            None => spool.push(&SnapshotRow::new(&self.snapshot)).unwrap(),
        }
    }
}

/// Nanoseconds a line, of each round.
#[derive(Default, Serialize)]
struct Cost {
    name: &'static str,
    /// Of the thread that records.
    own: Vec<u128>,
    /// Of all threads.
    all: Vec<u128>,
}

#[test]
#[ignore = "a measurement; in the release profile"]
fn a_line_of_the_spool() {
    let disk = crate::scratch();
    let tmpfs = std::env::var_os("COST_TMPFS").map_or_else(|| disk.path().to_owned(), PathBuf::from);
    let place = LogPlace::made(disk.path()).unwrap();
    let lines = Lines::new();
    let kinds =
        [("memory", None), ("trace file", Some(1 << 40)), ("trace file and log directory", Some(256 << 10))];
    let mut spools = kinds.map(|(name, limit)| {
        let mut spool = Spool::in_memory(Scratch::new(Some(place.clone())));
        if let Some(limit) = limit {
            let older = Older { place: place.clone(), name: name.to_owned() };
            let room = Room { limit, older };
            let root = Identity { start: Ticks(limit), ..ROOT };
            spool.to_file(&way::existing(&tmpfs).unwrap(), root, room).unwrap();
        }
        (spool, Cost { name, ..Cost::default() })
    });
    for _ in 0..ROUNDS {
        for (spool, cost) in &mut spools {
            let mut own = Duration::ZERO;
            let push = || lines.each(|lines, event| lines.push(event, spool));
            let all = of_all_threads(|| own = timed(push));
            cost.own.push((own / LINES).as_nanos());
            cost.all.push((all / LINES).as_nanos());
        }
    }
    for (spool, cost) in spools {
        // What `cargo xtask bench` reads.
        println!("cost: {}", serde_json::to_string(&cost).unwrap());
        spool.remove().unwrap();
    }
}
