//! The search for the target, and what depends on it: snapshots, and the memory limits that are watched.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Follower;
use crate::kernel::events::boot_ns;
use crate::process::cgroup::Watch;
use crate::process::target::unresolved::After;
use crate::process::target::{TraceTarget, Unresolved};
use crate::run::ending::Input;
use crate::run::plan::OnUnresolved;
use crate::run::urgency::Urgency;
use crate::session::recording::Recording;

/// The search for the target.
pub(super) struct Search {
    state: State,
    /// When it is over.
    up: Option<Instant>,
    /// Held while it is on.
    urgency: Option<Urgency>,
    /// The memory limits of the target, or of the root as long as there is none.
    limits: Option<Watch>,
}

enum State {
    On,
    Found(TraceTarget),
    Over(Unresolved),
}

impl Search {
    /// Begins. `None`: it lasts as long as the command.
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        let up = timeout.and_then(|time| Instant::now().checked_add(time));
        Self { state: State::On, up, urgency: Urgency::take(), limits: None }
    }

    /// Watches the root's limits, where those of a target are not watched yet.
    pub(super) fn begin_limits(&mut self, recording: &Recording) {
        if self.limits.is_none() {
            self.limits = recording.tree.root().and_then(Watch::begin);
        }
    }

    /// Waits until its time is up; for ever, if it is over or has none.
    pub(super) async fn is_up(&self) {
        match (&self.state, self.up) {
            (State::On, Some(up)) => sleep_until(up).await,
            _ => std::future::pending().await,
        }
    }
}

impl Follower<'_> {
    /// Whether it has been found; and whether a limit was hit.
    pub(super) fn look_for_the_target(&mut self) {
        if let (State::On, Some(target)) = (&self.search.state, self.recording.target()) {
            self.found(target.clone());
            self.search_is_over();
        }
        self.look_at_limits();
    }

    /// The first snapshot comes before everything else.
    fn found(&mut self, target: TraceTarget) {
        let id = target.identity();
        self.search.state = State::Found(target);
        self.sample();
        if self.search.limits.as_ref().is_none_or(|watch| watch.identity() != id) {
            self.search.limits = Watch::begin(id);
        }
    }

    /// As soon as the OOM killer chose it: its cgroup may be removed as soon as it is gone.
    fn look_at_limits(&mut self) {
        let recording = &mut self.recording;
        if let Some(watch) = self.search.limits.take_if(|watch| recording.is_oom_victim(watch.identity()))
            && let Some(hit) = watch.limit_hit()
        {
            recording.limit_hit(watch.identity(), hit);
        }
    }

    /// One round of snapshots, once there is a target.
    pub(super) fn sample(&mut self) {
        if let State::Found(target) = &self.search.state {
            self.sampling.round(target, &mut self.recording);
        }
    }

    /// Nobody waits for the next exec any more.
    fn search_is_over(&mut self) {
        self.search.urgency = None;
        if let Err(error) = self.programs.wake_at_each_exec(false) {
            log::warn!("{error}; tracer wakes more often than it needs to");
        }
    }

    /// It lasted as long as it may.
    pub(super) fn time_is_up(&mut self) {
        self.give_up(After::TimedOut);
    }

    /// The root has ended. One that could not be run had no workload to find.
    pub(super) fn nothing_was_found(&mut self) {
        if self.child.not_run().is_none() {
            self.give_up(After::RootEnded);
        }
    }

    /// The search is over. Without a target the tree is ended, or only its lineage recorded.
    fn give_up(&mut self, after: After) {
        if !matches!(self.search.state, State::On) {
            return;
        }
        let found = self.recording.give_up(after, boot_ns());
        self.search_is_over();
        match found {
            Ok(target) => self.found(target),
            Err(unresolved) => {
                // What ends for another reason already needs none for the want of a target.
                let aborts = self.plan.on_unresolved == OnUnresolved::Abort && self.ending.why().is_none();
                if !aborts {
                    log::warn!("{unresolved}; only lineage is recorded");
                }
                self.search.state = State::Over(unresolved);
                if aborts {
                    self.happened(Input::Unresolved);
                }
            }
        }
    }

    /// Why there is no target.
    pub(in crate::run) fn unresolved(&self) -> Option<&Unresolved> {
        match &self.search.state {
            State::Over(unresolved) => Some(unresolved),
            _ => None,
        }
    }
}
