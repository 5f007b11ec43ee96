//! The race of endings: which came first, and what is to be done about it. Pure: no clock, no process, no I/O.
//!
//! ```text
//!            --until, --drain           an ending, or the drain is over      --kill-after, or told again
//!  Running ─────────────────▶ Draining ─────────────────────────▶ Terminating ─────────────────▶ Killing
//!     │                          │                                     │                            │
//!     └──────────────────────────┴── the command and who is to end with it are gone ────────────────┘
//!                                                  ▼
//!                                             Delivering ── its output is with the reader ──▶ Over
//! ```
//!
//! The first ending gives the reason, and there is never another. Later ones still do what they do: a command that was
//! told to end and takes its time is ended by `--timeout` all the same.

use super::signals::Number;

/// What is not to be waited for without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// `--timeout`: the command's time.
    Timeout,
    /// `--idle-timeout`: the time without output.
    Idle,
    /// `--drain`: the time between a match and the end.
    Drain,
    /// `--kill-after`: the time between SIGTERM and SIGKILL.
    KillAfter,
    /// How long whoever was killed may take to be gone. Nothing outlives SIGKILL, but a disk may be waited for.
    Patience,
    /// How long whoever outlives the command may go on to write where it did. No ending waits for that, only its output.
    LastWords,
    /// How long the reader of the output may take for the rest of it, where the end was not the command's own.
    Delivery,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The command has ended.
    Ended,
    /// A time is up.
    Up(Timer),
    /// The output has what `--until` looks for.
    Matched,
    /// Another process sent tracer this signal.
    Told(Number),
    /// The terminal sent it to everybody in the foreground: the command, if it runs, has it too.
    Keyed(Number),
    /// There is no workload behind the wrappers.
    Unresolved,
    /// The command has ended, and nobody of its tree lives.
    Gone,
    /// All output is with its reader, or nobody reads it.
    Delivered,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the command, and nobody else, this signal.
    PassOn(Number),
    /// Ask the whole tree to end.
    Terminate,
    /// End whoever is left.
    Kill,
    /// Start a timer.
    Start(Timer),
    /// Nobody writes any more who matters: bring what there is of output to its reader.
    Deliver,
    /// It is over.
    Finish,
}

/// Which ending came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The command's own.
    Ended,
    /// Its time was up.
    TimedOut,
    /// It was silent for too long.
    Idle,
    /// It wrote what was waited for.
    Matched,
    /// tracer was told to end, by SIGTERM.
    Told,
    /// There is no workload.
    Unresolved,
}

/// What becomes of whoever outlives the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Orphans {
    /// They are named.
    #[default]
    Report,
    /// They are ended.
    Kill,
    /// They are waited for.
    Wait,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of whoever outlives the command.
    pub orphans: Orphans,
    /// Whether there is a time between a match and the end.
    pub drains: bool,
    /// Whether SIGKILL follows SIGTERM.
    pub kills: bool,
    /// Whether it also follows one that was only passed on.
    pub kills_when_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
    Terminating,
    Killing,
    Delivering,
    Over,
}

/// The race.
#[derive(Clone, Debug)]
pub struct Ending {
    policy: Policy,
    phase: Phase,
    why: Option<Why>,
    /// The command has ended.
    ended: bool,
    /// tracer was told to end.
    told: bool,
    /// The time until SIGKILL runs.
    counting: bool,
    /// Whoever was killed had time enough to be gone.
    impatient: bool,
}

