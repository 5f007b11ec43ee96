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
    let Some(stat) = Stat::read(id.pid).filter(|stat| stat.identity() == id) else { return Sent::Gone };
    match pidfd_send_signal(&pidfd, signal) {
        Ok(()) => Sent::Yes { stopped: stat.state == b'T' },
        Err(Errno::SRCH) => Sent::Gone,
        Err(error) => Sent::Refused(error),
    }
}

/// Whether it lives, whatever state it is in.
pub(super) fn is_there(id: Identity) -> bool {
    Stat::read(id.pid).is_some_and(|stat| stat.identity() == id && !stat.is_over())
}

/// Asks everybody in the tree to end, parents before children: a shell must not take its child's death for a reason to go
/// on. Who stands still can't hear it, and is let go on.
pub(super) fn terminate(programs: &Programs) {
    let mut members: Vec<(Identity, u16)> = programs.members().collect();
    members.sort_unstable_by_key(|(id, depth)| (*depth, id.start, id.pid));
    members.dedup();
    let (mut stopped, mut refused) = (Vec::new(), Refused::default());
    for (id, _) in members {
        match send(id, Signal::TERM) {
            Sent::Yes { stopped: true } => stopped.push(id),
            sent => refused.note(id, sent),
        }
    }
    for id in stopped {
        refused.note(id, send(id, Signal::CONT));
    }
}

/// A tree that is being killed.
#[derive(Default)]
pub(super) struct Killing {
    known: HashSet<Identity>,
    refused: Refused,
}

impl Killing {
    /// Stops and then kills all who are new. To be called again as long as somebody is there.
    pub(super) fn step(&mut self, programs: &Programs) {
        let mut stopped = Vec::new();
        for _ in 0..ROUNDS {
            let members = programs.members().map(|(id, _)| id);
            let new: Vec<Identity> = members.filter(|id| self.known.insert(*id)).collect();
            if new.is_empty() {
                break;
            }
            for id in &new {
                self.refused.note(*id, send(*id, Signal::STOP));
            }
            stopped.extend(new);
        }
        for id in stopped {
            self.refused.note(id, send(id, Signal::KILL));
        }
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
            log::warn!(
                "process {} can't be ended ({error}); run tracer as root to end what has another user",
                id.pid
            );
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
