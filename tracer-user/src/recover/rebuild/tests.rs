use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::{Rebuilt, rebuild};
use crate::kernel::event::{Args, Comm, Event, Exec, Exit, Fork, Status, Totals, What};
use crate::kernel::loss::Loss;
use crate::process::identity::{Identity, Ticks};
use crate::process::snapshot::{Snapshot, Values};
use crate::process::target::unresolved::After;
use crate::process::target::{Resolver, Wanted};
use crate::record::enrollment::made;
use crate::record::log_place::LogPlace;
use crate::record::older::Older;
use crate::record::trace_file::{Room, TraceFile};
use crate::record::way;
use crate::session::anomaly::thresholds::Thresholds;
use crate::session::clock::Clock;
use crate::session::recording::Recording;
use crate::session::snapshot_row;

const ROOT: Identity = Identity { pid: 5_000_000, start: Ticks(5) };
const CHILD: Identity = Identity { pid: 5_000_001, start: Ticks(6) };

fn event(process: Identity, at: u64, comm: &str, what: What) -> Event {
    let (parent, depth) = if process == ROOT { (Identity { pid: 1, start: Ticks(0) }, 0) } else { (ROOT, 1) };
    Event { ktime_ns: at, process, parent, depth, comm: Comm::cut(comm.as_bytes()), what }
}

fn fork(process: Identity, at: u64) -> Event {
    let fork = Fork { uid: 0, namespace: None, parent_tid: 1, untracked: false };
    event(process, at, "sh", What::Fork(fork))
}

fn exec(process: Identity, at: u64, comm: &str, argv: &'static [u8]) -> Event {
    let exec = Exec {
        filename: Bytes::from(format!("/bin/{comm}")),
        filename_truncated: false,
        interp: None,
        args: Args { bytes: argv.into(), total: argv.len() as u64, truncated: false, unreadable: false },
        old_tid: process.pid,
        uid: 0,
        euid: None,
        namespace: None,
        cgroup_id: None,
        cwd: None,
    };
    event(process, at, comm, What::Exec(Box::new(exec)))
}

fn exit(process: Identity, at: u64, comm: &str, status: u32) -> Event {
    let totals = Totals { utime_us: 7, ..Totals::default() };
    let exit =
        Exit { status: Status(status), tid: process.pid, totals, totals_partial: false, cgroup_id: None };
    event(process, at, comm, What::Exit(Box::new(exit)))
}

fn recording() -> Recording {
    let resolver = Resolver::new(Wanted::BehindWrappers, Arc::from("this boot"));
    Recording::new(Clock::booted_at(0), resolver, Thresholds::default(), false, None)
}

fn processes(recording: &mut Recording) -> String {
    let mut text = Vec::new();
    recording.lines.copy_processes(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// What was recorded, and what its lines give.
fn both(events: &[Event], snapshots: &[Snapshot]) -> (Recording, Rebuilt) {
    let dir = crate::scratch();
    let mut recording = recording();
    events.iter().for_each(|event| recording.take(event));
    let target = recording.target().cloned();
    for row in snapshots {
        recording.snapshot(target.as_ref().unwrap(), row);
    }
    let place = LogPlace::made(dir.path()).unwrap();
    let older = Older { place, name: "older".to_owned() };
    let room = Room { limit: 1 << 20, older };
    recording.lines.events.to_file(&way::existing(dir.path()).unwrap(), ROOT, room).unwrap();
    let file = std::fs::File::open(dir.path().join("tracer_trace_5000000_5.jsonl")).unwrap();
    let enrollment = made(ROOT.pid, ROOT.start.0);
    let file = TraceFile::left(file, None).unwrap();
    let rebuilt = rebuild(&enrollment, Some(file), (Timestamp::UNIX_EPOCH, 9_000), None).unwrap();
    let _ = recording.give_up(After::RootEnded, 9_000);
    recording.settle(9_000, None, &Loss { gaps: 1, ..Loss::default() });
    recording.conclude(&Loss::default(), 9_000);
    (recording, rebuilt)
}

#[test]
fn rows_go_through_the_same_fold_and_give_the_same_session() {
    let events = [
        fork(ROOT, 1_000),
        exec(ROOT, 2_000, "sh", b"sh\0-c\0make all; true\0"),
        fork(CHILD, 3_000),
        exec(CHILD, 4_000, "make", b"make\0all\0"),
        exit(CHILD, 6_000, "make", 0x300),
    ];
    let row = Snapshot {
        captured_at: Timestamp::from_nanosecond(5_000).unwrap(),
        is_target: true,
        values: Values { vm_rss_kb: Some(77), ..Values::default() },
        ..snapshot_row::made(CHILD.pid, "make")
    };
    let (mut before, mut after) = both(&events, &[row]);
    assert_eq!((after.damaged, after.last_ns), (0, 6_000));
    assert_eq!(processes(&mut after.recording), processes(&mut before));
    let (mut lines, mut again) = (Vec::new(), Vec::new());
    before.lines.copy_events(&mut lines).unwrap();
    after.recording.lines.copy_events(&mut again).unwrap();
    assert_eq!(again, lines);
    let told = after.recording.parts().1;
    assert_eq!(told.target.unwrap().identity(), CHILD);
    assert_eq!((told.peaks.snapshot_count(), told.peaks.peak_rss_kb()), (1, Some(77)));
    assert_eq!((told.figures.cpu_us, told.figures.root.as_ref().unwrap().end_lost), (Some(7), true));
}

#[test]
fn who_ended_is_not_held_until_the_last_row() {
    let events = [fork(ROOT, 1_000), fork(CHILD, 3_000), exit(CHILD, 6_000, "make", 0)];
    let (mut before, mut after) = both(&events, &[]);
    assert_eq!(before.take_ended(), [CHILD]);
    assert_eq!(after.recording.take_ended(), [], "nobody asks a recovery");
}

#[test]
fn a_shell_that_ran_nothing_is_the_target_of_a_crash_too() {
    let events = [fork(ROOT, 1_000), exec(ROOT, 2_000, "sh", b"sh\0-c\0while :; do :; done\0")];
    let (_, mut after) = both(&events, &[]);
    assert_eq!(after.recording.parts().1.target.unwrap().identity(), ROOT);
}

#[test]
fn the_path_of_a_working_directory_comes_back() {
    let mut recording = recording();
    recording.take(&fork(ROOT, 1));
    let path = Bytes::from_static(b"/some/where");
    recording.replay(exec(ROOT, 2, "x", b"x\0"), Some(path.clone()));
    recording.replay(exec(ROOT, 3, "y", b"y\0"), Some(path));
    recording.settle(9, None, &Loss { gaps: 1, ..Loss::default() });
    let row: serde_json::Value = serde_json::from_str(&processes(&mut recording)).unwrap();
    assert_eq!(row["cwd"], "/some/where");
}
