//! The command from its first event to its end: the one place that waits, and what it does when it wakes.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until};

use super::enrol::enrol;
use super::job;
use super::kill::{is_there, kill_tree};
use super::listener::Listener;
use super::passing::has_it;
use super::plan::{OnUnresolved, Plan};
use super::sampling::Sampling;
use super::signals::{Sent, Signals};
use super::spawn::Child;
use super::urgency::Urgency;
use crate::kernel::events::boot_ns;
use crate::kernel::load::Programs;
use crate::process::cgroup::Watch;
use crate::process::member::Member;
use crate::process::target::unresolved::After;
use crate::process::target::{TraceTarget, Unresolved};
use crate::record::enrollment::Enrolled;
use crate::session::recording::Recording;

/// How long events may wait in the rings when nobody asks for them.
const TICK: Duration = Duration::from_millis(250);
/// How long whoever was killed may take to end; who writes out much memory or waits for a disk takes longer.
const LAST_MOMENT: Duration = Duration::from_millis(500);
/// How often to look meanwhile: nothing in the rings wakes tracer for an end.
const GLANCE: Duration = Duration::from_millis(1);

/// A run under way.
pub(super) struct Follower<'a> {
    plan: &'a Plan,
    programs: &'a mut Programs,
    /// Events.
    pub(super) listener: Listener,
    /// What becomes the session.
    pub(super) recording: Recording,
    /// The sidecar, where there is one.
    pub(super) enrolled: Option<Enrolled>,
    boot_id: &'a str,
    sampling: Sampling,
    search: Search,
    /// Held while the search is on.
    urgency: Option<Urgency>,
    /// The memory limits of the target, or of the root as long as there is none.
    limits: Option<Watch>,
}

/// The search for the target.
enum Search {
    On,
    Found(TraceTarget),
    Over(Unresolved),
}

impl<'a> Follower<'a> {
    /// Begins right after the command was started.
    pub(super) fn new(
        plan: &'a Plan,
        programs: &'a mut Programs,
        recording: Recording,
        boot_id: &'a str,
    ) -> Self {
        let listener = Listener::new(programs);
        let sampling = Sampling::new(plan.rhythm.scope);
        Self {
            plan,
            programs,
            listener,
            recording,
            enrolled: None,
            boot_id,
            sampling,
            search: Search::On,
            urgency: Urgency::take(),
            limits: None,
        }
    }

    /// Follows the command until it has ended; it is not reaped yet.
    pub(super) async fn follow(&mut self, child: &Child, signals: &mut Signals) {
        self.catch_up();
        if self.limits.is_none() {
            self.limits = self.recording.tree.root().and_then(Watch::begin);
        }
        self.spool_to_file();
        let time_up = self.plan.resolve_timeout.and_then(|time| Instant::now().checked_add(time));
        let every = self.plan.rhythm.interval;
        let mut tick = interval(TICK);
        let mut round = interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        round.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let mut sample = false;
            tokio::select! {
                biased;
                () = child.ended() => break,
                sent = signals.next() => self.signalled(child, sent).await,
                () = self.listener.woken() => {}
                _ = round.tick() => sample = true,
                () = reached(time_up), if matches!(self.search, Search::On) => self.time_is_up(),
                _ = tick.tick() => {}
            }
            self.catch_up();
            if sample {
                self.sample();
            }
        }
        self.catch_up();
        self.sample();
        self.see_the_dying_out().await;
    }

    /// A signal to tracer is meant for the command.
    async fn signalled(&mut self, child: &Child, sent: Sent) {
        match sent.signal {
            libc::SIGCHLD => job::attend(child, false),
            libc::SIGCONT => job::attend(child, true),
            signal if !has_it(sent, &mut self.listener, &mut self.recording).await => child.signal(signal),
            _ => {}
        }
    }

    /// Who was killed together with the root, as by `timeout -s KILL`, ends a moment later than it: the session waits for that.
    async fn see_the_dying_out(&mut self) {
        let patience = Instant::now() + LAST_MOMENT;
        let is_dying = |member: &Member| member.is_dying() && is_there(member.id);
        while self.recording.tree.living().any(is_dying) && Instant::now() < patience {
            sleep_until((Instant::now() + GLANCE).min(patience)).await;
            self.catch_up();
        }
    }

    /// Reads what happened, and hands it on.
    fn catch_up(&mut self) {
        self.listener.read(&mut self.recording);
        let ended = self.recording.take_ended();
        self.sampling.ended(&ended);
        if let (Search::On, Some(target)) = (&self.search, self.recording.target()) {
            self.found(target.clone());
            self.search_is_over();
        }
        self.look_at_limits();
        self.programs.flush_diagnostics();
    }

    /// The first snapshot comes before everything else.
    fn found(&mut self, target: TraceTarget) {
        let id = target.identity();
        self.search = Search::Found(target);
        self.sample();
        if self.limits.as_ref().is_none_or(|watch| watch.identity() != id) {
            self.limits = Watch::begin(id);
        }
    }

    /// As soon as the OOM killer chose it: its cgroup may be removed as soon as it is gone.
    fn look_at_limits(&mut self) {
        let recording = &mut self.recording;
        if let Some(watch) = self.limits.take_if(|watch| recording.is_oom_victim(watch.identity()))
            && let Some(hit) = watch.limit_hit()
        {
            recording.limit_hit(watch.identity(), hit);
        }
    }

    /// One round of snapshots, once there is a target.
    fn sample(&mut self) {
        if let Search::Found(target) = &self.search {
            self.sampling.round(target, &mut self.recording);
        }
    }

    /// Nobody waits for the next exec any more.
    fn search_is_over(&mut self) {
        self.urgency = None;
        if let Err(error) = self.programs.wake_at_each_exec(false) {
            log::warn!("{error}; tracer wakes more often than it needs to");
        }
    }

    fn time_is_up(&mut self) {
        self.catch_up();
        self.give_up(After::TimedOut);
    }

    /// The search is over. Without a target the tree is ended, or only its lineage recorded.
    pub(super) fn give_up(&mut self, after: After) {
        if !matches!(self.search, Search::On) {
            return;
        }
        match self.recording.give_up(after, boot_ns()) {
            Ok(target) => self.found(target),
            Err(unresolved) => {
                self.search = Search::Over(unresolved.clone());
                if self.unresolved().is_some() {
                    kill_tree(&mut self.listener, &mut self.recording);
                } else {
                    log::warn!("{unresolved}; only lineage is recorded");
                }
            }
        }
        self.search_is_over();
    }

    /// Why there is no target, unless that was to be passed over.
    pub(super) fn unresolved(&self) -> Option<&Unresolved> {
        match &self.search {
            Search::Over(unresolved) if self.plan.on_unresolved == OnUnresolved::Abort => Some(unresolved),
            _ => None,
        }
    }

    /// Moves the lines to the runtime directory; without it they stay in memory, and the session is whole all the same.
    fn spool_to_file(&mut self) {
        match enrol(self.plan, &mut self.recording, self.boot_id) {
            Ok(enrolled) => self.enrolled = enrolled,
            Err(error) => log::warn!("{error}; the session is kept in memory until it ends"),
        }
    }
}

/// Waits until `time`; for ever, if there is none.
async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
