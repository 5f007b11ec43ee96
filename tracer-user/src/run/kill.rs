//! Ends a whole tree: whatever session, process group or parent its members have now.
//!
//! Members that fork while they are killed would win a race, so first all are stopped, round by round, until a round
//! finds nobody new; then all are killed. Each is reached through a pidfd, and its identity is checked after that is
//! open: a pid that was given to somebody else meanwhile gets no signal.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::listener::Listener;
use crate::process::identity::Identity;
use crate::process::stat::Stat;
use crate::session::recording::Recording;

/// How long to wait for the last member's end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends everybody in the tree. What is left afterwards is named in the session, as orphans.
pub(super) fn kill_tree(listener: &mut Listener, recording: &mut Recording) {
    let mut stopped = HashSet::new();
    while stop_new(listener, recording, &mut stopped) {}
    for id in &stopped {
        send(*id, Signal::KILL);
    }
    let begun = Instant::now();
    loop {
        listener.read(recording);
        if living(recording).iter().all(|id| !is_there(*id)) || begun.elapsed() > PATIENCE {
            return;
        }
        for id in living(recording) {
            send(id, Signal::KILL);
        }
        std::thread::yield_now();
    }
}

/// Stops those who are new. False: nobody was.
fn stop_new(listener: &mut Listener, recording: &mut Recording, stopped: &mut HashSet<Identity>) -> bool {
    listener.read(recording);
    let new: Vec<Identity> = living(recording).into_iter().filter(|id| !stopped.contains(id)).collect();
    for id in &new {
        send(*id, Signal::STOP);
    }
    stopped.extend(&new);
    !new.is_empty()
}

fn living(recording: &Recording) -> Vec<Identity> {
    recording.tree.living().map(|member| member.id).collect()
}

/// Whether it lives, whatever state it is in.
pub(super) fn is_there(id: Identity) -> bool {
    Stat::read(id.pid).is_some_and(|stat| stat.identity() == id && !stat.is_over())
}

/// Sends a signal to exactly this process. One that is gone needs none.
fn send(id: Identity, signal: Signal) {
    let Some(pid) = Pid::from_raw(id.pid.cast_signed()) else { return };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if Stat::read(id.pid).is_some_and(|stat| stat.identity() == id) {
        // It may have ended by now, which is what was wanted.
        let _ = pidfd_send_signal(&pidfd, signal);
    }
}
