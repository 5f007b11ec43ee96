//! Trees whose members are hard to reach: by session, by process group, by parent, or at all.

use std::io::{PipeWriter, Read, Write, pipe};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, getppid, kill_process, setsid, waitpid};

use crate::environment::note;
use crate::{names, observe, signals, stubborn, sys};

/// How long those who fork go on if nobody ends them.
const LIFE: Duration = Duration::from_secs(20);

/// `clan [CASE…]`: brings up one of each kind, writes `ready`, and goes on as the case, or waits.
pub(crate) fn clan(args: &[String]) -> i32 {
    let (mut ready, tell) = pipe().unwrap();
    let stopped = sys::fork(|| {
        kill_process(getpid(), Signal::STOP).unwrap();
        signals::wait_for_ever()
    });
    waitpid(Pid::from_raw(stopped), WaitOptions::UNTRACED).unwrap();
    note("stopped", stopped.cast_unsigned(), -1);
    sys::fork(|| {
        setsid().unwrap();
        member("left", &tell)
    });
    observe::wait(sys::fork(|| {
        setsid().unwrap();
        sys::fork(|| member("daemon", &tell));
        0
    }));
    sys::fork(|| {
        // SAFETY: prctl(2) with an integer.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }, 0);
        observe::wait(sys::fork(|| {
            sys::fork(|| member("adopted", &tell));
            0
        }));
        member("subreaper", &tell)
    });
    ready.read_exact(&mut [0; 4]).unwrap();
    println!("ready");
    if args.is_empty() { signals::wait_for_ever() } else { crate::run(args) }
}

fn member(what: &str, mut tell: &PipeWriter) -> i32 {
    note(what, std::process::id(), -1);
    tell.write_all(b"!").unwrap();
    signals::wait_for_ever()
}

/// `bomb WIDTH`: so many relays that fork for ever and ignore SIGTERM, and so does this process, which writes `ready`.
pub(crate) fn bomb(args: &[String]) -> i32 {
    let width: usize = args[0].parse().unwrap();
    // SAFETY: SIG_IGN is a valid disposition, inherited by all that follow.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    let (mut ready, mut tell) = pipe().unwrap();
    for _ in 0..width {
        sys::fork(|| {
            names::set_comm(b"relay");
            stubborn::hand_on(&mut tell, Instant::now() + LIFE)
        });
    }
    ready.read_exact(&mut vec![0; width]).unwrap();
    println!("ready");
    signals::wait_for_ever()
}

/// `deaf`: ignores SIGTERM, says so by `ready`, and waits.
pub(crate) fn deaf(_args: &[String]) -> i32 {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    println!("ready");
    signals::wait_for_ever()
}

/// `orphans [KIND]`: one child that outlives this process, which ends with 3 as soon as it is there. It waits; or ignores SIGTERM
/// and waits (`deaf`); or ends with 5 when nobody writes to its stdin any more, and its parent was waited for (`brief`).
pub(crate) fn orphans(args: &[String]) -> i32 {
    let kind = args.first().map_or("", String::as_str);
    let (mut ready, mut tell) = pipe().unwrap();
    let parent = std::process::id();
    let child = sys::fork(|| {
        if kind == "deaf" {
            // SAFETY: SIG_IGN is a valid disposition.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
        }
        tell.write_all(b"!").unwrap();
        if kind != "brief" {
            return signals::wait_for_ever();
        }
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
        while std::path::Path::new(&format!("/proc/{parent}")).exists() {
            std::thread::yield_now();
        }
        5
    });
    note("orphan", child.cast_unsigned(), -1);
    ready.read_exact(&mut [0]).unwrap();
    3
}

/// `orders COUNT [CASE…]`: sends its parent, tracer, SIGTERM so many times, each when the one before was passed on to it; it blocks
/// them itself. Then it goes on as the case, or waits.
pub(crate) fn orders(args: &[String]) -> i32 {
    let count: usize = args[0].parse().unwrap();
    sys::block(libc::SIGTERM);
    for order in 0..count {
        if order > 0 {
            sys::await_blocked(libc::SIGTERM);
        }
        kill_process(getppid().unwrap(), Signal::TERM).unwrap();
    }
    if args.len() == 1 { signals::wait_for_ever() } else { crate::run(&args[1..]) }
}
