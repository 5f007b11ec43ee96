//! The highest figures of a session: a pure fold over its rows and its exits, in any amount, in constant memory.
//!
//! **The target**: its peak resident set is the highest that any row or its exit says. The exit's figure is exact, but counts
//! from before the exec (getrusage(2)): a process that was forked by a larger one may show that one's.
//!
//! **The tree**: rows of one round are added up. What lived between two rounds only was at least as large as itself, so the
//! tree's peak is never below the highest peak of a single process. Pages that processes share count in each of them, as
//! they do in every sum of resident sets.

use std::collections::BTreeMap;

use crate::kernel::event::Comm;
use crate::process::snapshot::Snapshot;

/// Names that are told apart; a target that changes its name more often is drifting in any case.
const NAMES: usize = 256;

/// The fold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peaks {
    target_rss_kb: Option<u64>,
    tree_rss_kb: Option<u64>,
    oom_score: Option<u64>,
    fd_ratio: Option<f64>,
    names: BTreeMap<Comm, Seen>,
    rows: u64,
    /// The round at hand, and the sum of its rows so far.
    sweep: Option<(u64, u64)>,
    /// The target's resident set in its last row.
    target_now_kb: Option<u64>,
}

/// How often a name was seen, and in which row last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    count: u64,
    last: u64,
}

impl Peaks {
    /// Takes a row.
    pub fn snapshot(&mut self, row: &Snapshot) {
        self.rows += 1;
        let values = &row.values;
        if let Some(rss) = values.vm_rss_kb {
            let sum = match self.sweep {
                Some((sweep, sum)) if sweep == row.sweep => sum.saturating_add(rss),
                _ => rss,
            };
            self.sweep = Some((row.sweep, sum));
            self.tree_rss_kb = self.tree_rss_kb.max(Some(sum));
        }
        let largest = values.vm_rss_kb.max(values.vm_hwm_kb);
        self.tree_rss_kb = self.tree_rss_kb.max(largest);
        if row.is_target {
            self.target_rss_kb = self.target_rss_kb.max(largest);
            self.target_now_kb = values.vm_rss_kb;
            self.target(row);
        }
    }

    /// Takes an exit's exact figure.
    pub fn exit(&mut self, is_target: bool, max_rss_kb: Option<u64>) {
        self.tree_rss_kb = self.tree_rss_kb.max(max_rss_kb);
        if is_target {
            self.target_rss_kb = self.target_rss_kb.max(max_rss_kb);
        }
    }

    fn target(&mut self, row: &Snapshot) {
        self.oom_score = self.oom_score.max(row.values.oom_score);
        if let (Some(count), Some(limit)) = (row.values.fd_count, row.values.fd_soft_limit)
            && limit > 0
        {
            let ratio = count as f64 / limit as f64;
            self.fd_ratio = Some(self.fd_ratio.map_or(ratio, |highest| highest.max(ratio)));
        }
        if self.names.len() < NAMES || self.names.contains_key(&row.comm) {
            let seen = self.names.entry(row.comm).or_default();
            *seen = Seen { count: seen.count + 1, last: self.rows };
        }
    }

    /// Resident sets as the last rows say, KiB: the target's, and the sum over the last round.
    #[must_use]
    pub fn now_kb(&self) -> (Option<u64>, Option<u64>) {
        (self.target_now_kb, self.sweep.map(|(_, sum)| sum))
    }

    /// The target's peak resident set, KiB.
    #[must_use]
    pub fn peak_rss_kb(&self) -> Option<u64> {
        self.target_rss_kb
    }

    /// The tree's, KiB: no less than this.
    #[must_use]
    pub fn peak_tree_rss_kb(&self) -> Option<u64> {
        self.tree_rss_kb
    }

    /// The target's highest OOM score.
    #[must_use]
    pub fn peak_oom_score(&self) -> Option<u64> {
        self.oom_score
    }

    /// The target's highest share of its descriptor limit.
    #[must_use]
    pub fn peak_fd_ratio(&self) -> Option<f64> {
        self.fd_ratio
    }

    /// The name in most of the target's rows; of several, the one that was seen last.
    #[must_use]
    pub fn tracked_comm(&self) -> Option<&Comm> {
        let usual = self.names.iter().max_by_key(|(_, seen)| **seen);
        usual.map(|(name, _)| name)
    }

