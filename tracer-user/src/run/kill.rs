//! Signals for a whole tree: whatever session, process group or parent its members have now.
//!
//! Each is reached through a pidfd, and its identity is checked after that is open: a pid that was given to somebody
//! else meanwhile gets no signal.
//!
//! Members that fork while they are killed would win a race, so first all are stopped, round by round, until a round
//! finds nobody new; then all are killed. One that was forked at that very moment is found by the next step. Who is in
//! the tree is asked of the kernel side itself: events come later, and might be lost.

use std::collections::HashSet;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::spawn::Child;
use crate::kernel::load::Programs;
use crate::process::identity::Identity;
use crate::process::stat::Stat;

/// After so many rounds of one step others have their turn: the command's end, events, timers.
const ROUNDS: usize = 64;

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The process has it.
    Yes {
        /// It stood still at that moment.
        stopped: bool,
    },
    /// There is no such process any more, so it needs none.
    Gone,
    /// tracer may not send it.
    Refused(Errno),
}

/// Sends a signal to exactly this process.
#[must_use]
pub fn send(id: Identity, signal: Signal) -> Sent {
    let Some(pid) = Pid::from_raw(id.pid.cast_signed()) else { return Sent::Gone };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH | Errno::INVAL) => return Sent::Gone,
        Err(error) => return Sent::Refused(error),
    };
    let stat = match Stat::look(id.pid) {
        Ok(Some(stat)) if stat.identity() == id => stat,
        Ok(_) => return Sent::Gone,
        Err(error) => return Sent::Refused(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
    };
    sent(pidfd_send_signal(&pidfd, signal), stat.is_stopped())
}

fn sent(result: Result<(), Errno>, stopped: bool) -> Sent {
    match result {
        Ok(()) => Sent::Yes { stopped },
        Err(Errno::SRCH) => Sent::Gone,
        Err(error) => Sent::Refused(error),
    }
}

/// The same, where `command` is the command if it has not ended: it is reached through the descriptor that tracer has of it
/// from the start, whatever a new one may fail for.
fn reach(id: Identity, command: Option<&Child>, signal: Signal) -> Sent {
    match command.filter(|child| child.pid.as_raw_nonzero().get() == id.pid.cast_signed()) {
        Some(child) => {
            let stopped = Stat::read(id.pid).is_some_and(|stat| stat.is_stopped());
            sent(child.send(signal), stopped)
        }
        None => send(id, signal),
    }
}

/// Whether it lives, whatever state it is in. Who can't be looked at is not known to be gone.
pub(super) fn is_there(id: Identity) -> bool {
    match Stat::look(id.pid) {
        Ok(stat) => stat.is_some_and(|stat| stat.identity() == id && !stat.is_over()),
        Err(_) => true,
    }
}

/// Asks everybody in the tree to end, parents before children: a shell must not take its child's death for a reason to go
/// on. Who stands still can't hear it, and is let go on. `command`: the command, if it has not ended.
pub(super) fn terminate(programs: &Programs, command: Option<&Child>) {
    let mut members: Vec<(Identity, u16)> = programs.members().collect();
    members.sort_unstable_by_key(|(id, depth)| (*depth, id.start, id.pid));
    members.dedup();
    let (mut stopped, mut refused) = (Vec::new(), Refused::default());
    for (id, _) in members {
        match reach(id, command, Signal::TERM) {
            Sent::Yes { stopped: true } => stopped.push(id),
            sent => refused.note(id, sent),
        }
    }
    for id in stopped {
        refused.note(id, reach(id, command, Signal::CONT));
    }
}

/// A tree that is being killed.
#[derive(Default)]
pub(super) struct Killing {
    /// Who needs nothing more: a signal that could not be sent is sent again at the next step.
    reached: HashSet<Identity>,
    refused: Refused,
}

impl Killing {
    /// Stops and then kills all who are new. To be called again as long as somebody is there.
    pub(super) fn step(&mut self, programs: &Programs, command: Option<&Child>) {
        let mut stopped = Vec::new();
        for _ in 0..ROUNDS {
            let before = stopped.len();
            for (id, _) in programs.members() {
                if !self.reached.contains(&id) && self.signal(id, command, Signal::STOP) {
                    self.reached.insert(id);
                    stopped.push(id);
                }
            }
            if stopped.len() == before {
                break;
            }
        }
        for id in stopped {
            if !self.signal(id, command, Signal::KILL) {
                self.reached.remove(&id);
            }
        }
    }

    /// Whether the signal was sent.
    fn signal(&mut self, id: Identity, command: Option<&Child>, signal: Signal) -> bool {
        let sent = reach(id, command, signal);
        self.refused.note(id, sent);
        matches!(sent, Sent::Yes { .. })
    }
}

/// Whom tracer may not signal; told once.
#[derive(Default)]
struct Refused {
    told: bool,
}

impl Refused {
    fn note(&mut self, id: Identity, sent: Sent) {
        if let Sent::Refused(error) = sent
            && !std::mem::replace(&mut self.told, true)
        {
            let advice = if error == Errno::PERM {
                "run tracer as root to end what has another user"
            } else {
                "tracer tries again"
            };
            log::warn!("process {} can't be ended ({error}); {advice}", id.pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use rustix::process::Signal;

    use super::{Sent, is_there, send};
    use crate::process::identity::{Identity, Ticks};
    use crate::process::stat::Stat;

    fn sleeper() -> (Child, Identity) {
        let child = Command::new("sleep").arg("30").stdin(Stdio::null()).spawn().unwrap();
        let id = Stat::read(child.id()).unwrap().identity();
        (child, id)
    }

    #[test]
    fn a_process_of_another_identity_gets_no_signal() {
        let (mut child, id) = sleeper();
        let other = Identity { start: Ticks(id.start.0 - 1), ..id };
        assert_eq!((send(other, Signal::KILL), is_there(other)), (Sent::Gone, false));
        assert!(is_there(id), "it lives on");
        assert_eq!(send(id, Signal::KILL), Sent::Yes { stopped: false });
        child.wait().unwrap();
        assert_eq!((send(id, Signal::KILL), is_there(id)), (Sent::Gone, false));
    }

    #[test]
    fn who_has_ended_is_not_there_though_nobody_has_waited_for_it() {
        let (mut child, id) = sleeper();
        child.kill().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), ended).unwrap();
        assert!(!is_there(id));
        child.wait().unwrap();
    }
}
