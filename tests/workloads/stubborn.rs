//! A family that is hard to end: one who left the session, one who stands still, and those who fork for ever.

use std::io::{Read, Write, pipe};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, setsid, waitpid};

use tests::machine::slowed;

use crate::environment::note;
use crate::{names, signals, sys};

/// How long those who fork go on if nobody ends them.
const LIFE: Duration = Duration::from_secs(20);

/// After so many generations they can be said to fork for ever.
const UNDER_WAY: u64 = 20;

/// `stubborn [CASE…]`: brings up the family, each of which ignores SIGTERM; then goes on as the case, or waits.
pub(crate) fn stubborn(args: &[String]) -> i32 {
    // SAFETY: SIG_IGN is a valid disposition, inherited by all that follow.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    let (mut ready, mut tell) = pipe().unwrap();
    let gone = sys::fork(|| {
        setsid().unwrap();
        tell.write_all(b"!").unwrap();
        signals::wait_for_ever()
    });
    let still = sys::fork(|| {
        kill_process(getpid(), Signal::STOP).unwrap();
        signals::wait_for_ever()
    });
    waitpid(Pid::from_raw(still), WaitOptions::UNTRACED).unwrap();
    let relay = sys::fork(|| {
        names::set_comm(b"relay");
        hand_on(&mut tell, Instant::now() + slowed(LIFE))
    });
    ready.read_exact(&mut [0; 2]).unwrap();
    for (what, pid) in [("left", gone), ("stopped", still), ("relay", relay)] {
        note(what, pid.cast_unsigned(), -1);
    }
    if args.is_empty() { signals::wait_for_ever() } else { crate::run(args) }
}

/// A child takes over from its parent, again and again: whoever is killed has been replaced already.
pub(crate) fn hand_on(tell: &mut impl Write, until: Instant) -> i32 {
    for generation in 0.. {
        if Instant::now() > until {
            break;
        }
        if generation == UNDER_WAY {
            tell.write_all(b"!").unwrap();
        }
        // SAFETY: one thread, and the child goes on with this same loop.
        let child = unsafe { libc::fork() };
        if child != 0 {
            return 0;
        }
        sys::limit_life();
    }
    0
}
