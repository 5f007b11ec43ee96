//! A command with a terminal of its own is a job of a shell all the same: Ctrl-Z stops it, and `fg` goes on with it.
//!
//! It leads the session of that terminal, and the kernel lets nobody stop by SIGTSTP, SIGTTIN or SIGTTOU in a process group
//! whose parents are all in other sessions (`is_current_pgrp_orphaned`, kernel/exit.c). So tracer does what would have been
//! done: whoever in the command's group has the default action is stopped by SIGSTOP, and a command that has a handler, or
//! ignores it, decides for itself. One that blocks it (as a shell does between fork and exec) is asked again a little later. The jobs of a shell inside have their parent in their session, and stop without tracer.
//!
//! When the command has stopped, by that or by itself, tracer puts its own terminal back and stops too, as the shell that
//! waits for it would expect; and what lets tracer go on lets the command go on.

use std::fs::{self, File};

use rustix::process::{Pid, Signal, getpgid, getpgrp, kill_current_process_group};
use rustix::termios::tcgetpgrp;

use super::job::is_stopped;
use super::kill::send;
use super::signals::{Number, stop_by};
use super::spawn::Child;
use super::streams::Streams;
use crate::kernel::load::Programs;
use crate::process::identity::Identity;
use crate::process::proc::status::Status;

/// A wish that the job stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// By which signal.
    pub(super) signal: Number,
    /// It was typed, and tracer alone has heard of it: not the rest of its job, such as the other end of a pipe.
    pub(super) is_typed: bool,
}

/// The command as a job.
#[derive(Debug, Default)]
pub(super) struct Apart {
    /// Why the command was stopped by tracer.
    ask: Option<Ask>,
    /// What the command blocks at the moment.
    blocked: Option<Ask>,
    /// Who was stopped together with it.
    others: Vec<Identity>,
}

impl Apart {
    /// Stops the command and its process group, as far as they take the signal's default action.
    pub(super) fn suspend(&mut self, child: &Child, programs: &Programs, ask: Ask) {
        match action(child.pid, ask.signal) {
            Action::Own => return,
            Action::Blocked { .. } => {
                self.blocked = Some(ask);
                return;
            }
            Action::Stop => {}
        }
        let group = child.group();
        let members = programs.members().map(|(id, _)| id);
        let others = members.filter(|id| {
            Pid::from_raw(id.pid.cast_signed()).is_some_and(|pid| {
                pid != child.pid
                    && getpgid(Some(pid)).ok() == group
                    && !matches!(action(pid, ask.signal), Action::Own)
            })
        });
        for id in others {
            // Who is gone needs none, and of the command's group the command's user may stop everybody.
            let _ = send(id, Signal::STOP);
            self.others.push(id);
        }
        self.ask = Some(ask);
        child.signal(libc::SIGSTOP);
    }

    /// After a while: whether the command still blocks what it blocked.
    pub(super) fn look_again(&mut self, child: &Child, programs: &Programs) {
        let Some(ask) = self.blocked.take() else { return };
        match action(child.pid, ask.signal) {
            Action::Blocked { waits: true } => self.blocked = Some(ask),
            // It has taken the signal in another way (sigwait(3)), or has a handler by now.
            Action::Blocked { waits: false } | Action::Own => {}
            Action::Stop => self.suspend(child, programs, ask),
        }
    }

    /// After SIGCHLD, and after SIGCONT (`continued`): see [`super::job::attend`], which does this for a job that shares its
    /// terminal with tracer. True: tracer stood still meanwhile.
    pub(super) fn attend(&mut self, child: &Child, streams: &mut Streams, mut continued: bool) -> bool {
        let mut stood_still = false;
        loop {
            let is_stopped = is_stopped(child);
            match child.stopped_by() {
                Some(signal) if self.ask.is_some() || is_in_foreground() => {
                    let ask = self.ask.take().unwrap_or(Ask { signal, is_typed: false });
                    streams.let_go();
                    stop_job(ask);
                    streams.resumed();
                    (continued, stood_still) = (true, true);
                }
                None if continued && is_stopped => {
                    child.signal(libc::SIGCONT);
                    for id in self.others.drain(..) {
                        let _ = send(id, Signal::CONT);
                    }
                    return stood_still;
                }
                _ => return stood_still,
            }
        }
    }
}

/// Stops tracer, and where nobody else has told the rest of its job, that too.
fn stop_job(ask: Ask) {
    if let Some(signal) = Signal::from_named_raw(ask.signal).filter(|_| ask.is_typed) {
        // tracer's own waits, since it is blocked, and is replaced by the one that follows.
        let _ = kill_current_process_group(signal);
    }
    stop_by(ask.signal);
}

/// Whether a shell waits for tracer.
fn is_in_foreground() -> bool {
    let terminal = File::open("/dev/tty").ok();
    terminal.and_then(|terminal| tcgetpgrp(terminal).ok()) == Some(getpgrp())
}

/// What a process does at a signal that stops jobs.
enum Action {
    /// It would stop, were it not for its session.
    Stop,
    /// It has a handler, or ignores it; or can't be asked.
    Own,
    /// Nothing for the time being. The signal `waits` until it does.
    Blocked { waits: bool },
}

fn action(pid: Pid, signal: Number) -> Action {
    let Ok(file) = fs::read(format!("/proc/{pid}/status")) else { return Action::Own };
    let status = Status::parse(&file);
    let is_in = |set: Option<u64>| set.is_none_or(|set| set & 1 << (signal - 1) != 0);
    if is_in(status.ignored) || is_in(status.caught) {
        Action::Own
    } else if is_in(status.blocked) {
        Action::Blocked { waits: is_in(status.pending()) }
    } else {
        Action::Stop
    }
}
