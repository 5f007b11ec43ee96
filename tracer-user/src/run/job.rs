//! tracer and the command as one job of a shell: when the command stops, tracer stops after it and by the same signal, so
//! the shell sees the job stop when the command is done with the terminal; and when the job goes on, both do.
//!
//! A terminal's own signals reach the command by themselves, and what it makes of them counts: who ignores Ctrl-Z is not
//! left behind by a wrapper that stopped. A command that is stopped by SIGSTOP stops tracer only where a shell waits for
//! it in the foreground: whoever stops it otherwise (a debugger, cpulimit) will continue it, and not tracer.

use std::fs::File;

use rustix::process::{Pid, getpgid, getpgrp};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::signals::{Number, stop_by};
use super::spawn::Child;
use crate::process::stat::Stat;

/// What a terminal, or somebody in its place, stops a job by.
pub(super) const OF_TERMINALS: [Number; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// After SIGCHLD, and after SIGCONT (`continued`): stops tracer if the command has stopped, and returns once the job goes on;
/// lets the command go on if tracer was told to and it still is where it was, maybe in another process group. True: tracer
/// stood still meanwhile.
pub(super) fn attend(child: &Child, mut continued: bool) -> bool {
    let mut stood_still = false;
    loop {
        // Looked at first: a command that stops after this look has a stop to tell of, and it is not the old one.
        let is_stopped = is_stopped(child);
        match child.stopped_by() {
            Some(signal) if stop_with(child, signal) => (continued, stood_still) = (true, true),
            None if continued && is_stopped => {
                child.signal(libc::SIGCONT);
                return stood_still;
            }
            _ => return stood_still,
        }
    }
}

/// Stops tracer by the signal that stopped the command. Returns once it goes on; false: it has no reason to stop.
fn stop_with(child: &Child, signal: Number) -> bool {
    let terminal = File::open("/dev/tty").ok();
    let group = getpgid(Some(child.pid)).ok();
    let foreground = terminal.as_ref().and_then(|terminal| tcgetpgrp(terminal).ok());
    let has_terminal = group.is_some() && group == foreground;
    if !OF_TERMINALS.contains(&signal) && !has_terminal {
        return false;
    }
    stop_by(signal);
    if let (Some(terminal), Some(group), true) = (&terminal, group, has_terminal) {
        give_terminal_to(group, terminal);
    }
    true
}

pub(super) fn is_stopped(child: &Child) -> bool {
    let pid = child.pid.as_raw_nonzero().get().cast_unsigned();
    Stat::read(pid).is_some_and(|stat| stat.is_stopped())
}

/// A shell gives the terminal to tracer's group. The command had it in another one, as a shell within a shell has.
fn give_terminal_to(group: Pid, terminal: &File) {
    let own = getpgrp();
    if group != own && tcgetpgrp(terminal).is_ok_and(|foreground| foreground == own) {
        // Refused, the command stops again as soon as it reads.
        let _ = tcsetpgrp(terminal, group);
    }
}
