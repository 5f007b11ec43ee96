//! What came of a run: the session, and what the person who waits is told.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::ending::Why;
use super::limits::Limits;
use super::plan::Plan;
use super::spawn::Ended;
use crate::kernel::event::Status;
use crate::kernel::events::boot_ns;
use crate::kernel::loss::Loss;
use crate::process::identity::Identity;
use crate::process::member::Member;
use crate::process::target::Unresolved;
use crate::record::enrollment::{Enrolled, is_full};
use crate::record::runtime::DEFAULT_TMPFS;
use crate::session::finish::{LogDir, Name, Placed, finish};
use crate::session::recording::{NOBODY, Recording};
use crate::session::sum_up::{Ending, sum_up};
use crate::session::summary::{Completeness, Reason, Subtype};
use crate::session::text::{Text, for_terminal};
use crate::session::told::{Figures, Told};
use crate::session::verdict::order::{Order, Ordered};
use crate::session::verdict::{Verdict, not_run};

/// What tracer exits with where it could not do what was asked.
pub const FAILED: u8 = 125;
/// What tracer exits with where it ended the command because that took too long, as `timeout` does.
pub const TIMED_OUT: u8 = 124;
/// SIGTERM, as the number in a status.
const TERM: u8 = 15;

/// So many orphans are named to the person who waits; the session has them all.
const ORPHANS_NAMED: usize = 3;

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
    /// Of these, the ones that live still.
    pub orphans_alive: u64,
    /// The first few of these, or of all if none lives, with their process ids.
    pub orphan_names: Vec<String>,
    /// What somebody should look at: how often each kind.
    pub anomalies: Vec<(&'static str, u64)>,
    /// What was lost.
    pub loss: Loss,
    /// The bytes of `summary.json`, wherever the session is; why they can't be made, if they can't.
    pub summary: Result<Vec<u8>, String>,
    /// Where the session is; what went wrong, if it is nowhere.
    pub session: Result<PathBuf, String>,
    /// Whether the index has its line.
    pub indexed: bool,
}

/// How tracer is to end: as the command did, unless something else came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// With this code, since the command could not be run: the error of `execvp`, or of becoming another user (125).
    NotRun(u8, i32),
    /// With 125: there was no workload behind the wrappers.
    Unresolved,
}

impl End {
    fn of(limits: &Limits, facts: &Facts<'_>) -> Self {
        let ended = facts.ended;
        match (facts.why, ended.not_run) {
            (Why::Unresolved, _) => Self::Unresolved,
            (_, Some(errno)) => Self::NotRun(Status(ended.status).exit_code().unwrap_or(FAILED), errno),
            (why, None) if limits.preserve_status || why == Why::Ended => Self::own(Status(ended.status)),
            (Why::TimedOut | Why::Idle, None) => Self::Code(TIMED_OUT),
            (Why::Told, None) => Self::Signal(TERM),
            (Why::Matched | Why::Ended, None) => Self::Code(0),
        }
    }

    fn own(status: Status) -> Self {
        status.exit_signal().map_or_else(|| Self::Code(status.exit_code().unwrap_or_default()), Self::Signal)
    }
}

/// How the session ended, for the summary.
fn reason(facts: &Facts<'_>) -> (Reason, Subtype) {
    let own = End::own(Status(facts.ended.status));
    match (facts.why, own) {
        (Why::TimedOut, _) => (Reason::TimedOut, Subtype::TimedOut),
        (Why::Idle, _) => (Reason::Idle, Subtype::TimedOut),
        (Why::Matched, _) => (Reason::OutputMatched, Subtype::Completed),
        (Why::Unresolved, _) => (Reason::TargetUnresolved, Subtype::Unresolved),
        (Why::Told, _) | (Why::Ended, End::Signal(_)) => (Reason::Signalled, Subtype::Killed),
        (Why::Ended, End::Code(0)) => (Reason::NaturalExit, Subtype::Completed),
        (Why::Ended, _) => (Reason::NaturalExit, Subtype::Failed),
    }
}

