//! The command from its first event to its end: the one place that waits, and what it does when it wakes.
//!
//! `search`: the target, and what depends on it. `race`: what is done as the race of endings says.

mod race;
mod search;

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until};

use super::apart::Apart;
use super::ending::{Ending, Input, Orphans, Timer, Why};
use super::enrol::enrol;
use super::gone::Gone;
use super::kill::Killing;
use super::listener::Listener;
use super::live::Live;
use super::plan::Plan;
use super::sampling::Sampling;
use super::signals::{Number, Sent, Signals};
use super::spawn::{Child, Ended};
use super::streams::Streams;
use super::timers::Timers;
use super::upkeep::Upkeep;
use super::urgency::Urgency;
use crate::kernel::load::Programs;
use crate::record::enrollment::Enrolled;
use crate::record::log_place::LogPlace;
use crate::session::recording::Recording;
use search::Search;

/// How long events may wait in the rings when nobody asks for them.
const TICK: Duration = Duration::from_millis(250);
/// How long whoever was killed may take to end; who writes out much memory or waits for a disk takes longer.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// A run under way.
pub(super) struct Follower<'a> {
    plan: &'a Plan,
    log_place: &'a LogPlace,
    programs: &'a mut Programs,
    child: &'a Child,
    /// Events.
    pub(super) listener: Listener,
    /// What becomes the session.
    pub(super) recording: Recording,
    /// The sidecar, where there is one.
    pub(super) enrolled: Option<Enrolled>,
    upkeep: Upkeep,
    boot_id: &'a str,
    sampling: Sampling,
    search: Search,
    streams: Streams,
    /// The command as a job of a shell, where it has a terminal of its own.
    apart: Apart,
    ending: Ending,
    /// When the first ending came, nanoseconds since boot.
    since_ns: u64,
    timers: Timers,
    killing: Killing,
    /// Held while the tree is ended: where those who fork take every processor, tracer would have its turn too late.
    urgency: Option<Urgency>,
    gone: Gone,
    ended: Option<Ended>,
    /// The command was sent this signal by itself, so it is not passed on.
    has_already: Option<Number>,
    /// The last signal that both were sent: when the command was, and which.
    told_of: Option<(u64, Number)>,
    /// The status line, where there is one.
    live: Option<Live>,
}

/// What woke tracer.
enum Woken {
    Ended,
    Signal(Sent),
    Up(Timer),
    Round,
    SearchIsUp,
    Output,
    Tick,
    Other,
}

/// How it ended.
pub(super) struct Followed {
    /// What `wait` said of the command.
    pub(super) ended: Ended,
    /// Which ending came first.
    pub(super) why: Why,
    /// When, nanoseconds since boot.
    pub(super) since_ns: u64,
}

impl<'a> Follower<'a> {
    /// Begins right after the command was started.
    pub(super) fn new(
        plan: &'a Plan,
        log_place: &'a LogPlace,
        programs: &'a mut Programs,
        recording: Recording,
        boot_id: &'a str,
        child: &'a Child,
        streams: Streams,
    ) -> Self {
        let listener = Listener::new(programs);
        Self {
            plan,
            log_place,
            programs,
            child,
            listener,
            recording,
            enrolled: None,
            upkeep: Upkeep::default(),
            boot_id,
            sampling: Sampling::new(plan.rhythm.scope),
            search: Search::new(plan.resolve_timeout),
            streams,
            apart: Apart::default(),
            ending: Ending::new(plan.limits.policy()),
            since_ns: 0,
            timers: Timers::default(),
            killing: Killing::default(),
            urgency: None,
            gone: Gone::default(),
            ended: None,
            has_already: None,
            told_of: None,
            live: plan.live.then(Live::begin).flatten(),
        }
    }

