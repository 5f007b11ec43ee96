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
const OF_TERMINALS: [Number; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Stops tracer, if the command has stopped. Returns once the job goes on.
pub(super) fn stop_with(child: &Child) {
    let Some(signal) = child.stopped_by() else { return };
    let terminal = File::open("/dev/tty").ok();
    let group = getpgid(Some(child.pid)).ok();
    let foreground = terminal.as_ref().and_then(|terminal| tcgetpgrp(terminal).ok());
    let has_terminal = group.is_some() && group == foreground;
    if !OF_TERMINALS.contains(&signal) && !has_terminal {
        return;
    }
    stop_by(signal);
    if let (Some(terminal), Some(group), true) = (&terminal, group, has_terminal) {
        give_terminal_to(group, terminal);
    }
    go_on(child);
}

/// Lets the command go on, if it is stopped: it may be in another process group than tracer.
pub(super) fn go_on(child: &Child) {
    let pid = child.pid.as_raw_nonzero().get().cast_unsigned();
    if Stat::read(pid).is_some_and(|stat| stat.is_stopped()) {
        child.signal(libc::SIGCONT);
    }
}

/// A shell gives the terminal to tracer's group. The command had it in another one, as a shell within a shell has.
fn give_terminal_to(group: Pid, terminal: &File) {
    let own = getpgrp();
    if group != own && tcgetpgrp(terminal).is_ok_and(|foreground| foreground == own) {
        // Refused, the command stops again as soon as it reads.
        let _ = tcsetpgrp(terminal, group);
    }
}