/// What made tracer end the command, if it did.
fn order<'a>(limits: &'a Limits, why: Why) -> Option<Order<'a>> {
    match why {
        Why::TimedOut => limits.timeout.map(Order::TimedOut),
        Why::Idle => limits.idle.map(Order::Idle),
        Why::Matched => limits.until.as_ref().map(|regex| Order::Matched(regex.as_str())),
        Why::Told => Some(Order::Told),
        Why::Ended | Why::Unresolved => None,
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
    /// Which ending came first.
    pub(super) why: Why,
    /// When, nanoseconds since boot.
    pub(super) since_ns: u64,
    /// tracer.
    pub(super) me: Identity,
    /// The command's first process.
    pub(super) child: Identity,
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
        let Recorded { mut recording, mut enrolled } = recorded;
        let (lines, told) = recording.parts();
        let root = root(told.figures, facts.child, facts.ended);
        let end = End::of(&plan.limits, facts);
        let mut summary = sum_up(&told, ending(plan, &told, facts, &root, end));
        let mut is_marked = false;
        let mut mark = || is_marked = enrolled.as_mut().is_some_and(note_finished);
        let session = finish(log_dir, &mut summary, lines, Name::Own, &mut mark);
        let session = session.map_err(|error| error.to_string());
        if summary.session_id != plan.session_id && session.is_ok() {
            let (wanted, got) = (&plan.session_id, &summary.session_id);
            log::warn!("there is another session {wanted} by now; this one is {got}");
        }
        let outcome = Self {
            end,
            sentence: match &facts.unresolved {
                Some(unresolved) if end == End::Unresolved => format!("error: {unresolved}"),
                _ => summary.verdict.as_ref().map(|verdict| verdict.sentence.clone()).unwrap_or_default(),
            },
            remarks: remarks(plan, &told, facts, &root).into_iter().collect(),
            elapsed_seconds: summary.elapsed_seconds,
            cpu_seconds: summary.cpu_seconds,
            peak_rss_kb: summary.peak_rss_kb,
            peak_tree_rss_kb: summary.peak_tree_rss_kb,
            target: told.target.map(|target| for_terminal(target.comm())),
            processes: summary.process_count,
            orphans: summary.orphans.len() as u64,
            orphans_alive: alive(told.figures).count() as u64,
            orphan_names: orphan_names(told.figures),
            anomalies: told.anomalies.to_vec(),
            loss: facts.loss,
            summary: summary.to_json().map_err(|error| error.to_string()),
            indexed: session.as_ref().is_ok_and(|placed| placed.unindexed.is_none()),
            session: session.as_ref().map(|placed| placed.path.clone()).map_err(Clone::clone),
        };
        match session {
            Ok(Placed { unindexed: None, .. }) => clear_away(recording, enrolled),
            Ok(Placed { unindexed: Some(why), .. }) => {
                unlisted(recording, enrolled.as_ref(), is_marked, &why);
            }
            Err(error) => {
                let kept = keep(plan, recording, enrolled, facts.ended);
                return Self { session: Err(error + &kept), ..outcome };
            }
        }
        outcome
    }
}

fn ending<'a>(plan: &'a Plan, told: &Told<'a>, facts: &Facts<'a>, root: &'a Member, end: End) -> Ending<'a> {
    let (reason, subtype) = reason(facts);
    let status = Status(facts.ended.status);
    let (exit_code, exit_signal) = match end {
        End::Unresolved => (Some(FAILED), None),
        End::NotRun(code, _) => (Some(code), None),
        End::Code(_) | End::Signal(_) => (status.exit_code(), status.exit_signal()),
    };
    Ending {
        session_id: &plan.session_id,
        labels: &plan.labels,
        command: plan.told_command().map(|word| Text(word.as_bytes())).collect(),
        subtype,
        exit_code: exit_code.map(i32::from),
        exit_signal,
        reason,
        verdict: match end {
            End::NotRun(code, errno) => {
                let error = std::io::Error::from_raw_os_error(errno);
                not_run(plan.command[0].as_bytes(), &error, code, root)
            }
            _ => verdict(plan, told, facts, root),
        },
        root,
        ended_ns: boot_ns(),
        boot_id: facts.boot_id,
        kernel: facts.kernel,
        waited_cpu_us: Some(facts.ended.cpu_us),
        completeness: Completeness::from(facts.loss),
    }
}

/// Why the target ended, or the root where there is none; and by whose order.
fn verdict<'a>(plan: &Plan, told: &Told<'a>, facts: &Facts<'_>, root: &'a Member) -> Verdict<'a> {
    let member = told.figures.target.as_ref().unwrap_or(root);
    ordered(plan, facts, root, member, told.verdict(member))
}

/// The verdict on a member, and by whose order it ended.
fn ordered<'a>(
    plan: &Plan,
    facts: &Facts<'_>,
    root: &Member,
    member: &Member,
    own: Verdict<'a>,
) -> Verdict<'a> {
    match order(&plan.limits, facts.why) {
        Some(order) => own.ordered(member, &Ordered { order, by: facts.me, since_ns: facts.since_ns, root }),
        None => own,
    }
}

/// Removes the older rows, the trace file and then its sidecar, once the session is in its place; without one they are all
/// that is left, and a later recovery makes it.
fn clear_away(recording: Recording, enrolled: Option<Enrolled>) {
    if let Err((path, error)) = recording.lines.events.remove() {
        log::warn!("{} can't be removed ({error})", path.display());
    } else if let Some(Err(error)) = enrolled.map(Enrolled::withdraw) {
        log::warn!("the enrollment sidecar can't be removed ({error})");
    }
}

