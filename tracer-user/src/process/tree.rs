//! The process tree: a pure fold over events in kernel order.
//!
//! It holds the living only. Whoever ends is handed out, whole, so a build of a million processes needs no more memory
//! than those that live at once. Every event names parent, depth and start time, so a lost fork heals itself: the
//! next event of that process puts it in its place. A lost exit heals when the pid comes back as somebody else; what
//! is left at the end is settled with `/proc` (see [`super::settle`]).

use std::collections::HashMap;

use bytes::Bytes;

use super::identity::Identity;
use super::member::{End, Image, Member, SignalSeen};
use crate::kernel::event::{Args, Event, Exec, Signal, What};

/// The living, and a few figures of all.
#[derive(Debug, Default)]
pub struct Tree {
    /// Boxed: a table is half empty, and its members are large.
    living: HashMap<u32, Box<Member>>,
    root: Option<Identity>,
    processes: u64,
    max_depth: u16,
}

/// What an event brought about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The process that ended by this event.
    pub ended: Option<Member>,
    /// A process whose end had been lost: its pid is somebody else's now.
    pub settled: Option<Member>,
}

impl Tree {
    /// Who is the root, once its fork was seen.
    #[must_use]
    pub fn root(&self) -> Option<Identity> {
        self.root
    }

    /// Processes so far.
    #[must_use]
    pub fn processes(&self) -> u64 {
        self.processes
    }

    /// The deepest generation so far; the root's is 0.
    #[must_use]
    pub fn max_depth(&self) -> u16 {
        self.max_depth
    }

    /// Those who live, as far as is known.
    pub fn living(&self) -> impl Iterator<Item = &Member> {
        self.living.values().map(Box::as_ref)
    }

    /// The same, to take note of what no event tells.
    pub fn living_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.living.values_mut().map(Box::as_mut)
    }

    /// Hands out those who live, at the end of a session; the figures of all stay.
    pub fn drain(&mut self) -> Vec<Member> {
        self.living.drain().map(|(_, member)| *member).collect()
    }

    /// The living process with this id.
    #[must_use]
    pub fn get(&self, id: Identity) -> Option<&Member> {
        self.living.get(&id.pid).map(Box::as_ref).filter(|member| member.id == id)
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) -> Change {
        let settled = self.make_room(event);
        let member = self.living.entry(event.process.pid).or_insert_with(|| {
            self.processes += 1;
            self.max_depth = self.max_depth.max(event.depth);
            if event.depth == 0 {
                self.root.get_or_insert(event.process);
            }
            Box::new(Member::new(event.process, event.parent, event.depth))
        });
        member.named(event.comm);
        match &event.what {
            What::Fork(fork) => {
                member.started_ns = Some(event.ktime_ns);
                member.uid = Some(fork.uid);
                member.namespace = fork.namespace;
            }
            What::Exec(exec) => exec_of(member, exec),
            What::Exit(exit) => {
                member.ended_ns = Some(event.ktime_ns);
                member.cgroup_id = exit.cgroup_id.or(member.cgroup_id);
                member.end = Some(Box::new(End { status: exit.status, totals: Some(exit.totals) }));
                let ended = self.living.remove(&event.process.pid).map(|member| *member);
                return Change { ended, settled };
            }
            What::Signal(signal) => signal_to(member, signal, event.ktime_ns),
            What::Oom => member.oom_ns = Some(event.ktime_ns),
            What::Rename { .. } => {}
        }
        Change { ended: None, settled }
    }

    /// If another process lives under the event's pid, its end was lost: the kernel gave the pid away.
    fn make_room(&mut self, event: &Event) -> Option<Member> {
        let pid = event.process.pid;
        if self.living.get(&pid).is_none_or(|member| member.id == event.process) {
            return None;
        }
        let mut gone = *self.living.remove(&pid)?;
        gone.end_lost = true;
        gone.ended_ns = Some(event.ktime_ns);
        Some(gone)
    }
}

fn exec_of(member: &mut Member, exec: &Exec) {
    member.uid = Some(exec.uid);
    member.cgroup_id = exec.cgroup_id.or(member.cgroup_id);
    member.namespace = exec.namespace.or(member.namespace);
    // Copies: what lives on must not keep a whole batch of records in memory.
    member.image = Some(Box::new(Image {
        filename: Bytes::copy_from_slice(&exec.filename),
        interp: exec.interp.as_ref().map(|interp| Bytes::copy_from_slice(interp)),
        args: Args { bytes: Bytes::copy_from_slice(&exec.args.bytes), ..exec.args },
        cwd: exec.cwd,
    }));
}

fn signal_to(member: &mut Member, signal: &Signal, at_ns: u64) {
    member.signals.retain(|seen| seen.signal != signal.signal);
    member.signals.push(SignalSeen { signal: signal.signal, at_ns, sender: signal.sender.clone() });
}

#[cfg(test)]
mod tests;
