//! `tracer run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::endings::Endings;
use super::ground::{default_log_dir, invoker, tmpfs_path};
use super::size::{RingSizes, parse_rings};
use super::span;
use super::summary_json::Destination;
use super::{logger, report, words};
use crate::kernel::load::Settings;
use crate::process::target::Wanted;
use crate::run::outcome::{End, FAILED};
use crate::run::plan::{OnUnresolved, Plan};
use crate::run::sampling::{Rhythm, Scope};
use crate::run::signals::{Inherited, die_by};
use crate::run::user::Account;
use crate::run::{RunError, run, support};
use crate::session::anomaly::thresholds::Thresholds;
use crate::session::id::SessionId;
use crate::session::retention::Keep;

const EXAMPLES: &str = "\
Examples:
  sudo tracer run -- make -j8
  sudo tracer run --label job=1234 --log-dir /var/log/ci -- ./test.sh
  sudo tracer run --timeout 30m --kill-after 10s --orphans kill -- ./test.sh
  sudo tracer run --until 'listening on' --drain 1s -- ./server";

const AFTER: &str = "\
Exit status: the command's own, or death by the same signal; 124 if its time was up, 0 if its output matched, death by \
SIGTERM if tracer was sent that; 125 if tracer itself failed, 126 if the command \
can't be run, 127 if it is not found.";

/// Run a command and record its whole process tree
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, after_help = AFTER)]
pub(super) struct Run {
    /// Name the session, instead of a new UUID
    #[arg(long, value_name = "ID")]
    session_id: Option<SessionId>,
    /// Note something about the session; may be given again
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Keep sessions in DIR [default: /var/log/tracer, or ~/.local/state/tracer]
    #[arg(long, value_name = "DIR", env = "TRACER_LOG_DIR")]
    log_dir: Option<PathBuf>,
    /// Keep what a running session has so far in DIR/tracer-UID [default: /dev/shm]
    #[arg(long, value_name = "DIR", env = "TRACER_TMPFS_PATH")]
    tmpfs_path: Option<PathBuf>,
    /// Let it take SIZE there, 64K or more; older rows move to the log directory
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse_spool, default_value = "32M")]
    spool_limit: u64,
    /// The workload is the process of this NAME, instead of the first behind the wrappers
    #[arg(long, value_name = "NAME", value_parser = parse_target)]
    target: Option<Wanted>,
    /// How long to look for the workload; 0s is as long as the command runs
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span::parse)]
    resolve_timeout: Duration,
    /// What to do where there is no workload: end the tree and exit with 125, or record only who descends from whom
    #[arg(long, value_name = "WHAT", default_value = "abort")]
    on_unresolved: Unresolved,
    /// Time between two snapshots, 10ms to 1h
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = span::parse_interval)]
    interval: Duration,
    /// Whose snapshots to take
    #[arg(long, value_name = "WHOSE", default_value = "tree")]
    sample: Sample,
    /// Where an anomaly begins: FD_HIGH=0.9, HIGH_CPU=90/30s (for so long), RSS_GROWTH=200/5m (within) …; may be given again
    #[arg(long = "threshold", value_name = "KIND=VALUE[/TIME]")]
    thresholds: Vec<String>,
    /// Run the command as USER, a name or an id, with that user's groups and no capability
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Write the session's summary.json to FILE too; `-` is stdout, and /dev/fd/N works
    #[arg(long, value_name = "FILE")]
    summary_json: Option<PathBuf>,
    /// Leave arguments out of all files
    #[arg(long)]
    redact_args: bool,
    /// Of all sessions in the log directory, keep the latest N
    #[arg(long, value_name = "N", default_value_t = Keep::default().sessions)]
    keep_sessions: usize,
    /// Keep the latest ones of SIZE together
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse)]
    keep_size: Option<u64>,
    /// Keep those that ended less than TIME ago
    #[arg(long, value_name = "TIME", value_parser = span::parse)]
    keep_for: Option<Duration>,
    /// Size of the rings between kernel and tracer: SIZE, or life=SIZE,detail=SIZE
    #[arg(long, value_name = "SIZE", value_parser = parse_rings, default_value = "life=2M,detail=4M")]
    ring_size: RingSizes,
    /// Live processes that can be followed at once
    #[arg(long, value_name = "N", default_value_t = 16384, value_parser = clap::value_parser!(u32).range(1..=4_194_304))]
    max_processes: u32,
    /// While the command runs, show running time, processes and memory at the right of the terminal on stderr
    #[arg(long)]
    live: bool,
    /// Say nothing, not even warnings
    #[arg(short, long)]
    quiet: bool,
    /// Say more; twice: also what the programs in the kernel have to say
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    endings: Endings,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Run {
    pub(super) fn main(self, inherited: &Inherited) -> u8 {
        logger::install(self.log_level());
        let quiet = self.quiet;
        let summary_json = self.summary_json.as_deref().map(Destination::open);
        let plan = match self.plan() {
            Ok(plan) => plan,
            Err(message) => return fail(quiet, &message),
        };
        match run(&plan, inherited) {
            Err(error) => fail(quiet, &describe(error)),
            Ok(outcome) => {
                if let Some(destination) = summary_json {
                    destination.write(outcome.summary.as_deref(), plan.reader);
                }
                if !quiet {
                    report::print(&outcome);
                }
                match outcome.end {
                    End::Code(code) | End::NotRun(code, _) => code,
                    End::Unresolved => FAILED,
                    End::Signal(signal) => {
                        words::finish();
                        die_by(signal);
                        128 + signal
                    }
                }
            }
        }
    }

    fn log_level(&self) -> log::LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => log::LevelFilter::Off,
            (false, 0) => log::LevelFilter::Warn,
            (false, 1) => log::LevelFilter::Info,
            (false, _) => log::LevelFilter::Debug,
        }
    }

    fn plan(self) -> Result<Plan, String> {
        let defaults = Settings::default();
        let diagnostics =
            if self.verbose >= 2 && !self.quiet { log::LevelFilter::Debug } else { log::LevelFilter::Off };
        Ok(Plan {
            settings: Settings {
                life_ring: self.ring_size.life.unwrap_or(defaults.life_ring),
                detail_ring: self.ring_size.detail.unwrap_or(defaults.detail_ring),
                processes: self.max_processes,
                diagnostics,
                object: std::env::var_os("TRACER_BPF_OBJECT").map(PathBuf::from),
            },
            tmpfs_path: tmpfs_path(self.tmpfs_path)?,
            spool_limit: self.spool_limit,
            log_dir: self.log_dir.map_or_else(default_log_dir, Ok)?,
            session_id: self.session_id.unwrap_or_else(SessionId::generate),
            labels: self.labels.into_iter().collect(),
            command: self.command,
            resolve_timeout: Some(self.resolve_timeout).filter(|time| !time.is_zero()),
            wanted: self.target.unwrap_or(Wanted::BehindWrappers),
            on_unresolved: match self.on_unresolved {
                Unresolved::Abort => OnUnresolved::Abort,
                Unresolved::Continue => OnUnresolved::Continue,
            },
            limits: self.endings.limits(),
            rhythm: Rhythm {
                interval: self.interval,
                scope: match self.sample {
                    Sample::Tree => Scope::Tree,
                    Sample::Target => Scope::Target,
                },
            },
            thresholds: thresholds(&self.thresholds)?,
            redact: self.redact_args,
            silent: self.quiet,
            live: self.live && !self.quiet,
            user: self.user.as_deref().map(account).transpose()?,
            reader: invoker(),
            keep: Keep { sessions: self.keep_sessions, bytes: self.keep_size, age: self.keep_for },
        })
    }
}