/// The session is in its place: the sidecar says so, before retention may remove it. Whether that could be written.
fn note_finished(enrolled: &mut Enrolled) -> bool {
    let noted = enrolled.note_finished();
    match &noted {
        // That there is no room was said where it first failed; and where there is no directory, nobody finds anything.
        Err(error) if is_full(error) || error.kind() == ErrorKind::NotFound => {
            log::info!("the enrollment sidecar can't be written again ({error})");
        }
        Err(error) => log::warn!("{} can't be written again ({error})", enrolled.path().display()),
        Ok(()) => {}
    }
    noted.is_ok()
}

/// The session is in its place, without its line in the index: the sidecar stays, for a recovery to add it.
fn unlisted(recording: Recording, enrolled: Option<&Enrolled>, is_marked: bool, why: &str) {
    if enrolled.is_none() {
        return log::warn!("{why}");
    }
    log::warn!("{why}; once that can be written, run: tracer recover");
    // Without the mark all that it was made of is the mark.
    if is_marked {
        clear_away(recording, None);
    }
}

/// There is no session, and the person who waits is told so: the sidecar says it to the recovery that makes one. Returns what
/// that will lack, in words.
fn keep(plan: &Plan, mut recording: Recording, enrolled: Option<Enrolled>, ended: Ended) -> String {
    let lost = recording.lines.events.save();
    let Some(enrolled) = enrolled else {
        return format!("; all its lines ({lost}) were in memory, and are lost");
    };
    let path = enrolled.path();
    let kept = path.parent().unwrap_or(&path).display();
    let place = match plan.tmpfs_path.display() {
        _ if plan.tmpfs_path == Path::new(DEFAULT_TMPFS) => String::new(),
        path => format!(" --tmpfs-path {path}"),
    };
    let kept = format!(
        "; the recording is kept in {kept}: half a minute from now tracer recover{place} --log-dir DIR makes the session elsewhere"
    );
    let path = path.display().to_string();
    let unmarked = enrolled.note_unwritten(ended.status, lost).err();
    let lost = match lost {
        0 => String::new(),
        1 => "; 1 line that was in memory is lost".to_owned(),
        lost => format!("; {lost} lines that were in memory are lost"),
    };
    // Without the mark it looks like the session of a tracer that was killed, and is there all the same.
    let unmarked =
        unmarked.map(|why| format!("; {path} can't be written again ({why}), so it will look like a crash"));
    kept + &lost + &unmarked.unwrap_or_default()
}

/// The root; if even its events were lost, whom tracer started, and what `wait` told.
fn root(figures: &Figures, child: Identity, ended: Ended) -> Member {
    figures.root.clone().unwrap_or_else(|| {
        let mut root = Member::new(child, NOBODY, 0);
        root.end = Some(Box::new(crate::process::member::End { status: Status(ended.status), totals: None }));
        root
    })
}

/// The root's end, if the target is another process and ended in another way, or before the order that ended the rest.
fn remarks(plan: &Plan, told: &Told<'_>, facts: &Facts<'_>, root: &Member) -> Option<String> {
    let target = told.figures.target.as_ref().filter(|target| target.id != root.id)?;
    let status = |member: &Member| member.end.as_ref().map(|end| end.status);
    let own = ordered(plan, facts, root, root, Verdict::of(root, None));
    let is_another = status(target) != status(root)
        || own.cause.is_an_order() && !verdict(plan, told, facts, root).cause.is_an_order();
    is_another.then(|| format!("the command itself: {}", own.sentence))
}

/// Those who outlived the root, and live still.
fn alive(figures: &Figures) -> impl Iterator<Item = &Member> {
    figures.orphans.iter().filter(|orphan| orphan.ended_ns.is_none())
}

fn orphan_names(figures: &Figures) -> Vec<String> {
    if alive(figures).next().is_none() {
        return figures.orphans.iter().take(ORPHANS_NAMED).map(named).collect();
    }
    alive(figures).take(ORPHANS_NAMED).map(named).collect()
}

/// A process as a person is told of it.
fn named(member: &Member) -> String {
    format!("{} ({})", for_terminal(member.comm()), member.id.pid)
}

#[cfg(test)]
mod tests {
    use super::{Ended, Figures, Identity, root};
    use crate::process::identity::Ticks;

    #[test]
    fn a_root_whose_events_were_all_lost_is_whom_tracer_started() {
        let child = Identity { pid: 4711, start: Ticks(88) };
        let root = root(&Figures::default(), child, Ended { status: 3 << 8, cpu_us: 0, not_run: None });
        assert_eq!((root.id, root.end.unwrap().status.exit_code()), (child, Some(3)));
    }
}
