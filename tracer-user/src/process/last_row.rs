//! What is kept of a process's last row, for the next one: a fraction of it, since a tree may have ten thousand processes.

use std::sync::Arc;

use super::identity::Ticks;
use super::snapshot::Values;

/// A process's last row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRow {
    /// CPU time altogether.
    pub cpu: Option<Ticks>,
    /// Where its main thread waited.
    pub wchan: Option<Arc<[u8]>>,
    /// Bytes fetched from storage and sent there.
    pub io: Option<(u64, u64)>,
    /// How often its only thread gave its processor up, and how often that was taken from it.
    switches: Option<(u64, u64)>,
}

impl LastRow {
    /// Of these values.
    #[must_use]
    pub fn of(values: &Values) -> Self {
        Self {
            cpu: values.cpu(),
            wchan: values.wchan.clone(),
            io: values.read_bytes.zip(values.write_bytes),
            switches: switches(values),
        }
    }

    /// Whether the process surely did not run between this row and `now`: it has one thread, that does not run now, and
    /// neither count of its switches has moved; every time it leaves a processor moves one (kernel/sched/core.c,
    /// `__schedule`). A thread is taken for asleep some nanoseconds early, while it is about to leave; what it did
    /// just before shows in the next row then.
    #[must_use]
    pub fn slept_until(&self, now: &Values) -> bool {
        now.state != Some(b'R') && self.switches.is_some() && self.switches == switches(now)
    }
}

/// Of a process that has one thread: of another they are only a part.
fn switches(values: &Values) -> Option<(u64, u64)> {
    let counts = values.ctx_switches_voluntary.zip(values.ctx_switches_involuntary);
    counts.filter(|_| values.threads == Some(1))
}
