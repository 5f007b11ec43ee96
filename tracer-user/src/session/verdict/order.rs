//! An end that tracer itself brought about: the verdict says by which order, and names the signal that shows it.

use std::time::Duration;

use humantime::format_duration;

use super::{Cause, Evidence, Verdict};
use crate::process::identity::Identity;
use crate::process::member::{Member, SignalSeen};
use crate::process::signal;
use crate::session::text::for_terminal;

/// What made tracer end a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// It took longer than this.
    TimedOut(Duration),
    /// It was silent for longer than this.
    Idle(Duration),
    /// It wrote what this expression looks for.
    Matched(&'a str),
    /// tracer was sent SIGTERM, and passed it on.
    Told,
}

/// An order, and who gave it when to whom.
#[derive(Clone, Copy, Debug)]
pub struct Ordered<'a> {
    /// The order.
    pub order: Order<'a>,
    /// tracer.
    pub by: Identity,
    /// When the reason for it came, nanoseconds since boot.
    pub since_ns: u64,
    /// The command.
    pub root: &'a Member,
}

impl Order<'_> {
    fn cause(self) -> Cause {
        match self {
            Self::TimedOut(_) => Cause::Timeout,
            Self::Idle(_) => Cause::IdleTimeout,
            Self::Matched(_) => Cause::OutputMatched,
            Self::Told => Cause::ToldToEnd,
        }
    }

    fn why(self) -> String {
        match self {
            Self::TimedOut(time) => {
                format!("the command's time was up (--timeout {})", format_duration(time))
            }
            Self::Idle(time) => {
                format!("the command was silent for too long (--idle-timeout {})", format_duration(time))
            }
            Self::Matched(regex) => {
                format!("the output had what was waited for (--until {})", for_terminal(regex.as_bytes()))
            }
            Self::Told => "tracer was told to end by that signal, and passed it on".to_owned(),
        }
    }
}

impl Verdict<'_> {
    /// Why `member`, whose verdict this is, ended under an order. Who ended before it, or without a signal of tracer's to it
    /// or to the command, did so by itself.
    #[must_use]
    pub fn ordered(self, member: &Member, given: &Ordered<'_>) -> Self {
        let is_later = member.end.is_some() && member.ended_ns.is_some_and(|at| at >= given.since_ns);
        let (own, roots) = (signals(member, given), signals(given.root, given));
        let (to, seen) = if own.is_empty() { (given.root, &roots) } else { (member, &own) };
        let Some(first) = seen.first().filter(|_| is_later) else { return self };
        let why = given.order.why();
        let is_fatal = member.fatal_signal().is_some_and(|fatal| own.contains(&fatal));
        let sentence = if is_fatal {
            let who = format!("{} ({})", for_terminal(member.comm()), member.id.pid);
            let core = if self.core_dumped { ", core dumped" } else { "" };
            let name = signal::name(self.exit_signal.unwrap_or_default());
            format!("{who} was killed by {name} from tracer: {why}{core}")
        } else {
            let to = if to.id == member.id { "" } else { " to the command" };
            format!("{}, after {} from tracer{to}: {why}", self.sentence, signal::name(first.signal))
        };
        Self { sentence, cause: given.order.cause(), evidence: evidence(self.evidence, to, seen), ..self }
    }
}

/// What tracer sent to a process since, in order.
fn signals<'a>(member: &'a Member, given: &Ordered<'_>) -> Vec<&'a SignalSeen> {
    let sent = |seen: &&SignalSeen| {
        seen.at_ns >= given.since_ns && seen.sender.as_ref().is_some_and(|by| by.process == given.by)
    };
    let mut sent: Vec<&SignalSeen> = member.signals.iter().filter(sent).collect();
    sent.sort_by_key(|seen| seen.at_ns);
    sent
}

