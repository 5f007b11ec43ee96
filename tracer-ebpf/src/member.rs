//! The map of who is in the tree: pid -> [`Member`].
//!
//! The fork program inserts a child before it first runs; the exit program removes it when its last thread is gone.
//! A pid therefore stands in the map exactly as long as the process can still do something.

/// What the kernel side keeps of one member of the tree.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Member {
    /// `task_struct.start_boottime` of the group leader, nanoseconds since boot.
    pub start_ns: u64,
    /// The same of the process that forked it.
    pub parent_start_ns: u64,
    /// Process id of the process that forked it, in the initial pid namespace.
    pub ppid: u32,
    /// Generations below the root, which has 0. Stops at `u16::MAX`.
    pub depth: u16,
    /// [`SPAWNER`] or 0.
    pub flags: u16,
}

/// How many slots there are: the usual `pid_max` or more.
pub const SLOTS: usize = PIDS as usize;

/// Pids that have a slot each.
const PIDS: u32 = 1 << 17;

/// A byte a pid (modulo [`SLOTS`]): 0 says that it is in no tree, anything else that the map has to be asked.
///
/// New pids are neighbours here, so the bytes of those that are alive fill a few cache lines, whereas each has a bucket
/// of its own somewhere in the hash map, which is a cache miss. Bytes are only ever stored, not changed, so no two
/// processors can lose each other's. Where pids share slots, a slot stays set, and costs those who share it a look.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Slots {
    /// By pid.
    pub taken: [u8; SLOTS],
}

/// The entry of the map of slots that says who is in a tree.
pub const TAKEN: u32 = 0;

/// The first of the entries where a thread has the marks of the programs that ran for it. Only where programs are preempted.
pub const DONE: u32 = 1;

/// The largest `pid_max` that a kernel takes (PID_MAX_LIMIT).
const PID_MAX_LIMIT: u32 = 1 << 22;

/// The entry and the slot of a thread's marks, which it shares with no other.
#[must_use]
#[inline(always)]
pub const fn marks(tid: u32) -> (u32, usize) {
    (DONE + tid / PIDS, slot(tid))
}

/// How many entries that takes where thread ids are below `pid_max`, if that is known.
#[must_use]
pub fn entries_with_marks(pid_max: Option<u32>) -> u32 {
    let last = pid_max.unwrap_or(PID_MAX_LIMIT).clamp(1, PID_MAX_LIMIT) - 1;
    marks(last).0 + 1
}

/// The slot of a pid.
#[must_use]
#[inline(always)]
pub const fn slot(pid: u32) -> usize {
    pid as usize & (SLOTS - 1)
}

const _: () = assert!(size_of::<Slots>() == SLOTS && SLOTS.is_power_of_two());

// SAFETY: bytes only.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Slots {}

/// This entry is tracer itself while it starts the root: not a member, but its next child is the root.
pub const SPAWNER: u16 = 1;

const _: () = assert!(size_of::<Member>() == 24);

// SAFETY: `repr(C)`, integers only, and zerocopy's `IntoBytes` above proves that there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for Member {}

#[cfg(test)]
mod tests {
    use super::{PID_MAX_LIMIT, PIDS, entries_with_marks, marks};

    #[test]
    fn each_thread_has_marks_of_its_own_and_there_is_an_entry_for_them() {
        for pid_max in [301, 32768, PIDS, PIDS + 1, 3 * PIDS, PID_MAX_LIMIT] {
            assert_eq!(marks(pid_max - 1).0, entries_with_marks(Some(pid_max)) - 1, "{pid_max}");
        }
        assert_eq!(
            [0, PIDS - 1, PIDS, PID_MAX_LIMIT].map(|max| entries_with_marks(Some(max))),
            [2, 2, 2, 33]
        );
        assert_eq!(entries_with_marks(None), 33);
        let tids = [1, 2, PIDS - 1, PIDS, PIDS + 1, 2 * PIDS + 1];
        let mut places = tids.map(marks).to_vec();
        places.dedup();
        assert!(places.is_sorted() && places.len() == tids.len(), "{places:?}");
    }
}
