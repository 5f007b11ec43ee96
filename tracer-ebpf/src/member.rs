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
pub const SLOTS: usize = 1 << 17;

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

/// The entry where a thread has the marks of the programs that ran for it. Only where programs are preempted.
pub const DONE: u32 = 1;

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
