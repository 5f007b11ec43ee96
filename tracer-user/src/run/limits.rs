//! What ends a command that does not end by itself, and how.

use std::time::Duration;

use regex::bytes::Regex;

use super::ending::{Orphans, Policy, Timer};

/// `--kill-after`, unless told otherwise.
pub const KILL_AFTER: Duration = Duration::from_secs(10);
/// How long whoever was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long output is heard of those who outlive the command and hold its pipes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Checked settings.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// How long the command may take.
    pub timeout: Option<Duration>,
    /// How long it may be silent.
    pub idle: Option<Duration>,
    /// What its output is searched for.
    pub until: Option<Regex>,
    /// The time between that and the end.
    pub drain: Duration,
    /// The time between SIGTERM and SIGKILL, where it was given; zero: no SIGKILL.
    pub kill_after: Option<Duration>,
    /// The exit status is the command's, whatever ended it.
    pub preserve_status: bool,
    /// What becomes of whoever outlives the command.
    pub orphans: Orphans,
    /// The command has a terminal of its own.
    pub pty: bool,
}

impl Limits {
    /// What the race of endings has to know.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            orphans: self.orphans,
            drains: !self.drain.is_zero(),
            kills: !self.kill_after().is_zero(),
            kills_when_told: self.kill_after.is_some_and(|time| !time.is_zero()),
        }
    }

    /// How long a timer runs; `None`: for ever.
    #[must_use]
    pub fn of(&self, timer: Timer) -> Option<Duration> {
        match timer {
            Timer::Timeout => self.timeout,
            Timer::Idle => self.idle,
            Timer::Drain => Some(self.drain),
            Timer::KillAfter => Some(self.kill_after()),
            Timer::Patience => Some(PATIENCE),
            Timer::LastWords => Some(LAST_WORDS),
            Timer::Delivery => Some(self.kill_after().max(PATIENCE)),
        }
    }

    fn kill_after(&self) -> Duration {
        self.kill_after.unwrap_or(KILL_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{KILL_AFTER, Limits};
    use crate::run::ending::Timer;

    #[test]
    fn a_signal_that_was_only_passed_on_is_followed_by_sigkill_where_that_was_asked_for() {
        let usual = Limits::default();
        assert!(usual.policy().kills && !usual.policy().kills_when_told);
        assert_eq!(usual.of(Timer::KillAfter), Some(KILL_AFTER));
        let asked = Limits { kill_after: Some(Duration::from_secs(1)), ..Limits::default() };
        assert!(asked.policy().kills && asked.policy().kills_when_told);
        let never = Limits { kill_after: Some(Duration::ZERO), ..Limits::default() };
        assert!(!never.policy().kills && !never.policy().kills_when_told);
    }
}