/// The signals, and what shows the end itself.
fn evidence(end: Vec<Evidence>, to: &Member, seen: &[&SignalSeen]) -> Vec<Evidence> {
    let of = |seen: &&SignalSeen| Evidence {
        event: "signal",
        ktime_ns: seen.at_ns,
        pid: to.id.pid,
        starttime_ticks: to.id.start,
    };
    let mut all: Vec<Evidence> = seen.iter().map(of).chain(end).collect();
    all.sort_by_key(|evidence| evidence.ktime_ns);
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Order, Ordered};
    use crate::kernel::event::{Comm, Sender, Status};
    use crate::process::identity::{Identity, Ticks};
    use crate::process::member::{End, Member, SignalSeen};
    use crate::session::verdict::{Cause, Verdict};

    const TRACER: Identity = Identity { pid: 2, start: Ticks(3) };
    const OTHER: Identity = Identity { pid: 7, start: Ticks(3) };

    fn comm(name: &[u8]) -> Comm {
        let mut bytes = [0; 16];
        bytes[..name.len()].copy_from_slice(name);
        Comm::new(bytes)
    }

    /// A process that ended with this status at 100, after these signals at 50, 51 …
    fn member(pid: u32, status: u32, signals: &[(u8, Identity)]) -> Member {
        let mut member = Member::new(Identity { pid, start: Ticks(5) }, OTHER, 0);
        member.named(comm(b"make"));
        member.ended_ns = Some(100);
        member.end = Some(Box::new(End { status: Status(status), totals: None }));
        member.signals = (50..)
            .zip(signals)
            .map(|(at_ns, (signal, process))| SignalSeen {
                signal: *signal,
                at_ns,
                sender: Some(Sender { process: *process, comm: comm(b"x"), uid: 0 }),
            })
            .collect();
        member
    }

    fn verdict(member: &Member, root: &Member, order: Order<'_>, since_ns: u64) -> (Cause, String, Vec<u64>) {
        let given = Ordered { order, by: TRACER, since_ns, root };
        let verdict = Verdict::of(member, None).ordered(member, &given);
        (verdict.cause, verdict.sentence, verdict.evidence.iter().map(|event| event.ktime_ns).collect())
    }

    #[test]
    fn each_order_is_told_with_the_signal_that_carried_it_out() {
        let killed = member(10, 15, &[(15, TRACER)]);
        let times = Duration::from_millis(1500);
        for (order, cause, why) in [
            (Order::TimedOut(times), Cause::Timeout, "the command's time was up (--timeout 1s 500ms)"),
            (
                Order::Idle(times),
                Cause::IdleTimeout,
                "the command was silent for too long (--idle-timeout 1s 500ms)",
            ),
            (Order::Matched("a|b"), Cause::OutputMatched, "the output had what was waited for (--until a|b)"),
            (Order::Told, Cause::ToldToEnd, "tracer was told to end by that signal, and passed it on"),
        ] {
            let sentence = format!("make (10) was killed by SIGTERM from tracer: {why}");
            assert_eq!(verdict(&killed, &killed, order, 40), (cause, sentence, vec![50, 100]));
        }
    }

    #[test]
    fn who_took_the_signal_and_ended_in_its_own_way_did_so_after_it() {
        let left = member(10, 0x300, &[(15, TRACER)]);
        let (cause, sentence, evidence) = verdict(&left, &left, Order::Told, 40);
        assert_eq!((cause, evidence), (Cause::ToldToEnd, vec![50, 100]));
        assert!(
            sentence.starts_with("make (10) exited with code 3, after SIGTERM from tracer: "),
            "{sentence}"
        );
        let (_, sentence, evidence) =
            verdict(&member(10, 9, &[(15, TRACER), (9, TRACER)]), &left, Order::Told, 40);
        assert!(sentence.starts_with("make (10) was killed by SIGKILL from tracer: "), "{sentence}");
        assert_eq!(evidence, [50, 51, 100]);
    }

    #[test]
    fn a_wrapper_that_handed_the_signal_on_is_named_and_so_is_tracer() {
        let (root, target) = (member(10, 15, &[(15, TRACER)]), member(11, 15, &[(15, OTHER)]));
        let (cause, sentence, evidence) = verdict(&target, &root, Order::Told, 40);
        assert_eq!((cause, evidence), (Cause::ToldToEnd, vec![50, 50, 100]));
        let both = "SIGTERM from x (7), uid 0, after SIGTERM from tracer to the command: ";
        assert!(sentence.contains(both), "{sentence}");
    }

    #[test]
    fn who_ended_before_the_order_or_without_a_signal_ended_by_itself() {
        let alone = member(10, 0, &[]);
        let early = member(10, 15, &[(15, TRACER)]);
        for (member, since_ns, cause) in
            [(&alone, 40, Cause::ExitedZero), (&early, 101, Cause::SignalFromProcess)]
        {
            assert_eq!(verdict(member, member, Order::Told, since_ns).0, cause);
        }
    }
}
