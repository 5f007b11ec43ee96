//! Per-CPU counters, so that nothing is lost in silence (K6).
//!
//! Each program first counts an event as attempted, then reserves room in a ring, and counts a refusal as failed.
//! For every CPU and kind, `attempted - failed` records must reach the reader; what is missing beyond that is a gap.
//! The additions are atomic: an interrupt on the same CPU, or a preempted program, can't lose one.

use crate::record::Kind;

/// One CPU's counters. All of them only grow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Counters {
    /// Children that did not fit into the tree map: their own events are not seen.
    pub untracked: u64,
    /// Events that a program began to report, by [`Kind`] (index 0 is unused); the record carries the value as its `seq`.
    pub attempted: [u64; Kind::COUNT],
    /// Of these, the ones for which the ring had no room.
    pub failed: [u64; Kind::COUNT],
    /// Times that another copy of a program did the work, because the kernel skipped the first.
    pub taken_over: u64,
}

const _: () = assert!(size_of::<Counters>() == 16 + 16 * Kind::COUNT);

// SAFETY: `repr(C)`, integers only, and zerocopy's `IntoBytes` above proves that there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Counters {}
