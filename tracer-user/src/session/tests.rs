//! What recording costs, as `cargo xtask bench` has it measured: tests in the release profile that run when they are asked for.
//!
//! - [`snapshot_cost`]: a snapshot beside its bare system calls.
//! - [`line_cost`]: a line of the spool.

mod line_cost;
mod snapshot_cost;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// This thread's processor time for it: others may keep the processors busy meanwhile.
fn timed(work: impl FnOnce()) -> Duration {
    by(ClockId::ThreadCPUTime, work)
}

/// Processor time of all threads.
fn of_all_threads(work: impl FnOnce()) -> Duration {
    by(ClockId::ProcessCPUTime, work)
}

fn by(clock: ClockId, work: impl FnOnce()) -> Duration {
    let now = || Duration::try_from(clock_gettime(clock)).unwrap();
    let begin = now();
    work();
    now() - begin
}
