//! tracer at real-time priority, for as long as somebody waits for the next exec, or a tree is being ended.
//!
//! The target is to be known within a millisecond of its exec (T3). Where every processor is busy, an ordinary process
//! waits for its turn much longer than that. So while the search is on, this process is scheduled first (SCHED_FIFO,
//! the lowest real-time priority); it runs for microseconds an exec. The command is forked before, and inherits nothing.

/// Real-time priority, given back when this is dropped.
pub(super) struct Urgency {
    before: (libc::c_int, libc::sched_param),
}

impl Urgency {
    /// Takes it. `None`: this user may not, or somebody has set another policy on purpose; then it is as it was.
    pub(super) fn take() -> Option<Self> {
        let policy = policy()?;
        let mut before = libc::sched_param { sched_priority: 0 };
        // SAFETY: asks about this thread; the parameter outlives the call.
        if unsafe { libc::sched_getparam(0, &raw mut before) } != 0 || policy != libc::SCHED_OTHER {
            return None;
        }
        set(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, libc::sched_param { sched_priority: 1 })
            .then_some(Self { before: (policy, before) })
    }
}

impl Drop for Urgency {
    fn drop(&mut self) {
        let (policy, parameter) = self.before;
        if !set(policy, parameter) {
            log::warn!("tracer could not give its real-time priority back");
        }
    }
}

fn policy() -> Option<libc::c_int> {
    // SAFETY: asks about this thread, without pointers.
    let policy = unsafe { libc::sched_getscheduler(0) };
    (policy >= 0).then_some(policy)
}

fn set(policy: libc::c_int, parameter: libc::sched_param) -> bool {
    // SAFETY: changes this thread; the parameter outlives the call.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) == 0 }
}

#[cfg(test)]
mod tests {
    use super::{Urgency, policy};

    #[test]
    fn the_priority_is_given_back() {
        let before = policy();
        if let Some(urgency) = Urgency::take() {
            assert_eq!(policy(), Some(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK));
            drop(urgency);
        }
        assert_eq!(policy(), before);
    }
}
