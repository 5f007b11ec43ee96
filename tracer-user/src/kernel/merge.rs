//! Two rings -> one order.
//!
//! What a reader may rely on: if one event was over before another began, it comes first. So parents come before
//! children, an exec before its process's exit, a signal before the death that it causes, across CPUs and both rings.
//!
//! How: within a ring, records lie in the order in which their room was reserved. A record's time was taken before
//! that, so "the greatest time so far in this ring" never exceeds the moment of reservation, and merging by it keeps
//! the promise even where a program was interrupted between taking its time and reserving. Records are released up to
//! a time `before` that was read before both rings were: whatever precedes such a record has been read by then.

use std::collections::VecDeque;

use bytes::Bytes;

/// One of the two rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Fork, exit, oom.
    Life,
    /// Exec, rename, signal.
    Detail,
}

/// A record with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Nanoseconds since boot; never less than that of the record before.
    pub ktime_ns: u64,
    /// The record.
    pub bytes: Bytes,
}

/// Merges the rings.
#[derive(Debug, Default)]
pub struct Merge {
    life: Queue,
    detail: Queue,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Placed>,
    latest: u64,
}

impl Merge {
    /// The next record of `ring`.
    pub fn push(&mut self, ring: Ring, ktime_ns: u64, bytes: Bytes) {
        let queue = match ring {
            Ring::Life => &mut self.life,
            Ring::Detail => &mut self.detail,
        };
        queue.latest = queue.latest.max(ktime_ns);
        queue.waiting.push_back(Placed { ktime_ns: queue.latest, bytes });
    }

    /// The next record with a time before `before`, if there is one.
    pub fn pop(&mut self, before: u64) -> Option<Placed> {
        let life = self.life.waiting.front().map_or(u64::MAX, |record| record.ktime_ns);
        let detail = self.detail.waiting.front().map_or(u64::MAX, |record| record.ktime_ns);
        if life.min(detail) >= before {
            return None;
        }
        let queue = if life <= detail { &mut self.life } else { &mut self.detail };
        queue.waiting.pop_front()
    }

    /// Whether records wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.life.waiting.is_empty() && self.detail.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Merge, Ring};

    fn order(records: &[(Ring, u64, &'static str)], before: u64) -> Vec<(u64, String)> {
        let mut merge = Merge::default();
        for (ring, time, name) in records {
            merge.push(*ring, *time, Bytes::from_static(name.as_bytes()));
        }
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        std::iter::from_fn(|| merge.pop(before).map(|placed| (placed.ktime_ns, text(&placed.bytes))))
            .collect()
    }

    #[test]
    fn rings_are_merged_by_time() {
        let records = [(Ring::Life, 1, "fork"), (Ring::Life, 5, "exit"), (Ring::Detail, 3, "exec")];
        assert_eq!(order(&records, 9), [(1, "fork".into()), (3, "exec".into()), (5, "exit".into())]);
    }

    #[test]
    fn a_time_taken_before_an_interruption_does_not_change_a_rings_own_order() {
        // "late" took its time first and was then interrupted; "fork" was reserved before it.
        let records = [(Ring::Life, 7, "fork"), (Ring::Life, 4, "late"), (Ring::Detail, 8, "exec")];
        assert_eq!(order(&records, 9), [(7, "fork".into()), (7, "late".into()), (8, "exec".into())]);
    }

    #[test]
    fn nothing_is_released_that_something_unread_could_precede() {
        let records = [(Ring::Life, 1, "fork"), (Ring::Detail, 6, "exec")];
        assert_eq!(order(&records, 6), [(1, "fork".into())]);
    }

    #[test]
    fn at_the_same_time_a_birth_comes_first() {
        let records = [(Ring::Detail, 2, "exec"), (Ring::Life, 2, "fork")];
        assert_eq!(order(&records, 3), [(2, "fork".into()), (2, "exec".into())]);
    }
}
