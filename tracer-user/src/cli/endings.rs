//! The flags of `tracer run` that say what ends a command, and how.

use std::time::Duration;

use clap::Args;
use regex::bytes::Regex;

use super::span;
use crate::run::ending::Orphans;
use crate::run::limits::Limits;

/// What ends a command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Endings: the first one counts")]
pub(super) struct Endings {
    /// End the whole tree when the command has run for TIME, and exit with 124
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    timeout: Option<Duration>,
    /// End it when there was no output for TIME, and exit with 124; at a terminal the command then has one of its own
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    idle_timeout: Option<Duration>,
    /// End it when a line of its output matches REGEX, and exit with 0; at a terminal the command then has one of its own
    #[arg(long, value_name = "REGEX", value_parser = Regex::new)]
    until: Option<Regex>,
    /// Wait for TIME between that match and the end
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span::parse, requires = "until")]
    drain: Duration,
    /// Send SIGKILL to whoever is left TIME after SIGTERM; 0s is never; if given, it also follows a SIGTERM that was passed on [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    kill_after: Option<Duration>,
    /// Exit with the command's own status, whatever ended it
    #[arg(long)]
    preserve_status: bool,
    /// What to do with processes that outlive the command: name them, end them, or wait for them
    #[arg(long, value_name = "WHAT", default_value = "report")]
    orphans: Outliving,
    /// Give the command a terminal of its own
    #[arg(long)]
    pty: bool,
}

impl Endings {
    pub(super) fn limits(self) -> Limits {
        let limited = |time: Option<Duration>| time.filter(|time| !time.is_zero());
        Limits {
            timeout: limited(self.timeout),
            idle: limited(self.idle_timeout),
            until: self.until,
            drain: self.drain,
            kill_after: self.kill_after,
            preserve_status: self.preserve_status,
            orphans: match self.orphans {
                Outliving::Report => Orphans::Report,
                Outliving::Kill => Orphans::Kill,
                Outliving::Wait => Orphans::Wait,
            },
            pty: self.pty,
        }
    }
}

/// `--orphans`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Outliving {
    Report,
    Kill,
    Wait,
}
