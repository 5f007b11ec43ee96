//! Processes whose threads end in an unusual order.

use std::ffi::c_void;
use std::sync::Barrier;
use std::thread;

use rustix::process::{Signal, getpid, kill_process};

use crate::environment::{me, note};
use crate::{observe, signals, sys};

/// The leader ends first, as by `pthread_exit`; a thread ends the process later, with 7.
pub(crate) fn leader_first(_args: &[String]) -> i32 {
    thread::spawn(|| {
        sys::await_end();
        sys::exit_group(7)
    });
    sys::announce_end();
    sys::exit_thread(9)
}

/// The leader ends first with 9, and the last thread as plainly, with 5. `wait` reports the last thread's code on newer
/// kernels (`synchronize_group_exit` in kernel/exit.c), the leader's on older ones.
pub(crate) fn last_thread_exits(_args: &[String]) -> i32 {
    thread::spawn(|| {
        sys::await_end();
        sys::exit_thread(5)
    });
    sys::announce_end();
    sys::exit_thread(9)
}

/// A thread that is not the leader calls exec while others stand by. It notes its id, which it loses by that.
pub(crate) fn thread_execs(_args: &[String]) -> i32 {
    for _ in 0..3 {
        thread::spawn(signals::wait_for_ever);
    }
    let execs = thread::spawn(|| {
        note("tid", std::process::id(), rustix::thread::gettid().as_raw_nonzero().get());
        sys::exec(&me(), &[b"workload", b"show", b"from a thread"])
    });
    execs.join().unwrap()
}

/// A thread that is not the leader makes a child, which ends with 3, and notes its own id.
pub(crate) fn thread_forks(_args: &[String]) -> i32 {
    extern "C" fn child(_: *mut c_void) -> i32 {
        3
    }
    let forks = thread::spawn(|| {
        let child = sys::clone(libc::SIGCHLD, child);
        note("parent-tid", child.cast_unsigned(), rustix::thread::gettid().as_raw_nonzero().get());
        observe::reap(child);
    });
    forks.join().unwrap();
    0
}

/// A thread that is not the leader calls `exit_group` while the leader waits for it.
pub(crate) fn thread_exits_group(_args: &[String]) -> i32 {
    thread::spawn(|| sys::exit_group(6)).join().unwrap()
}

/// `thread-storm THREADS`: all threads end at once, each by its own exit; then the leader, with 8.
pub(crate) fn thread_storm(args: &[String]) -> i32 {
    let count = args[0].parse().unwrap();
    let gate = Barrier::new(count);
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| gate.wait());
        }
    });
    8
}

/// `threads-killed THREADS`: so many threads stand still when one more is the death of all, by SIGTERM.
pub(crate) fn threads_killed(args: &[String]) -> i32 {
    let count: usize = args[0].parse().unwrap();
    let gate = Barrier::new(count + 1);
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                gate.wait();
                signals::wait_for_ever()
            });
        }
        scope.spawn(|| {
            gate.wait();
            kill_process(getpid(), Signal::TERM).unwrap();
        });
    });
    1
}