    /// Whether the target's rows have more than one name; `None`: there are no such rows.
    #[must_use]
    pub fn tracked_comm_drift(&self) -> Option<bool> {
        (!self.names.is_empty()).then_some(self.names.len() > 1)
    }

    /// Rows taken.
    #[must_use]
    pub fn snapshot_count(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::Peaks;
    use crate::kernel::event::Comm;
    use crate::process::snapshot::{Snapshot, Values};
    use crate::session::snapshot_row::made;

    fn row(pid: u32, sweep: u64, rss: Option<u64>) -> Snapshot {
        let values = Values { vm_rss_kb: rss, ..Values::default() };
        Snapshot { is_target: pid == 10, sweep, values, ..made(pid, "x") }
    }

    fn peaks(rows: impl IntoIterator<Item = Snapshot>) -> Peaks {
        let mut peaks = Peaks::default();
        rows.into_iter().for_each(|row| peaks.snapshot(&row));
        peaks
    }

    #[test]
    fn rows_of_one_round_are_added_up_and_rounds_are_not() {
        let peaks =
            peaks([row(10, 1, Some(5)), row(11, 1, Some(7)), row(10, 2, Some(3)), row(11, 2, Some(8))]);
        assert_eq!((peaks.peak_tree_rss_kb(), peaks.peak_rss_kb()), (Some(12), Some(5)));
    }

    #[test]
    fn a_process_that_lived_between_two_rounds_raises_the_trees_peak() {
        let mut peaks = peaks([row(10, 1, Some(5)), row(10, 2, Some(6))]);
        peaks.exit(false, Some(900));
        peaks.exit(false, None);
        assert_eq!((peaks.peak_tree_rss_kb(), peaks.peak_rss_kb()), (Some(900), Some(6)));
    }

    #[test]
    fn the_targets_exit_is_exact_where_rows_are_not() {
        let mut peaks = peaks([row(10, 1, Some(5))]);
        peaks.exit(true, Some(70));
        peaks.exit(true, Some(60));
        assert_eq!(peaks.peak_rss_kb(), Some(70));
    }

    #[test]
    fn a_peak_between_two_rows_is_in_the_high_water_mark() {
        let mut high = row(10, 1, Some(5));
        high.values.vm_hwm_kb = Some(50);
        let peaks = peaks([high]);
        assert_eq!((peaks.peak_rss_kb(), peaks.peak_tree_rss_kb()), (Some(50), Some(50)));
    }

    #[test]
    fn what_was_never_seen_is_none_and_not_zero() {
        let peaks = peaks([row(11, 1, None), row(10, 1, None)]);
        assert_eq!((peaks.peak_rss_kb(), peaks.peak_tree_rss_kb()), (None, None));
        assert_eq!((peaks.peak_oom_score(), peaks.peak_fd_ratio()), (None, None));
        assert_eq!((Peaks::default().tracked_comm(), Peaks::default().tracked_comm_drift()), (None, None));
    }

    #[test]
    fn descriptors_count_against_the_limit_of_their_own_row() {
        let mut rows = [row(10, 1, None), row(10, 2, None), row(10, 3, None), row(11, 3, None)];
        for (row, (count, limit)) in rows.iter_mut().zip([(10, 100), (30, 1000), (5, 0), (90, 100)]) {
            (row.values.fd_count, row.values.fd_soft_limit) = (Some(count), Some(limit));
            row.values.oom_score = Some(count);
        }
        let peaks = peaks(rows);
        assert_eq!((peaks.peak_fd_ratio(), peaks.peak_oom_score()), (Some(0.1), Some(30)));
    }

    fn named(names: &[&str]) -> Peaks {
        peaks(names.iter().map(|name| Snapshot { comm: Comm::cut(name.as_bytes()), ..row(10, 1, None) }))
    }

    #[test]
    fn the_usual_name_is_the_one_in_most_rows() {
        let peaks = named(&["a", "b", "b", "a", "b"]);
        assert_eq!(
            (peaks.tracked_comm().unwrap().bytes(), peaks.tracked_comm_drift()),
            (b"b".as_slice(), Some(true))
        );
        assert_eq!(named(&["a", "b"]).tracked_comm().unwrap().bytes(), b"b");
        assert_eq!(named(&["a", "a"]).tracked_comm_drift(), Some(false));
    }

    #[test]
    fn ever_new_names_do_not_fill_the_memory() {
        let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let peaks = named(&names);
        assert_eq!((peaks.names.len(), peaks.tracked_comm_drift()), (super::NAMES, Some(true)));
    }
}
