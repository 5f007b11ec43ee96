//! The contract between tracer's programs in the kernel and tracer in user space, defined once.
//!
//! Both sides compile this crate: the programs for `bpfel-unknown-none`, user space for the host. So every type is
//! `repr(C)`, holds only fixed-size integers, has no implicit padding, and has its size and the offset of each field
//! pinned by `const` asserts. Byte order is little-endian on every supported architecture.
//!
//! - [`record`]: what the programs write into the two rings.
//! - [`facts`]: what user space tells the programs about the running kernel (offsets, variants), as load-time globals.
//! - [`member`]: the map that says who is in the tree.
//! - [`count`]: per-CPU counters of events seen and lost.
//!
//! Feature `user` adds `aya::Pod` and `zerocopy` for the loader; feature `programs` is for the binary alone.

#![no_std]

pub mod count;
pub mod facts;
pub mod member;
pub mod record;

/// Bytes in a kernel `comm`, its final NUL included (`TASK_COMM_LEN`, include/linux/sched.h).
pub const COMM_LEN: usize = 16;

/// Names of the maps and globals, as the loader asks for them.
pub mod names {
    /// Hash map pid -> [`Member`](crate::member::Member).
    pub const TREE: &str = "TREE";
    /// Array with one [`Slots`](crate::member::Slots), or two where programs are preempted.
    pub const SLOTS: &str = "SLOTS";
    /// Ring of fork, exit and oom records.
    pub const LIFE: &str = "LIFE";
    /// Ring of exec, rename and signal records.
    pub const DETAIL: &str = "DETAIL";
    /// Per-CPU array with one [`Counters`](crate::count::Counters).
    pub const COUNTS: &str = "COUNTS";
    /// Array with one `u32`: non-zero wakes the reader at each exec.
    pub const EAGER: &str = "EAGER";
    /// aya-log's own ring, of the programs' diagnostics.
    pub const DIAGNOSTICS: &str = "AYA_LOGS";
    /// Global [`KernelFacts`](crate::facts::KernelFacts).
    pub const FACTS: &str = "FACTS";
}
