//! Deaths by signal, and a signal that is none.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use crate::environment::note;
use crate::{cores, names, observe, sys};

/// Writes through a null pointer: SIGSEGV from the kernel itself.
pub(crate) fn segv(_args: &[String]) -> i32 {
    no_core();
    fault()
}

/// The same, with core dumps allowed. Whether one is written is up to the host: `wait4` tells.
pub(crate) fn segv_with_core(_args: &[String]) -> i32 {
    cores::allow();
    fault()
}

fn fault() -> i32 {
    // SAFETY: none: to be killed for this write is what the case is for.
    unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };
    1
}

/// `raise SIGNAL`: sends itself a signal.
pub(crate) fn raise(args: &[String]) -> i32 {
    no_core();
    // SAFETY: raise(3) touches no memory of ours.
    unsafe { libc::raise(args[0].parse().unwrap()) };
    1
}

/// `assassin SIGNAL`: a process of that name kills its child, which only waits.
pub(crate) fn assassin(args: &[String]) -> i32 {
    let signal = args[0].parse().unwrap();
    let victim = sys::fork(wait_for_ever);
    names::set_comm(b"the assassin");
    note("assassin", std::process::id(), victim);
    // SAFETY: kill(2) touches no memory; the victim is our child and not reaped yet.
    unsafe { libc::kill(victim, signal) };
    observe::reap(victim);
    0
}

/// `murder SIGNAL UID`: as this user, a process called `the assassin` kills its child, once that is called `the victim`.
pub(crate) fn murder(args: &[String]) -> i32 {
    let (signal, uid) = (args[0].parse().unwrap(), args[1].parse().unwrap());
    // SAFETY: setuid(2) touches no memory, and this process has one thread.
    assert_eq!(unsafe { libc::setuid(uid) }, 0);
    let (mut told, mut teller) = std::io::pipe().unwrap();
    let victim = sys::fork(|| {
        no_core();
        names::set_comm(b"the victim");
        teller.write_all(b"!").unwrap();
        wait_for_ever()
    });
    told.read_exact(&mut [0]).unwrap();
    names::set_comm(b"the assassin");
    note("assassin", std::process::id(), victim);
    // SAFETY: kill(2) touches no memory; the victim is our child and not reaped yet.
    unsafe { libc::kill(victim, signal) };
    observe::reap(victim);
    0
}

/// `announce FILE`: writes its pid to the file, which may be a pipe, and waits for its end.
pub(crate) fn announce(args: &[String]) -> i32 {
    std::fs::write(&args[0], format!("{}\n", std::process::id())).unwrap();
    wait_for_ever()
}

/// Sends itself SIGALRM by a timer.
pub(crate) fn alarm(_args: &[String]) -> i32 {
    let soon = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    let once = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: soon };
    // SAFETY: reads a local; the old timer is not asked for.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const once, std::ptr::null_mut()) }, 0);
    wait_for_ever()
}

/// A child that blocks SIGTERM gets one from `innocent`, and then SIGKILL from `culprit`.
pub(crate) fn two_senders(_args: &[String]) -> i32 {
    let (told, teller) = std::io::pipe().unwrap();
    let victim = sys::fork(|| {
        sys::block(libc::SIGTERM);
        (&teller).write_all(b"!").unwrap();
        wait_for_ever()
    });
    (&told).read_exact(&mut [0]).unwrap();
    for (name, signal) in [(&b"innocent"[..], Signal::TERM), (b"culprit", Signal::KILL)] {
        let sender = sys::fork(|| {
            names::set_comm(name);
            kill_process(Pid::from_raw(victim).unwrap(), signal).unwrap();
            0
        });
        observe::reap(sender);
    }
    note("victim", victim.cast_unsigned(), -1);
    observe::reap(victim);
    0
}

/// Handles SIGTERM, gets one, and ends with 4.
pub(crate) fn handled(_args: &[String]) -> i32 {
    extern "C" fn handler(_signal: i32) {}
    // SAFETY: the handler does nothing, so it is safe at any point.
    unsafe { libc::signal(libc::SIGTERM, handler as *const () as libc::sighandler_t) };
    kill_process(Pid::from_raw(std::process::id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    4
}

/// Where [`answer_each`] writes.
static ANSWERS: AtomicI32 = AtomicI32::new(-1);

/// Writes a byte now, and one for each signal of this kind that arrives.
pub(crate) fn answer_each(signal: Signal, to: &impl AsRawFd) {
    extern "C" fn answer(_signal: i32) {
        // SAFETY: write(2) may be called in a handler; the byte is a constant's.
        let written = unsafe { libc::write(ANSWERS.load(Ordering::Relaxed), c"!".as_ptr().cast(), 1) };
        if written != 1 {
            sys::exit_group(1);
        }
    }
    ANSWERS.store(to.as_raw_fd(), Ordering::Relaxed);
    // SAFETY: the handler makes one system call and touches nothing but an atomic.
    unsafe { libc::signal(signal.as_raw(), answer as *const () as libc::sighandler_t) };
    answer(0);
}

/// Counts the signals of this kind that arrive.
pub(crate) fn count_each(signal: Signal) -> &'static AtomicI64 {
    static ARRIVED: AtomicI64 = AtomicI64::new(0);
    extern "C" fn count(_signal: i32) {
        ARRIVED.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler touches nothing but an atomic.
    unsafe { libc::signal(signal.as_raw(), count as *const () as libc::sighandler_t) };
    &ARRIVED
}

/// Waits until a signal ends it.
pub(crate) fn wait_for_ever() -> i32 {
    loop {
        // SAFETY: pause(2) only waits.
        unsafe { libc::pause() };
    }
}

fn no_core() {
    rustix::process::setrlimit(
        rustix::process::Resource::Core,
        rustix::process::Rlimit { current: Some(0), maximum: Some(0) },
    )
    .unwrap();
}
