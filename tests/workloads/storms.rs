//! As many processes, and ends of them, as two processors make, for so many seconds; each worker counts what it did.
//!
//! `storm KIND SECONDS WORKERS`: so many workers at once, each of which does KIND again and again. Then it notes `made`:
//! how many children the kernel gave it, each of which somebody waited for; and `signals`: how many of its own arrived.

use std::ffi::c_void;
use std::io::{Read, Write, pipe};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::environment::{me, note};
use crate::{observe, signals, sys};

/// Children that are released, or left unreaped, together.
const MANY: i64 = 500;
/// Signals of a flood.
const FLOOD: i64 = 20_000;
/// Threads of a child that has some.
const THREADS: usize = 4;

/// What a worker does again and again: how many children it made, and signals it sent.
type Turn = fn() -> (i64, i64);

const KINDS: [(&str, Turn); 10] = [
    ("fork", || each(sys::fork(|| 5))),
    ("vfork", || each(vforked(libc::SIGCHLD))),
    ("exec", || each(sys::spawn(&me(), &[b"workload", b"noop"]))),
    ("clone", threaded),
    ("clone-parent", adopted),
    ("burst", || gathered(MANY)),
    ("zombies", zombies),
    ("kill", killed),
    ("handled", handled),
    ("flood", flooded),
];

/// `storm KIND SECONDS WORKERS`
pub(crate) fn storm(args: &[String]) -> i32 {
    let (_, turn) = KINDS.iter().find(|(name, _)| *name == args[0]).expect("a known storm");
    let [seconds, workers] = [&args[1], &args[2]].map(|number| number.parse::<u32>().unwrap());
    sys::live_on(seconds);
    let before = forks_of_the_host();
    let workers: Vec<i32> = (0..workers).map(|_| sys::fork(|| work(*turn, seconds))).collect();
    let adopted = reap_all(&workers);
    note("adopted", std::process::id(), adopted);
    note("kernel", std::process::id(), forks_of_the_host() - before);
    0
}

/// `burst COUNT`: so many children live at the same time, and end by one event.
pub(crate) fn burst(args: &[String]) -> i32 {
    let (made, _) = gathered(args[0].parse().unwrap());
    note("made", std::process::id(), made);
    0
}

fn work(turn: Turn, seconds: u32) -> i32 {
    sys::live_on(seconds);
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let (mut made, mut sent) = (0, 0);
    while Instant::now() < end {
        let (children, signals) = turn();
        made += children;
        sent += signals;
    }
    note("made", std::process::id(), made);
    note("signals", std::process::id(), sent);
    0
}

/// Waits for the workers and for whoever is left to this process. Returns how many the latter were.
fn reap_all(workers: &[i32]) -> i64 {
    let mut adopted = 0;
    while let Some((pid, status)) = observe::wait_any() {
        if workers.contains(&pid) {
            assert_eq!(status, 0, "a worker failed");
        } else {
            adopted += 1;
        }
    }
    adopted
}

/// Forks of the whole host since its boot, threads counted in (`processes` of proc_stat(5)).
fn forks_of_the_host() -> i64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    stat.lines().find_map(|line| line.strip_prefix("processes ")).unwrap().parse().unwrap()
}

/// One child, which is waited for.
fn each(pid: i32) -> (i64, i64) {
    observe::wait(pid);
    (1, 0)
}

extern "C" fn ends_at_once(_: *mut c_void) -> i32 {
    sys::exit_group(6)
}

/// A child with threads, which end in whatever order they like.
fn threaded() -> (i64, i64) {
    let threads = || {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| ());
            }
        });
        7
    };
    each(sys::fork(threads))
}

/// A child that its maker's parent waits for. vfork makes the maker wait until it has ended.
fn adopted() -> (i64, i64) {
    vforked(libc::CLONE_PARENT | libc::SIGCHLD);
    (1, 0)
}

/// A child that borrows its maker's memory until it has ended, and so may always have the same stack.
fn vforked(flags: i32) -> i32 {
    static STACK: OnceLock<sys::Stack> = OnceLock::new();
    let stack = STACK.get_or_init(sys::Stack::new);
    sys::clone_on(stack, libc::CLONE_VM | libc::CLONE_VFORK | flags, ends_at_once)
}

/// Children that live at the same time, and end by one event: a pipe that all of them read is closed.
fn gathered(count: i64) -> (i64, i64) {
    let (gate, keeper) = pipe().unwrap();
    let (mut ready, arrived) = pipe().unwrap();
    let mut keeper = Some(keeper);
    let child = |keeper: &mut Option<_>| {
        drop(keeper.take());
        (&arrived).write_all(b"!").unwrap();
        (&gate).read_to_end(&mut Vec::new()).unwrap();
        8
    };
    let pids: Vec<i32> = (0..count).map(|_| sys::fork(|| child(&mut keeper))).collect();
    pids.iter().for_each(|_| ready.read_exact(&mut [0]).unwrap());
    drop(keeper);
    wait_for_all(pids)
}

fn wait_for_all(pids: Vec<i32>) -> (i64, i64) {
    let waited = pids.into_iter().map(observe::wait).count();
    (i64::try_from(waited).unwrap(), 0)
}

/// Children that have ended, all unreaped, until the last has.
fn zombies() -> (i64, i64) {
    let pids: Vec<i32> = (0..MANY).map(|_| sys::fork(|| 4)).collect();
    let last = pids.last().and_then(|pid| Pid::from_raw(*pid)).unwrap();
    waitid(WaitId::Pid(last), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    wait_for_all(pids)
}

/// A child that waits until a signal kills it.
fn killed() -> (i64, i64) {
    let pid = sys::fork(signals::wait_for_ever);
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    observe::wait(pid);
    (1, 1)
}

/// A child that handles many signals, each of which it has answered before the next is sent.
fn handled() -> (i64, i64) {
    let (mut answer, answering) = pipe().unwrap();
    let (mut gate, keeper) = pipe().unwrap();
    let mut keeper = Some(keeper);
    let child = sys::fork(|| {
        drop(keeper.take());
        signals::answer_each(Signal::TERM, &answering);
        gate.read_to_end(&mut Vec::new()).unwrap();
        0
    });
    drop(answering);
    // The first answer says that the handler is there.
    answer.read_exact(&mut [0]).unwrap();
    for _ in 0..MANY {
        kill_process(Pid::from_raw(child).unwrap(), Signal::TERM).unwrap();
        answer.read_exact(&mut [0]).unwrap();
    }
    drop(keeper);
    observe::wait(child);
    (1, MANY)
}

/// A child that sends itself signals and counts those that it handles, as fast as it can: each arrives before kill(2) returns.
fn flooded() -> (i64, i64) {
    let child = sys::fork(|| {
        let arrived = signals::count_each(Signal::TERM);
        let me = Pid::from_raw(std::process::id().cast_signed()).unwrap();
        (0..FLOOD).for_each(|_| kill_process(me, Signal::TERM).unwrap());
        i32::from(arrived.load(Ordering::Relaxed) != FLOOD)
    });
    assert_eq!(observe::wait(child), 0, "a signal did not arrive");
    (1, FLOOD)
}
