//! What was lost, by kind (K6): the programs' own counters against what arrived.

use serde::Serialize;
use tracer_ebpf::count::Counters;
use tracer_ebpf::record::Kind;

/// Events that happened and are not among the events, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Forks for which the ring had no room.
    pub fork: u64,
    /// The same for execs.
    pub exec: u64,
    /// The same for exits; `/proc` settles whose.
    pub exit: u64,
    /// The same for renames.
    pub rename: u64,
    /// The same for signals.
    pub signal: u64,
    /// The same for OOM victims.
    pub oom: u64,
    /// Children that did not fit into the tree map, so that nothing of them was seen after their fork.
    pub untracked: u64,
    /// Times that the kernel skipped a program because it was at work on that CPU, and all its copies.
    pub skipped: u64,
    /// Records that the programs handed over and that never arrived.
    pub gaps: u64,
}

impl Loss {
    /// Whether anything was lost.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// From each CPU's counters, how many records of each CPU arrived, and how often a first copy was skipped.
    #[must_use]
    pub fn account(counters: &[Counters], received: &[u64], skipped: u64) -> Self {
        let failed = |kind: Kind| counters.iter().map(|cpu| cpu.failed[kind as usize]).sum();
        let gap = |(cpu, counters): (usize, &Counters)| {
            // Every event that this CPU began to report was either refused room or handed over.
            let attempted: u64 = counters.attempted.iter().sum();
            let handed_over = attempted.saturating_sub(counters.failed.iter().sum());
            handed_over.saturating_sub(received.get(cpu).copied().unwrap_or(0))
        };
        Self {
            fork: failed(Kind::Fork),
            exec: failed(Kind::Exec),
            exit: failed(Kind::Exit),
            rename: failed(Kind::Rename),
            signal: failed(Kind::Signal),
            oom: failed(Kind::Oom),
            untracked: counters.iter().map(|cpu| cpu.untracked).sum(),
            skipped: skipped.saturating_sub(counters.iter().map(|cpu| cpu.taken_over).sum()),
            gaps: counters.iter().enumerate().map(gap).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracer_ebpf::count::Counters;
    use tracer_ebpf::record::Kind;

    use super::Loss;

    fn cpu(attempted: u64, failed: u64) -> Counters {
        let mut counters = Counters::default();
        counters.attempted[Kind::Exec as usize] = attempted;
        counters.failed[Kind::Exec as usize] = failed;
        counters
    }

    #[test]
    fn what_neither_failed_nor_arrived_is_a_gap_on_its_cpu() {
        let loss = Loss::account(&[cpu(10, 3), cpu(5, 0)], &[7, 4], 0);
        assert_eq!(loss, Loss { exec: 3, gaps: 1, ..Loss::default() });
    }

    #[test]
    fn a_surplus_on_one_cpu_does_not_hide_a_gap_on_another() {
        assert_eq!(Loss::account(&[cpu(1, 0), cpu(5, 0)], &[2, 4], 0).gaps, 1);
    }

    #[test]
    fn what_a_second_copy_did_was_not_skipped() {
        let mut counters = cpu(2, 0);
        counters.taken_over = 3;
        assert_eq!(Loss::account(&[counters], &[2], 4), Loss { skipped: 1, ..Loss::default() });
        assert!(Loss::account(&[counters], &[2], 3).is_none());
    }

    #[test]
    fn all_there_is_no_loss() {
        assert!(Loss::account(&[cpu(3, 0)], &[3], 0).is_none());
    }
}
