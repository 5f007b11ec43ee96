//! A process of which everything that a snapshot holds is known beforehand.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::id;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, waitid};

use crate::environment::note;
use crate::{observe, signals, sys, trace};

/// Descriptors beside those that it was started with.
const OPEN: usize = 20;
/// Threads beside the main one.
const THREADS: usize = 4;
const OOM_SCORE_ADJ: &str = "500";
const WRITTEN: usize = 256 << 10;

/// A child takes up a posture, notes it, and stands still until it was sampled four times.
pub(crate) fn posture(_args: &[String]) -> i32 {
    let (mut ready, mut tell) = std::io::pipe().unwrap();
    let child = sys::fork(|| {
        take_up();
        tell.write_all(b"!").unwrap();
        signals::wait_for_ever()
    });
    note("posing", child.cast_unsigned(), -1);
    ready.read_exact(&mut [0]).unwrap();
    trace::await_more_rows(child.cast_unsigned(), 4);
    kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    observe::wait(child)
}

/// SIGUSR1 is blocked and waits, SIGUSR2 has a handler, files are open, threads stand by, and a quarter of a megabyte was written.
fn take_up() {
    extern "C" fn handler(_signal: i32) {}
    // SAFETY: the handler does nothing, so it is safe at any point.
    unsafe { libc::signal(libc::SIGUSR2, handler as *const () as libc::sighandler_t) };
    sys::block(libc::SIGUSR1);
    kill_process(getpid(), Signal::USR1).unwrap();
    fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ).unwrap();
    Vec::leak((0..OPEN).map(|_| File::open("/dev/null").unwrap()).collect::<Vec<File>>());
    for _ in 0..THREADS {
        std::thread::spawn(signals::wait_for_ever);
    }
    let mut file = File::create("written").unwrap();
    file.write_all(&[1; WRITTEN]).unwrap();
    file.sync_all().unwrap();
    drop(file);
    // The directory itself is open while it is counted.
    let open = fs::read_dir("/proc/self/fd").unwrap().count() - 1;
    let io = fs::read_to_string("/proc/self/io").unwrap();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    for (what, value) in [
        ("fd_count", i64::try_from(open).unwrap()),
        ("threads", 1 + i64::try_from(THREADS).unwrap()),
        ("oom_score_adj", OOM_SCORE_ADJ.parse().unwrap()),
        ("write_bytes", written.parse().unwrap()),
    ] {
        note(what, id(), value);
    }
}

/// `zombie CASE…`: a child ends, nobody waits for it, and life goes on as the case.
pub(crate) fn zombie(args: &[String]) -> i32 {
    let child = sys::fork(|| 0);
    let ended = WaitId::Pid(Pid::from_raw(child).unwrap());
    waitid(ended, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    note("zombie", child.cast_unsigned(), -1);
    crate::run(args)
}

/// `holders KIB…`: a child for each holds so much memory, all at once, until each was sampled twice since then.
pub(crate) fn holders(args: &[String]) -> i32 {
    let (mut ready, mut tell) = std::io::pipe().unwrap();
    let holders: Vec<i32> = args
        .iter()
        .map(|kib| {
            sys::fork(|| {
                let memory = vec![1_u8; kib.parse::<usize>().unwrap() << 10];
                std::hint::black_box(&memory);
                tell.write_all(b"!").unwrap();
                signals::wait_for_ever()
            })
        })
        .collect();
    for _ in &holders {
        ready.read_exact(&mut [0]).unwrap();
    }
    for holder in &holders {
        trace::await_more_rows(holder.cast_unsigned(), 2);
    }
    for holder in holders {
        kill_process(Pid::from_raw(holder).unwrap(), Signal::KILL).unwrap();
        observe::wait(holder);
    }
    0
}
