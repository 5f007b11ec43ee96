//! Ties to other processes that survive exec but not fork, so that a parent in between would cut them.
//!
//! Whoever is to die with its caller (PR_SET_PDEATHSIG(2const), `setpriv --pdeathsig`) dies with tracer instead, which dies
//! with its caller. Whoever is to adopt orphans (PR_SET_CHILD_SUBREAPER(2const)) adopts its own.

use rustix::process::{
    Pid, Signal, child_subreaper, getpid, getppid, kill_process, parent_process_death_signal,
    set_child_subreaper, set_parent_process_death_signal,
};

/// What tracer was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ties {
    with_parent: Option<Signal>,
    adopts: bool,
    me: Pid,
}

impl Ties {
    /// Takes note.
    pub(super) fn note() -> Self {
        Self {
            with_parent: parent_process_death_signal().ok().flatten(),
            adopts: child_subreaper().is_ok_and(|set| set.is_some()),
            me: getpid(),
        }
    }

    /// In the child: ties it in the same way. System calls only.
    pub(super) fn tie(&self) {
        if self.adopts {
            // Never refused (kernel/sys.c).
            let _ = set_child_subreaper(Some(Pid::INIT));
        }
        if let Some(signal) = self.with_parent {
            // The number was read from the kernel, which takes it.
            let _ = set_parent_process_death_signal(Some(signal));
            if getppid().is_some_and(|parent| parent != self.me) {
                let _ = kill_process(getpid(), signal);
            }
        }
    }
}
