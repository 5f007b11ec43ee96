//! The classic daemon: setsid and a second fork, so that somebody else adopts it.

use crate::environment::note;
use crate::{observe, sys};

/// The grandchild outlives its parent, is adopted by the observer, and ends with 4.
pub(crate) fn daemon(_args: &[String]) -> i32 {
    let middle = sys::fork(|| {
        rustix::process::setsid().unwrap();
        let middle = std::process::id();
        sys::fork(|| {
            note("forked-by", std::process::id(), middle);
            outlive(middle);
            note("adopted-by", std::process::id(), parent());
            4
        });
        0
    });
    observe::reap(middle);
    0
}

/// Waits until somebody else is our parent. Nothing reports that, so this asks, and lets others run between.
fn outlive(first_parent: u32) {
    while parent() == first_parent {
        std::thread::yield_now();
    }
}

fn parent() -> u32 {
    std::os::unix::process::parent_id()
}
