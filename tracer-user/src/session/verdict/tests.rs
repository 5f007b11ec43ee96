use super::{Cause, Verdict, of_unwritten};
use crate::kernel::event::{Comm, Sender, Status, Totals};
use crate::process::cgroup::LimitHit;
use crate::process::identity::{Identity, Ticks};
use crate::process::member::{End, Member, SignalSeen};

const ME: Identity = Identity { pid: 10, start: Ticks(5) };

fn ended(status: u32) -> Member {
    let mut member = Member::new(ME, Identity { pid: 1, start: Ticks(0) }, 0);
    member.named(comm("make"));
    member.ended_ns = Some(99);
    member.end = Some(Box::new(End { status: Status(status), totals: Some(Totals::default()) }));
    member
}

fn comm(name: &str) -> Comm {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Comm::new(bytes)
}

fn from(process: Identity) -> Option<Sender> {
    Some(Sender { process, comm: comm("killer"), uid: 7 })
}

fn verdict(status: u32, signal: Option<(u8, Option<Sender>)>) -> (Cause, String) {
    let mut member = ended(status);
    member.signals.extend(signal.map(|(signal, sender)| SignalSeen { signal, at_ns: 98, sender }));
    let verdict = Verdict::of(&member, None);
    (verdict.cause, verdict.sentence)
}

#[test]
fn each_end_has_its_own_sentence() {
    let other = Identity { pid: 44, start: Ticks(6) };
    let cases = [
        verdict(0, None),
        verdict(0x300, None),
        verdict(15, Some((15, from(other)))),
        verdict(9, Some((9, from(ME)))),
        verdict(0x8b, Some((11, None))),
        verdict(9, None),
        verdict(13, Some((13, from(ME)))),
        verdict(0x300, Some((15, from(other)))),
    ];
    let expected = [
        (Cause::ExitedZero, "make (10) exited with code 0"),
        (Cause::ExitedNonZero, "make (10) exited with code 3"),
        (Cause::SignalFromProcess, "make (10) was killed by SIGTERM from killer (44), uid 7"),
        (Cause::SignalFromItself, "make (10) was killed by SIGKILL that it sent itself"),
        (Cause::SignalFromKernel, "make (10) was killed by SIGSEGV from the kernel, core dumped"),
        (Cause::SignalFromUnknown, "make (10) was killed by SIGKILL; who sent it was not seen"),
        (
            Cause::SignalFromItself,
            "make (10) was killed by SIGPIPE: it wrote to a pipe or socket that nobody reads any more",
        ),
        (Cause::ExitedNonZero, "make (10) exited with code 3"),
    ];
    assert_eq!(cases, expected.map(|(cause, sentence)| (cause, sentence.to_owned())));
}

#[test]
fn an_oom_victim_names_both_events() {
    let mut member = ended(9);
    member.oom_ns = Some(97);
    member.signals.push(SignalSeen { signal: 9, at_ns: 98, sender: None });
    let verdict = Verdict::of(&member, None);
    assert_eq!(verdict.cause, Cause::OomKiller);
    let events: Vec<_> = verdict.evidence.iter().map(|seen| (seen.event, seen.ktime_ns)).collect();
    assert_eq!(events, [("oom", 97), ("signal", 98), ("exit", 99)]);
}

#[test]
fn an_oom_victim_that_exited_by_itself_first_was_not_killed() {
    let mut member = ended(0);
    member.oom_ns = Some(97);
    let verdict = Verdict::of(&member, None);
    assert_eq!((verdict.cause, verdict.oom_killed, verdict.evidence.len()), (Cause::ExitedZero, false, 1));
}

#[test]
fn an_end_that_was_not_seen_is_not_guessed() {
    let mut member = ended(0);
    member.end = None;
    assert_eq!(Verdict::of(&member, None).cause, Cause::Unknown);
}

fn hit(limit_bytes: Option<u64>) -> LimitHit {
    LimitHit { path: b"/x".to_vec(), limit_bytes, counter: "memory.failcnt", before: 3, after: 9 }
}

#[test]
fn an_oom_victim_whose_cgroup_was_at_its_limit_names_the_cgroup() {
    let mut member = ended(9);
    member.oom_ns = Some(97);
    let limit = hit(Some(64 << 20));
    let verdict = Verdict::of(&member, Some(&limit));
    assert_eq!((verdict.cause, verdict.oom_killed), (Cause::CgroupLimit, true));
    let expected = "make (10) was killed by the OOM killer: the memory limit of cgroup /x (64.0 MiB) was reached (SIGKILL)";
    assert_eq!(verdict.sentence, expected);
    assert_eq!(
        serde_json::to_string(&verdict.cgroup).unwrap(),
        "{\"path\":\"/x\",\"limit_bytes\":67108864,\"counter\":\"memory.failcnt\",\"before\":3,\"after\":9}"
    );
    let unread = hit(None);
    let sentence = Verdict::of(&member, Some(&unread)).sentence;
    assert!(sentence.ends_with("the memory limit of cgroup /x was reached (SIGKILL)"), "{sentence}");
}

#[test]
fn without_a_cgroup_it_is_the_oom_killer_alone() {
    let mut member = ended(9);
    member.oom_ns = Some(97);
    let verdict = Verdict::of(&member, None);
    assert_eq!((verdict.cause, verdict.cgroup), (Cause::OomKiller, None));
    assert_eq!(verdict.sentence, "make (10) was killed by the OOM killer (SIGKILL)");
}

#[test]
fn a_limit_is_not_blamed_for_another_end() {
    let limit = hit(None);
    let (exited, mut survived) = (ended(9), ended(0));
    survived.oom_ns = Some(97);
    for (member, cause) in [(&exited, Cause::SignalFromUnknown), (&survived, Cause::ExitedZero)] {
        let verdict = Verdict::of(member, Some(&limit));
        assert_eq!((verdict.cause, verdict.cgroup, verdict.oom_killed), (cause, None, false));
    }
}

#[test]
fn a_crash_says_what_was_seen_of_the_target_by_then() {
    let mut member = Member::new(ME, Identity { pid: 1, start: Ticks(0) }, 0);
    let sentence = |member: &Member| Verdict::of_crash(member).sentence;
    assert!(sentence(&member).ends_with("was still running, and has ended since"));
    member.orphaned = true;
    assert!(sentence(&member).ends_with("was still running, and is to this moment"));
    member.end = Some(Box::new(End { status: Status(0x300), totals: None }));
    assert!(sentence(&member).ends_with("(10) exited with code 3"));
    assert_eq!(Verdict::of_crash(&member).cause, Cause::TracerKilled);
}

#[test]
fn a_session_that_could_not_be_written_is_no_crash_and_keeps_why_the_target_ended() {
    let member = ended(0x300);
    let (cause, sentence) = (of_unwritten(&member, 0).cause, of_unwritten(&member, 0).sentence);
    assert_eq!(cause, Cause::ExitedNonZero);
    assert!(sentence.ends_with("exited with code 3; tracer could not write its session then"), "{sentence}");
    assert!(of_unwritten(&member, 7).sentence.ends_with("session then, and 7 lines of it are lost"));
}