    /// Follows the command until it is over.
    pub(super) async fn follow(&mut self, signals: &mut Signals) -> Followed {
        self.start_timer(Timer::Timeout);
        self.start_timer(Timer::Idle);
        self.catch_up();
        self.search.begin_limits(&self.recording);
        self.spool_to_file();
        let every = self.plan.rhythm.interval;
        let mut tick = interval(TICK);
        let mut round = interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        round.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !self.ending.is_over() {
            // What seldom happens comes first, so that what happens all the time can't keep it from its turn.
            let woken = tokio::select! {
                biased;
                () = self.child.ended(), if self.ended.is_none() => Woken::Ended,
                timer = self.timers.up() => Woken::Up(timer),
                () = self.search.is_up() => Woken::SearchIsUp,
                signal = signals.next() => Woken::Signal(signal),
                woken = async {
                    tokio::select! {
                        () = self.listener.woken() => Woken::Other,
                        () = self.gone.one_ended() => Woken::Other,
                        _ = round.tick() => Woken::Round,
                        _ = tick.tick() => Woken::Tick,
                        () = self.streams.ready() => Woken::Output,
                    }
                } => woken,
            };
            self.woken(woken).await;
        }
        if let Some(live) = &mut self.live {
            live.erase(self.streams.shows_lines());
        }
        self.see_the_dying_out().await;
        // Its priority is not for what follows; and the terminal is put back before tracer says anything on it.
        self.urgency = None;
        self.streams = Streams::default();
        // Where the session can't be written, they are what is left of it.
        self.look_after_files();
        let ended = self.ended.take().unwrap_or_else(|| self.child.reap());
        Followed { ended, why: self.ending.why().unwrap_or(Why::Ended), since_ns: self.since_ns }
    }

    async fn woken(&mut self, woken: Woken) {
        match woken {
            // Output is no reason to look at anything else.
            Woken::Output => return self.output(),
            Woken::Up(timer) => self.up(timer),
            Woken::Signal(sent) => self.signal(sent).await,
            Woken::Tick => {
                self.streams.look_again();
                self.apart.look_again(self.child, self.programs);
                self.look_after_files();
            }
            Woken::Ended | Woken::Round | Woken::SearchIsUp | Woken::Other => {}
        }
        self.catch_up();
        self.draw();
        match woken {
            Woken::Ended => self.command_ended(),
            Woken::Round => self.sample(),
            Woken::SearchIsUp => self.time_is_up(),
            _ => {}
        }
        self.look_for_the_living();
    }

    /// The status line, where there is one.
    fn draw(&mut self) {
        let due = |live: &&mut Live| live.is_due(self.streams.shows_lines());
        if let Some(live) = self.live.as_mut().filter(due) {
            let (target_kb, tree_kb) = self.recording.rss_now_kb();
            live.draw(self.recording.tree.living().count(), target_kb, tree_kb);
        }
    }

    /// Its last snapshot comes before anything else: it is a zombie until it is reaped.
    fn command_ended(&mut self) {
        self.sample();
        self.hear_the_rest();
        self.nothing_was_found();
        // Whoever lives now outlives it, however soon it ends; unless it is on its way out together with it.
        if !self.ending.is_ending_the_tree() && self.plan.limits.orphans != Orphans::Report {
            self.recording.root_is_outlived();
        }
        self.ended = Some(self.child.reap());
        self.happened(Input::Ended);
        if self.ending.awaits_the_tree() {
            self.streams.nobody_reads();
        }
    }

    /// Who was killed together with the root, as by `timeout -s KILL`, ends a moment later than it: the session waits for that.
    async fn see_the_dying_out(&mut self) {
        self.catch_up();
        self.gone = Gone::default();
        let patience = Instant::now() + LAST_MOMENT;
        let dying = |recording: &Recording| {
            let dying = recording.tree.living().filter(|member| member.is_dying());
            dying.map(|member| member.id).collect::<Vec<_>>()
        };
        while self.gone.look(dying(&self.recording).into_iter()) {
            tokio::select! {
                () = self.gone.one_ended() => self.catch_up(),
                () = sleep_until(patience) => return,
            }
        }
    }

    /// Reads what happened, and hands it on.
    fn catch_up(&mut self) {
        self.listener.read(&mut self.recording);
        let ended = self.recording.take_ended();
        self.sampling.ended(&ended);
        self.look_for_the_target();
        self.programs.flush_diagnostics();
    }

    /// Moves the lines to the runtime directory; without it they stay in memory, and the session is whole all the same.
    fn spool_to_file(&mut self) {
        match enrol(self.plan, self.log_place, &mut self.recording, self.boot_id) {
            Ok(enrolled) => self.enrolled = enrolled,
            Err(error) => log::warn!("{error}; the session is kept in memory until it ends"),
        }
    }

    fn look_after_files(&mut self) {
        if let Some(enrolled) = &mut self.enrolled {
            self.upkeep.look(&self.plan.tmpfs_path, &mut self.recording, enrolled);
        }
    }
}
