//! At the end: who of those whose end was not seen still lives?
//!
//! A lost exit must not leak. `/proc` knows: no such pid, or another start time under it, means that it is gone.

use super::member::{Adopter, Member};
use super::stat::Stat;

/// Brings a member that counts as living up to date. `read` gives `/proc/PID/stat`; `now_ns` is now since boot, and
/// `ends_lost` says whether an end may be among what was lost.
pub fn settle(member: &mut Member, now_ns: u64, ends_lost: bool, read: impl Fn(u32) -> Option<Stat>) {
    match read(member.id.pid).filter(|stat| stat.identity() == member.id && !stat.is_over()) {
        // It ended after the last look: an orphan that did not live much longer.
        None if !ends_lost => member.orphaned = true,
        None => {
            member.end_lost = true;
            member.ended_ns = Some(now_ns);
        }
        Some(stat) => orphaned(member, &stat, read),
    }
}

/// Takes note that a member outlives the root, if it does: also where its end is waited for, and it is no survivor of the
/// session. Who is as good as dead, since it was killed together with the root, is none.
pub fn outlives(member: &mut Member, read: impl Fn(u32) -> Option<Stat>) {
    if let Some(stat) = read(member.id.pid).filter(|stat| stat.identity() == member.id && !stat.is_over())
        && !member.is_dying()
    {
        orphaned(member, &stat, read);
    }
}

fn orphaned(member: &mut Member, stat: &Stat, read: impl Fn(u32) -> Option<Stat>) {
    member.orphaned = true;
    if stat.ppid != member.parent.pid {
        member.adopter = read(stat.ppid).map(|parent| Adopter { id: parent.identity(), comm: parent.comm });
    }
}

#[cfg(test)]
mod tests {
    use super::{outlives, settle};
    use crate::process::identity::{Identity, Ticks};
    use crate::process::member::Member;
    use crate::process::stat::Stat;

    const MEMBER: Identity = Identity { pid: 10, start: Ticks(5) };
    const PARENT: Identity = Identity { pid: 9, start: Ticks(4) };

    fn stat(pid: u32, start: u64, ppid: u32, state: u8) -> Stat {
        Stat { pid, comm: b"x".to_vec(), state, ppid, threads: 1, start: Ticks(start) }
    }

    fn settled(read: impl Fn(u32) -> Option<Stat>) -> Member {
        settled_where(true, read)
    }

    fn settled_where(ends_lost: bool, read: impl Fn(u32) -> Option<Stat>) -> Member {
        let mut member = Member::new(MEMBER, PARENT, 1);
        settle(&mut member, 77, ends_lost, read);
        member
    }

    #[test]
    fn who_is_gone_has_ended_though_nobody_saw_it() {
        for read in [None, Some(stat(10, 6, 9, b'S')), Some(stat(10, 5, 9, b'Z'))] {
            let member = settled(|_| read.clone());
            assert!(member.end_lost && !member.orphaned);
            assert_eq!(member.ended_ns, Some(77));
        }
    }

    #[test]
    fn where_no_end_was_lost_who_is_gone_outlived_the_session() {
        let member = settled_where(false, |_| None);
        assert!(member.orphaned && !member.end_lost);
        assert_eq!(member.ended_ns, None);
    }

    #[test]
    fn who_lives_is_an_orphan_and_its_adopter_is_named() {
        let member = settled(|pid| Some(if pid == 10 { stat(10, 5, 1, b'S') } else { stat(1, 0, 0, b'S') }));
        assert!(member.orphaned && member.ended_ns.is_none());
        assert_eq!(member.adopter.unwrap().id.pid, 1);
    }

    #[test]
    fn who_outlives_the_root_is_an_orphan_whatever_becomes_of_it() {
        let read =
            |state| move |pid| Some(if pid == 10 { stat(10, 5, 1, state) } else { stat(1, 0, 0, b'S') });
        let mut member = Member::new(MEMBER, PARENT, 1);
        outlives(&mut member, read(b'Z'));
        assert!(!member.orphaned, "it has ended");
        outlives(&mut member, read(b'S'));
        assert_eq!((member.orphaned, member.adopter.unwrap().id.pid), (true, 1));
    }

    #[test]
    fn who_still_has_its_own_parent_has_no_adopter() {
        let member = settled(|_| Some(stat(10, 5, 9, b'S')));
        assert_eq!((member.orphaned, member.adopter), (true, None));
    }
}