/// `--on-unresolved`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Unresolved {
    Abort,
    Continue,
}

/// `--sample`.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sample {
    Tree,
    Target,
}

/// Whose account the command is to run under, if this process may give it.
fn account(name: &str) -> Result<Account, String> {
    let found = Account::look_up(name).and_then(|account| {
        account.check(support::effective_capabilities().unwrap_or(u64::MAX))?;
        Ok(account)
    });
    found.map_err(|error| format!("{:#}", anyhow::Error::new(error)))
}

fn thresholds(texts: &[String]) -> Result<Thresholds, String> {
    let mut thresholds = Thresholds::default();
    texts
        .iter()
        .try_for_each(|text| thresholds.set(text))
        .map_err(|error| format!("--threshold: {error}"))?;
    Ok(thresholds)
}

fn parse_target(text: &str) -> Result<Wanted, String> {
    Wanted::named(text.as_bytes()).map_err(|error| error.to_string())
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("'{text}' is not KEY=VALUE")),
    }
}

fn fail(quiet: bool, message: &str) -> u8 {
    if !quiet {
        report::say(message);
    }
    FAILED
}

/// The error chain as one sentence, and what to do.
fn describe(error: RunError) -> String {
    let advice = match &error {
        RunError::Load(error) => support::advice(error),
        _ => None,
    };
    match advice {
        Some(advice) => format!("{:#}; {advice}", anyhow::Error::new(error)),
        None => format!("{:#}", anyhow::Error::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_label;

    #[test]
    fn a_label_has_a_key_and_may_have_any_value() {
        assert_eq!(parse_label("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(parse_label("a="), Ok(("a".into(), String::new())));
        assert!(parse_label("=b").is_err() && parse_label("ab").is_err());
    }
}