impl Ending {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            phase: Phase::Running,
            why: None,
            ended: false,
            told: false,
            counting: false,
            impatient: false,
        }
    }

    /// Which ending came first, if one came.
    #[must_use]
    pub fn why(&self) -> Option<Why> {
        self.why
    }

    /// Whether [`Input::Gone`] is waited for.
    #[must_use]
    pub fn awaits_the_tree(&self) -> bool {
        self.ended && !matches!(self.phase, Phase::Delivering | Phase::Over)
    }

    /// Whether the whole tree is being ended.
    #[must_use]
    pub fn is_ending_the_tree(&self) -> bool {
        matches!(self.phase, Phase::Terminating | Phase::Killing)
    }

    /// Whether everybody left is being killed.
    #[must_use]
    pub fn is_killing(&self) -> bool {
        self.phase == Phase::Killing
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// What is to be done now that this happened, in order.
    #[must_use]
    pub fn take(&mut self, input: Input) -> Vec<Action> {
        if self.phase == Phase::Over {
            return Vec::new();
        }
        match input {
            Input::Ended => self.ended(),
            Input::Up(Timer::Timeout) => self.end(Why::TimedOut),
            Input::Up(Timer::Idle) => self.end(Why::Idle),
            Input::Up(Timer::Drain) if self.phase == Phase::Draining => self.terminate(),
            Input::Up(Timer::KillAfter) => self.kill(),
            Input::Up(Timer::Patience) => self.patience_is_over(),
            Input::Up(Timer::Delivery) | Input::Delivered if self.phase == Phase::Delivering => self.finish(),
            Input::Up(_) | Input::Delivered => Vec::new(),
            Input::Matched => self.matched(),
            Input::Told(libc::SIGTERM) => self.told(),
            Input::Told(signal) if !self.ended => vec![Action::PassOn(signal)],
            Input::Told(signal) | Input::Keyed(signal) => self.interrupted(signal),
            Input::Unresolved => {
                self.because(Why::Unresolved);
                self.kill()
            }
            Input::Gone if self.awaits_the_tree() => self.deliver(),
            Input::Gone => Vec::new(),
        }
    }

    /// The first one counts.
    fn because(&mut self, why: Why) {
        self.why.get_or_insert(why);
    }

    fn ended(&mut self) -> Vec<Action> {
        self.because(Why::Ended);
        self.ended = true;
        match (self.phase, self.policy.orphans) {
            (Phase::Running, Orphans::Report) => self.deliver(),
            (Phase::Running, Orphans::Kill) => self.terminate(),
            // Told to end, tracer waits for nobody who was not.
            (Phase::Running, Orphans::Wait) if self.told => self.terminate(),
            (Phase::Killing, _) if self.impatient => self.deliver(),
            // Whoever is left is still waited for: to end by itself, as it was asked to, or as it must.
            _ => Vec::new(),
        }
    }

    fn end(&mut self, why: Why) -> Vec<Action> {
        self.because(why);
        match self.phase {
            Phase::Running | Phase::Draining => self.terminate(),
            _ => Vec::new(),
        }
    }

    fn matched(&mut self) -> Vec<Action> {
        self.because(Why::Matched);
        match self.phase {
            Phase::Running if self.policy.drains => {
                self.phase = Phase::Draining;
                vec![Action::Start(Timer::Drain)]
            }
            Phase::Running => self.terminate(),
            _ => Vec::new(),
        }
    }

    /// SIGTERM: an order. The second one hurries.
    fn told(&mut self) -> Vec<Action> {
        self.because(Why::Told);
        let again = std::mem::replace(&mut self.told, true);
        match self.phase {
            Phase::Delivering => self.finish(),
            _ if again => self.kill(),
            Phase::Running | Phase::Draining if self.ended => self.terminate(),
            Phase::Running | Phase::Draining => {
                let mut actions = vec![Action::PassOn(libc::SIGTERM)];
                if self.policy.kills_when_told {
                    actions.extend(self.count());
                }
                actions
            }
            // The whole tree has been asked already.
            _ => Vec::new(),
        }
    }

    /// A signal for a command that has ended: those by which people stop something are meant for whoever is waited for.
    fn interrupted(&mut self, signal: Number) -> Vec<Action> {
        let stops = matches!(signal, libc::SIGINT | libc::SIGQUIT | libc::SIGHUP);
        match self.phase {
            _ if !self.ended || !stops => Vec::new(),
            Phase::Running | Phase::Draining => self.terminate(),
            Phase::Delivering => self.finish(),
            _ => Vec::new(),
        }
    }

    fn terminate(&mut self) -> Vec<Action> {
        self.phase = Phase::Terminating;
        let mut actions = vec![Action::Terminate];
        if self.policy.kills {
            actions.extend(self.count());
        }
        actions
    }

    /// Starts the time until SIGKILL; one that runs is not made longer.
    fn count(&mut self) -> Option<Action> {
        (!std::mem::replace(&mut self.counting, true)).then_some(Action::Start(Timer::KillAfter))
    }

    fn kill(&mut self) -> Vec<Action> {
        if matches!(self.phase, Phase::Killing | Phase::Delivering) {
            return Vec::new();
        }
        self.phase = Phase::Killing;
        vec![Action::Kill, Action::Start(Timer::Patience)]
    }

    fn patience_is_over(&mut self) -> Vec<Action> {
        if self.phase != Phase::Killing {
            return Vec::new();
        }
        self.impatient = true;
        if self.ended { self.deliver() } else { Vec::new() }
    }

    fn deliver(&mut self) -> Vec<Action> {
        self.phase = Phase::Delivering;
        let mut actions = vec![Action::Deliver];
        if self.why != Some(Why::Ended) {
            actions.push(Action::Start(Timer::Delivery));
        }
        actions
    }

    fn finish(&mut self) -> Vec<Action> {
        self.phase = Phase::Over;
        vec![Action::Finish]
    }
}

#[cfg(test)]
mod tests;
