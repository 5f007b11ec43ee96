//! Why it ended: one sentence and one object, each claim with the event that shows it (V1). Pure.

pub mod order;

use std::io;

use serde::Serialize;

use super::process_row::KilledBy;
use super::text::{Text, for_terminal};
use crate::kernel::event::Status;
use crate::process::cgroup::LimitHit;
use crate::process::identity::Ticks;
use crate::process::member::Member;
use crate::process::signal;

/// Why a process ended.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Verdict<'a> {
    /// For a person.
    pub sentence: String,
    /// For a program.
    pub cause: Cause,
    /// The code given to `exit`.
    pub exit_code: Option<u8>,
    /// The signal that ended it.
    pub exit_signal: Option<u8>,
    /// Whether a core was dumped.
    pub core_dumped: bool,
    /// Who sent that signal; null: nobody, or the kernel itself.
    pub killed_by: Option<KilledBy<'a>>,
    /// Whether the OOM killer chose it.
    pub oom_killed: bool,
    /// The memory cgroup whose limit made the OOM killer act; null: none is known, so the system was short of memory, or the
    /// cgroup could not be asked.
    pub cgroup: Option<Limit<'a>>,
    /// The events in `events.jsonl` that show it.
    pub evidence: Vec<Evidence>,
}

/// The kernel sends these two on behalf of the writer (`send_sig` with priv 0), so they seem to come from there.
const SIGPIPE: u8 = 13;
const SIGXFSZ: u8 = 25;

/// What ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It exited with code 0.
    ExitedZero,
    /// It exited with another code.
    ExitedNonZero,
    /// Another process sent it a signal.
    SignalFromProcess,
    /// It sent itself a signal, by `abort` or `kill`.
    SignalFromItself,
    /// The kernel sent it a signal: a fault, a limit, a terminal, a timer.
    SignalFromKernel,
    /// A signal, and whose was not seen.
    SignalFromUnknown,
    /// The OOM killer, as far as is known because the whole system was short of memory.
    OomKiller,
    /// The OOM killer, because the limit of a memory cgroup was reached.
    CgroupLimit,
    /// It has not ended: it outlived the command.
    StillAlive,
    /// It never ran: the command could not be executed.
    NotRun,
    /// tracer, since `--timeout` was up.
    Timeout,
    /// tracer, since there was no output for `--idle-timeout`.
    IdleTimeout,
    /// tracer, since the output had what `--until` looks for.
    OutputMatched,
    /// tracer, since it was told to end itself.
    ToldToEnd,
    /// tracer was killed, and this is what it had seen by then.
    TracerKilled,
    /// Its end was not seen.
    Unknown,
}

impl Cause {
    /// Whether tracer itself brought the end about.
    #[must_use]
    pub fn is_an_order(self) -> bool {
        matches!(self, Self::Timeout | Self::IdleTimeout | Self::OutputMatched | Self::ToldToEnd)
    }
}

/// The limit of a memory cgroup that was reached, and what shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit<'a> {
    /// The cgroup's path in its hierarchy.
    pub path: Text<'a>,
    /// The limit; null: it could not be read.
    pub limit_bytes: Option<u64>,
    /// The counter that rose: file, and field if it has several.
    pub counter: &'static str,
    /// Its value when the target was found.
    pub before: u64,
    /// Its value after the kill.
    pub after: u64,
}

impl<'a> Limit<'a> {
    fn of(hit: &'a LimitHit) -> Self {
        let LimitHit { path, limit_bytes, counter, before, after } = hit;
        Self { path: Text(path), limit_bytes: *limit_bytes, counter, before: *before, after: *after }
    }

    fn sentence(&self) -> String {
        let bytes = self.limit_bytes.map_or_else(String::new, |bytes| format!(" ({})", mib(bytes)));
        format!("the memory limit of cgroup {}{bytes} was reached", for_terminal(self.path.0))
    }
}

#[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

/// An event that shows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Its kind.
    pub event: &'static str,
    /// Its time.
    pub ktime_ns: u64,
    /// Its process.
    pub pid: u32,
    /// Its process's start.
    pub starttime_ticks: Ticks,
}

impl<'a> Verdict<'a> {
    /// Why `member` ended. `limit` is the limit of a memory cgroup of its, reached while it ran; it counts where the OOM
    /// killer ended it.
    #[must_use]
    pub fn of(member: &'a Member, limit: Option<&'a LimitHit>) -> Self {
        let status = member.end.as_ref().map(|end| end.status);
        let cgroup = limit.filter(|_| member.was_oom_killed()).map(Limit::of);
        let cause = cause(member, cgroup.is_some());
        let killed_by = KilledBy::of(member);
        Self {
            sentence: sentence(member, cause, killed_by, cgroup),
            cause,
            exit_code: status.and_then(Status::exit_code),
            exit_signal: member.exit_signal(),
            core_dumped: status.is_some_and(Status::core_dumped),
            killed_by,
            oom_killed: member.was_oom_killed(),
            cgroup,
            evidence: evidence(member),
        }
    }

    /// What is known of `member`, whose tracer was killed. It was settled with `/proc` since.
    #[must_use]
    pub fn of_crash(member: &'a Member) -> Self {
        let verdict = Self::of(member, None);
        let who = format!("{} ({})", for_terminal(member.comm()), member.id.pid);
        let sentence = match (&member.end, member.orphaned) {
            (Some(_), _) => format!("tracer was killed; before that, {}", verdict.sentence),
            (None, true) => format!("tracer was killed; {who} was still running, and is to this moment"),
            (None, false) => format!("tracer was killed; {who} was still running, and has ended since"),
        };
        Self { sentence, cause: Cause::TracerKilled, ..verdict }
    }
}

