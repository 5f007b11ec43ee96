//! What came of a run: the session, and what the person who waits is told.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::plan::Plan;
use super::spawn::{Ended, exit_code_of};
use crate::kernel::event::Status;
use crate::kernel::events::boot_ns;
use crate::kernel::loss::Loss;
use crate::process::member::Member;
use crate::process::target::Unresolved;
use crate::record::enrollment::Enrolled;
use crate::session::anomaly::Anomaly;
use crate::session::finish::{LogDir, finish};
use crate::session::recording::{Figures, NOBODY, Recording, Told};
use crate::session::sum_up::{Ending, sum_up};
use crate::session::summary::{Completeness, Reason, Subtype};
use crate::session::text::{Text, for_terminal};
use crate::session::verdict::{Verdict, not_run};

/// What tracer exits with where it could not do what was asked.
pub const FAILED: u8 = 125;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How tracer is to end.
    pub end: End,
    /// Why the command ended, in a sentence.
    pub sentence: String,
    /// What else is to be said: why the command itself ended, where that is another story.
    pub remarks: Vec<String>,
    /// Wall time, seconds.
    pub elapsed_seconds: f64,
    /// CPU time of all processes that ended, seconds.
    pub cpu_seconds: Option<f64>,
    /// The target's peak resident set, KiB.
    pub peak_rss_kb: Option<u64>,
    /// The tree's.
    pub peak_tree_rss_kb: Option<u64>,
    /// The target's name.
    pub target: Option<String>,
    /// Processes in the tree.
    pub processes: u64,
    /// Those that outlived the root.
    pub orphans: u64,
    /// What somebody should look at: how often each kind.
    pub anomalies: Vec<(&'static str, u64)>,
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
    /// With 125: there was no workload behind the wrappers.
    Unresolved,
}

impl End {
    fn of(facts: &Facts<'_>) -> Self {
        if facts.unresolved.is_some() {
            return Self::Unresolved;
        }
        let ended = facts.ended;
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
            Self::Unresolved => Some(FAILED),
            Self::Signal(_) => None,
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::Signal(_) => Reason::Signalled,
            Self::Code(_) | Self::NotRun(..) => Reason::NaturalExit,
            Self::Unresolved => Reason::TargetUnresolved,
        }
    }

    fn subtype(self) -> Subtype {
        match self {
            Self::Code(0) => Subtype::Completed,
            Self::Code(_) | Self::NotRun(..) => Subtype::Failed,
            Self::Signal(_) => Subtype::Killed,
            Self::Unresolved => Subtype::Unresolved,
        }
    }
}

/// What was recorded, and the sidecar that says so.
pub(super) struct Recorded {
    /// The recording.
    pub(super) recording: Recording,
    /// Its sidecar, where there is one.
    pub(super) enrolled: Option<Enrolled>,
}

/// What is known beside the recording.
pub(super) struct Facts<'a> {
    /// What `wait` said of the command.
    pub(super) ended: Ended,
    /// Why there is no target.
    pub(super) unresolved: Option<Unresolved>,
    /// What was lost.
    pub(super) loss: Loss,
    /// This boot.
    pub(super) boot_id: &'a str,
    /// The kernel's release.
    pub(super) kernel: &'a str,
}

impl Outcome {
    /// Writes the session, and sums it up.
    #[must_use]
    pub(super) fn write(plan: &Plan, log_dir: &LogDir, recorded: Recorded, facts: &Facts<'_>) -> Self {
        let Recorded { mut recording, enrolled } = recorded;
        let (lines, told) = recording.parts();
        let root = root(told.figures, facts.ended);
        let end = End::of(facts);
        let summary = sum_up(&told, ending(plan, &told, facts, &root, end));
        let outcome = Self {
            end,
            sentence: match &facts.unresolved {
                Some(unresolved) => format!("error: {unresolved}"),
                None => summary.verdict.as_ref().map(|verdict| verdict.sentence.clone()).unwrap_or_default(),
            },
            remarks: remarks(told.figures, &root),
            elapsed_seconds: summary.elapsed_seconds,
            cpu_seconds: summary.cpu_seconds,
            peak_rss_kb: summary.peak_rss_kb,
            peak_tree_rss_kb: summary.peak_tree_rss_kb,
            target: told.target.map(|target| for_terminal(target.comm())),
            processes: summary.process_count,
            orphans: summary.orphans.len() as u64,
            anomalies: anomalies(told.anomalies),
            loss: facts.loss,
            session: finish(log_dir, &summary, told.anomalies, lines).map_err(|error| error.to_string()),
        };
        if outcome.session.is_ok() {
            clear_away(recording, enrolled);
        }
        outcome
    }
}

fn ending<'a>(plan: &'a Plan, told: &Told<'a>, facts: &Facts<'a>, root: &'a Member, end: End) -> Ending<'a> {
    Ending {
        session_id: &plan.session_id,
        labels: &plan.labels,
        command: plan.told_command().map(|word| Text(word.as_bytes())).collect(),
        subtype: end.subtype(),
        exit_code: end.exit_code().map(i32::from),
        exit_signal: if end == End::Unresolved { None } else { Status(facts.ended.status).exit_signal() },
        reason: end.reason(),
        verdict: match end {
            End::NotRun(code, errno) => {
                let error = std::io::Error::from_raw_os_error(errno);
                not_run(plan.command[0].as_bytes(), &error, code, root)
            }
            _ => told.verdict(told.figures.target.as_ref().unwrap_or(root)),
        },
        root,
        ended_ns: boot_ns(),
        boot_id: facts.boot_id,
        kernel: facts.kernel,
        waited_cpu_us: Some(facts.ended.cpu_us),
        completeness: Completeness::from(facts.loss),
    }
}

/// Removes the trace file and then its sidecar, once the session is in its place; without one they are all that is left.
fn clear_away(recording: Recording, enrolled: Option<Enrolled>) {
    if let Err(error) = recording.lines.events.remove() {
        log::warn!("the trace file can't be removed ({error})");
    } else if let Some(Err(error)) = enrolled.map(Enrolled::withdraw) {
        log::warn!("the enrollment sidecar can't be removed ({error})");
    }
}

/// The root; if even its events were lost, what `wait` told.
fn root(figures: &Figures, ended: Ended) -> Member {
    figures.root.clone().unwrap_or_else(|| {
        let mut root = Member::new(NOBODY, NOBODY, 0);
        root.end = Some(Box::new(crate::process::member::End { status: Status(ended.status), totals: None }));
        root
    })
}

fn remarks(figures: &Figures, root: &Member) -> Vec<String> {
    another_story(figures, root)
        .map(|sentence| format!("the command itself: {sentence}"))
        .into_iter()
        .collect()
}

/// The root's end, if the target is another process and ended in another way.
fn another_story(figures: &Figures, root: &Member) -> Option<String> {
    let target = figures.target.as_ref().filter(|target| target.id != root.id)?;
    let status = |member: &Member| member.end.as_ref().map(|end| end.status);
    (status(target) != status(root)).then(|| Verdict::of(root, None).sentence)
}

/// How often each kind occurs.
fn anomalies(anomalies: &[Anomaly]) -> Vec<(&'static str, u64)> {
    let mut counts: Vec<(&'static str, u64)> = Vec::new();
    for name in anomalies.iter().map(|anomaly| anomaly.kind.name()) {
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts
}
