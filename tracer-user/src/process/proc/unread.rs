//! What could not be read, and why: counted once a field and reason, for the summary.

use std::fmt;

use rustix::io::Errno;
use serde::Serialize;

/// A field of a snapshot, by its name in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the field of a snapshot that has its name, and is described there")]
pub enum Field {
    /// The row as a whole: whose it would be could not be read.
    Row,
    VmRssKb,
    VmHwmKb,
    VmSwapKb,
    FdCount,
    FdSoftLimit,
    OomScore,
    OomScoreAdj,
    SigPnd,
    SigBlk,
    SigCgt,
    Wchan,
    CtxSwitchesVoluntary,
    CtxSwitchesInvoluntary,
    ReadBytes,
    WriteBytes,
}

/// Why a field could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The system said so.
    Refused(Errno),
    /// The process, or its main thread, has ended and has no such thing any more.
    Ended,
    /// The kernel does not give it for this process, or at all.
    NotGiven,
    /// What was read makes no sense.
    Malformed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errno) => errno.fmt(f),
            Self::Ended => f.write_str("the process or its main thread has ended (zombie)"),
            Self::NotGiven => f.write_str("this kernel does not give it for such a process"),
            Self::Malformed => f.write_str("what was read makes no sense"),
        }
    }
}

/// How often each field was not read, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Few: fields times reasons that really occur. So a search is cheaper than a map.
    counts: Vec<(Field, Reason, u64)>,
}

/// A line of it, as the summary has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadRow {
    /// Which field.
    pub field: Field,
    /// Why, in words.
    pub reason: String,
    /// In how many rows.
    pub count: u64,
}

impl Unread {
    /// Counts one.
    pub fn note(&mut self, field: Field, reason: Reason) {
        match self.counts.iter_mut().find(|(known, why, _)| (*known, *why) == (field, reason)) {
            Some((_, _, count)) => *count += 1,
            None => self.counts.push((field, reason, 1)),
        }
    }

    /// The value, or `None` with its reason counted.
    pub fn value<T>(&mut self, field: Field, found: Result<T, Reason>) -> Option<T> {
        found.map_err(|reason| self.note(field, reason)).ok()
    }

    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        for (field, reason, count) in &other.counts {
            match self.counts.iter_mut().find(|(known, why, _)| (known, why) == (field, reason)) {
                Some((_, _, sum)) => *sum += count,
                None => self.counts.push((*field, *reason, *count)),
            }
        }
    }

    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
    }

    /// All of it, in the order of the row's fields.
    #[must_use]
    pub fn rows(&self) -> Vec<UnreadRow> {
        let row = |(field, reason, count): &(Field, Reason, u64)| UnreadRow {
            field: *field,
            reason: reason.to_string(),
            count: *count,
        };
        let mut rows: Vec<UnreadRow> = self.counts.iter().map(row).collect();
        rows.sort_unstable_by(|one, other| (one.field, &one.reason).cmp(&(other.field, &other.reason)));
        rows
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::{Field, Reason, Unread};

    #[test]
    fn a_reason_is_told_once_with_its_count() {
        let mut unread = Unread::default();
        for _ in 0..3 {
            let value: Option<u64> = unread.value(Field::ReadBytes, Err(Reason::Refused(Errno::ACCESS)));
            assert_eq!(value, None);
        }
        unread.note(Field::VmRssKb, Reason::Ended);
        let rows = serde_json::to_string(&unread.rows()).unwrap();
        assert_eq!(
            rows,
            "[{\"field\":\"vm_rss_kb\",\"reason\":\"the process or its main thread has ended (zombie)\",\"count\":1},\
             {\"field\":\"read_bytes\",\"reason\":\"Permission denied (os error 13)\",\"count\":3}]"
        );
    }

    #[test]
    fn what_was_read_is_not_counted() {
        let mut unread = Unread::default();
        assert_eq!(unread.value(Field::Wchan, Ok(1)), Some(1));
        assert_eq!(unread.rows(), []);
    }
}
