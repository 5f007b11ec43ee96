//! What was read of one process at one moment: a row of `proc_trace.jsonl`, before it is text.

use std::sync::Arc;

use jiff::Timestamp;

use super::identity::{Identity, Ticks};
use crate::kernel::event::Comm;

/// One process at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When, by the calendar; strictly increasing within a session (see [`super::captured::StrictlyIncreasing`]).
    pub captured_at: Timestamp,
    /// Who. From the same read as `comm`, the state and the CPU times.
    pub id: Identity,
    /// Its name then.
    pub comm: Comm,
    /// It is the target.
    pub is_target: bool,
    /// CPU time used since the row before of the same process, in percent of one processor, so above 100 with several
    /// threads. `None` in the first row. The kernel gives CPU time in ticks of 10 ms: that much a row may be off.
    pub cpu_percent: Option<f64>,
    /// What was read.
    pub values: Values,
    /// Which round of sampling it belongs to: rows of one round make up the tree at one moment.
    pub sweep: u64,
}

/// What was read of a process. `None`: it could not be, and [`super::proc::unread::Unread`] has the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// State of the main thread: `R`, `S`, `D`, `Z` …
    pub state: Option<u8>,
    /// Resident set, KiB.
    pub vm_rss_kb: Option<u64>,
    /// Its peak since the last exec, KiB.
    pub vm_hwm_kb: Option<u64>,
    /// Swapped out, KiB; without shared memory.
    pub vm_swap_kb: Option<u64>,
    /// Threads that are not reaped yet.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub fd_count: Option<u64>,
    /// How many it may have open.
    pub fd_soft_limit: Option<u64>,
    /// How likely the OOM killer is to choose it, 0 to 2000.
    pub oom_score: Option<u64>,
    /// What its owner adds to that, -1000 to 1000.
    pub oom_score_adj: Option<i64>,
    /// Signals that wait: the main thread's own (`SigPnd`) and the process's (`ShdPnd`). Bit N-1 is signal N.
    pub sig_pnd: Option<u64>,
    /// Signals that the main thread blocks.
    pub sig_blk: Option<u64>,
    /// Signals that have a handler.
    pub sig_cgt: Option<u64>,
    /// Where in the kernel the main thread waits. `None` also where it does not wait, or where the kernel keeps it from
    /// this user: it writes `0` for both.
    pub wchan: Option<Arc<[u8]>>,
    /// Times that the main thread gave its processor up. Other threads' are not in it: the kernel gives a process's sum
    /// only at its end (`nvcsw`).
    pub ctx_switches_voluntary: Option<u64>,
    /// Times that the processor was taken from the main thread; its own alone, too.
    pub ctx_switches_involuntary: Option<u64>,
    /// User CPU time over all threads.
    pub utime_ticks: Option<Ticks>,
    /// System CPU time over all threads.
    pub stime_ticks: Option<Ticks>,
    /// Bytes fetched from storage.
    pub read_bytes: Option<u64>,
    /// Bytes sent to storage.
    pub write_bytes: Option<u64>,
}

impl Values {
    /// CPU time altogether.
    #[must_use]
    pub fn cpu(&self) -> Option<Ticks> {
        Some(Ticks(self.utime_ticks?.0.saturating_add(self.stime_ticks?.0)))
    }
}