/// Why `member` ended, whose tracer saw that and could not write its session. A recovery did; by whose order it ended is in no
/// event. So many of its lines are lost.
#[must_use]
pub fn of_unwritten(member: &Member, lost_lines: u64) -> Verdict<'_> {
    let verdict = Verdict::of(member, None);
    let lost = match lost_lines {
        0 => String::new(),
        1 => ", and 1 line of it is lost".to_owned(),
        lost => format!(", and {lost} lines of it are lost"),
    };
    let sentence = format!("{}; tracer could not write its session then{lost}", verdict.sentence);
    Verdict { sentence, ..verdict }
}

/// Why a command that could not be executed did not run: `error` is that of exec or, with code 125, of becoming the user that
/// it was to run as.
#[must_use]
pub fn not_run<'a>(command: &[u8], error: &io::Error, code: u8, root: &'a Member) -> Verdict<'a> {
    let error = error.to_string();
    let reason = error.split(" (os error").next().unwrap_or_default();
    Verdict {
        sentence: match code {
            125 => format!("{} can't be run as that user: {reason}", for_terminal(command)),
            _ => format!("{} can't be run: {reason}", for_terminal(command)),
        },
        cause: Cause::NotRun,
        exit_code: Some(code),
        ..Verdict::of(root, None)
    }
}

fn cause(member: &Member, is_at_limit: bool) -> Cause {
    let Some(end) = &member.end else {
        return if member.orphaned { Cause::StillAlive } else { Cause::Unknown };
    };
    match end.status.exit_signal() {
        None if end.status.exit_code() == Some(0) => Cause::ExitedZero,
        None => Cause::ExitedNonZero,
        Some(_) if member.was_oom_killed() && is_at_limit => Cause::CgroupLimit,
        Some(_) if member.was_oom_killed() => Cause::OomKiller,
        Some(_) => match member.fatal_signal().map(|seen| &seen.sender) {
            None => Cause::SignalFromUnknown,
            Some(None) => Cause::SignalFromKernel,
            Some(Some(sender)) if sender.process == member.id => Cause::SignalFromItself,
            Some(Some(_)) => Cause::SignalFromProcess,
        },
    }
}

fn sentence(
    member: &Member,
    cause: Cause,
    killed_by: Option<KilledBy<'_>>,
    cgroup: Option<Limit<'_>>,
) -> String {
    let who = format!("{} ({})", for_terminal(member.comm()), member.id.pid);
    let Some(end) = &member.end else {
        return match cause {
            Cause::StillAlive => format!("{who} outlived the command"),
            _ => format!("{who} is gone, but its end was not seen"),
        };
    };
    let Some(number) = end.status.exit_signal() else {
        return format!("{who} exited with code {}", end.status.exit_code().unwrap_or_default());
    };
    let signal = signal::name(number);
    let core = if end.status.core_dumped() { ", core dumped" } else { "" };
    if let Some(limit) = cgroup {
        return format!("{who} was killed by the OOM killer: {} ({signal}){core}", limit.sentence());
    }
    match (cause, killed_by) {
        (Cause::OomKiller, _) => format!("{who} was killed by the OOM killer ({signal}){core}"),
        (Cause::SignalFromItself, _) if number == SIGPIPE => {
            format!(
                "{who} was killed by SIGPIPE: it wrote to a pipe or socket that nobody reads any more{core}"
            )
        }
        (Cause::SignalFromItself, _) if number == SIGXFSZ => {
            format!("{who} was killed by SIGXFSZ: it wrote beyond its limit on the size of files{core}")
        }
        (Cause::SignalFromItself, _) => format!("{who} was killed by {signal} that it sent itself{core}"),
        (_, Some(by)) => format!(
            "{who} was killed by {signal} from {} ({}), uid {}{core}",
            for_terminal(by.comm.0),
            by.pid,
            by.uid
        ),
        (Cause::SignalFromKernel, None) => {
            format!("{who} was killed by {signal} from {}{core}", origin(number))
        }
        (_, None) => format!("{who} was killed by {signal}; who sent it was not seen{core}"),
    }
}

/// Where a signal comes from that the kernel sends by itself (signal(7)).
fn origin(number: u8) -> &'static str {
    match number {
        1..=3 => "its terminal",
        14 | 26 | 27 => "its own timer",
        24 => "the kernel: the limit on CPU time",
        25 => "the kernel: the limit on file sizes",
        _ => "the kernel",
    }
}

fn evidence(member: &Member) -> Vec<Evidence> {
    let Some(end) = &member.end else { return Vec::new() };
    let of =
        |event, ktime_ns| Evidence { event, ktime_ns, pid: member.id.pid, starttime_ticks: member.id.start };
    let signal = member.fatal_signal().map(|seen| of("signal", seen.at_ns));
    let oom = member.oom_ns.filter(|_| end.status.exit_signal() == Some(9)).map(|at| of("oom", at));
    let exit = member.ended_ns.map(|at| of("exit", at));
    oom.into_iter().chain(signal).chain(exit).collect()
}

#[cfg(test)]
mod tests;
