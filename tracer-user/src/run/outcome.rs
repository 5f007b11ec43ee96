//! What came of a run: the session, and what the person who waits is told.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::plan::Plan;
use super::spawn::{Ended, exit_code_of};
use super::{NOBODY, boot_id};
use crate::kernel::event::Status;
use crate::kernel::loss::Loss;
use crate::process::member::Member;
use crate::session::finish::{LogDir, finish};
use crate::session::recording::{Figures, Recording};
use crate::session::summary::{Completeness, Largest, Orphan, Reason, SCHEMA_VERSION, Subtype, Summary};
use crate::session::text::Text;
use crate::session::verdict::Verdict;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How tracer is to end.
    pub end: End,
    /// Why the command ended, in a sentence.
    pub sentence: String,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
    /// CPU time of all processes that ended, seconds.
    pub cpu_seconds: Option<f64>,
    /// The highest peak resident set of one process, KiB, and its name.
    pub largest: Option<(u64, String)>,
    /// Processes in the tree.
    pub processes: u64,
    /// Those that outlived the root.
    pub orphans: u64,
    /// What was lost.
    pub loss: Loss,
    /// Where the session is; what went wrong, if it is nowhere.
    pub session: Result<PathBuf, String>,
}

/// How tracer is to end: as the command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// With this code, since the command could not be run: the error of `execvp`.
    NotRun(u8, i32),
}

impl End {
    fn of(ended: Ended) -> Self {
        let status = Status(ended.status);
        match (ended.not_run, status.exit_signal()) {
            (Some(errno), _) => Self::NotRun(exit_code_of(errno), errno),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Code(status.exit_code().unwrap_or_default()),
        }
    }

    fn exit_code(self) -> Option<u8> {
        match self {
            Self::Code(code) | Self::NotRun(code, _) => Some(code),
            Self::Signal(_) => None,
        }
    }

    fn subtype(self) -> Subtype {
        match self {
            Self::Code(0) => Subtype::Completed,
            Self::Code(_) | Self::NotRun(..) => Subtype::Failed,
            Self::Signal(_) => Subtype::Killed,
        }
    }
}

impl Outcome {
    /// Writes the session, and sums it up.
    #[must_use]
    pub(super) fn write(
        plan: &Plan,
        log_dir: &LogDir,
        mut recording: Recording,
        ended: Ended,
        loss: Loss,
        kernel: &str,
    ) -> Self {
        let clock = recording.clock;
        let (lines, figures, tree) = recording.parts();
        let boot_id = boot_id();
        let root = root(figures, ended);
        let times = Times::of(&root);
        let end = End::of(ended);
        let summary = Summary {
            schema_version: SCHEMA_VERSION,
            session_id: &plan.session_id,
            labels: &plan.labels,
            command: plan.command.iter().map(|word| Text(word.as_bytes())).collect(),
            subtype: end.subtype(),
            exit_code: end.exit_code().map(i32::from),
            exit_signal: Status(ended.status).exit_signal(),
            termination_reason: match end {
                End::Signal(_) => Reason::Signalled,
                End::Code(_) | End::NotRun(..) => Reason::NaturalExit,
            },
            verdict: Some(Verdict::of(&root)),
            pid: root.id.pid,
            boot_id: &boot_id,
            starttime_ticks: root.id.start,
            tracked_comm: None,
            tracked_comm_drift: None,
            target: None,
            started_at: clock.at(times.started_ns),
            ended_at: clock.at(times.ended_ns),
            elapsed_seconds: times.elapsed_seconds(),
            process_count: tree.processes(),
            max_depth: tree.max_depth(),
            snapshot_count: 0,
            peak_rss_kb: None,
            peak_tree_rss_kb: None,
            peak_oom_score: None,
            peak_fd_ratio: None,
            // Either may miss something: `wait` those that nobody waited for, the ends what is booked after them.
            cpu_seconds: Some(seconds(ended.cpu_us.max(figures.cpu_us.unwrap_or(0)))),
            largest_process: figures.largest.as_ref().map(largest),
            anomaly_count: 0,
            orphans: figures.orphans.iter().map(Orphan::of).collect(),
            completeness: Completeness::from(loss),
            host: host(),
            kernel,
            tracer_version: env!("CARGO_PKG_VERSION"),
        };
        let outcome = Self {
            end,
            sentence: Verdict::of(&root).sentence,
            elapsed_seconds: summary.elapsed_seconds,
            cpu_seconds: summary.cpu_seconds,
            largest: figures
                .largest
                .as_ref()
                .map(|(member, rss)| (*rss, crate::session::text::for_terminal(member.comm()))),
            processes: summary.process_count,
            orphans: summary.orphans.len() as u64,
            loss,
            session: finish(log_dir, &summary, lines).map_err(|error| error.to_string()),
        };
        remove_spool(recording, outcome)
    }
}

/// Removes the trace file once the session is in its place; without one the file is all that is left.
fn remove_spool(recording: Recording, outcome: Outcome) -> Outcome {
    if outcome.session.is_ok()
        && let Err(error) = recording.lines.events.remove()
    {
        log::warn!("the trace file can't be removed ({error})");
    }
    outcome
}

/// The root; if even its events were lost, what `wait` told.
fn root(figures: &Figures, ended: Ended) -> Member {
    figures.root.clone().unwrap_or_else(|| {
        let mut root = Member::new(NOBODY, NOBODY, 0);
        root.end = Some(crate::process::member::End { status: Status(ended.status), totals: None });
        root
    })
}

struct Times {
    started_ns: u64,
    ended_ns: u64,
}

impl Times {
    fn of(root: &Member) -> Self {
        let now = crate::kernel::events::boot_ns();
        let ended_ns = root.ended_ns.unwrap_or(now);
        Self { started_ns: root.started_ns.unwrap_or(ended_ns), ended_ns }
    }

    fn elapsed_seconds(&self) -> f64 {
        seconds(self.ended_ns.saturating_sub(self.started_ns) / 1000)
    }
}

/// Microseconds as seconds.
#[expect(clippy::cast_precision_loss, reason = "exact below 285 years")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn largest((member, rss): &(Member, u64)) -> Largest<'_> {
    Largest { pid: member.id.pid, comm: Text(member.comm()), max_rss_kb: *rss }
}

fn host() -> Option<String> {
    Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
}
