//! One process, one trouble, for long enough that somebody who looks every 20 ms sees it several times.

use std::ffi::c_void;
use std::fs::{self, File};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getppid, kill_process, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::{bystander, names, observe, sys};

/// How long a trouble lasts, in milliseconds.
const WHILE: i32 = 500;

/// Leaves things as they are for a while.
pub(crate) fn hold() {
    pause(WHILE);
}

fn pause(milliseconds: i32) {
    // SAFETY: poll(2) of no descriptors reads nothing and waits.
    unsafe { libc::poll(std::ptr::null_mut(), 0, milliseconds) };
}

/// No trouble at all.
pub(crate) fn quiet(_args: &[String]) -> i32 {
    hold();
    0
}

/// A child ends, and its parent takes its time to wait for it.
pub(crate) fn zombie_maker(_args: &[String]) -> i32 {
    let pid = sys::fork(|| 0);
    hold();
    observe::reap(pid);
    0
}

/// Holds 60 descriptors, or some more, of 64.
pub(crate) fn hoarder(_args: &[String]) -> i32 {
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    let hoard: Vec<File> = (3..60).map(|_| File::open("/dev/null").unwrap()).collect();
    hold();
    drop(hoard);
    0
}

/// Keeps a processor busy until it has used 1.5 s of it.
pub(crate) fn spinner(_args: &[String]) -> i32 {
    let used = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    while used() < Duration::from_millis(1500) {
        std::hint::spin_loop();
    }
    0
}

/// `leaker MIB`: so much memory, a MiB every few milliseconds, never given back.
pub(crate) fn leaker(args: &[String]) -> i32 {
    let mib: usize = args[0].parse().unwrap();
    for _ in 0..mib {
        take(1);
        pause(5);
    }
    hold();
    0
}

/// `taker MIB`: so much memory at once, after a while. It is at once for tracer, the parent, which stands still meanwhile:
/// on a busy host such an amount takes seconds.
pub(crate) fn taker(args: &[String]) -> i32 {
    let tracer = getppid().unwrap();
    hold();
    bystander::stop(tracer);
    take(args[0].parse().unwrap());
    kill_process(tracer, Signal::CONT).unwrap();
    hold();
    0
}

fn take(mib: usize) {
    std::hint::black_box(Vec::leak(vec![1_u8; mib << 20]));
}

/// After a while offers itself to the OOM killer: its score rises, its memory does not.
pub(crate) fn martyr(_args: &[String]) -> i32 {
    hold();
    fs::write("/proc/self/oom_score_adj", "500").unwrap();
    hold();
    0
}

/// Sleeps where no signal but a fatal one wakes it: a vfork whose child neither execs nor ends for a while.
pub(crate) fn sleeper(_args: &[String]) -> i32 {
    extern "C" fn child(_: *mut c_void) -> i32 {
        hold();
        sys::exit_group(0)
    }
    let pid = sys::clone(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, child);
    observe::reap(pid);
    0
}

/// Takes one name after the other, as fast as it can, for a while.
pub(crate) fn renamer(_args: &[String]) -> i32 {
    let end = Instant::now() + Duration::from_millis(WHILE.unsigned_abs().into());
    for index in (0..20).cycle().take_while(|_| Instant::now() < end) {
        names::set_comm(format!("name {index}").as_bytes());
        pause(1);
    }
    0
}
