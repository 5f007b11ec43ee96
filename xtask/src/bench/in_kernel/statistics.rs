//! Switches the kernel's BPF run time statistics on.
//!
//! Not by writing to `/proc/sys/kernel/bpf_stats_enabled`, which a bench that is killed would leave changed: since 5.8
//! the kernel keeps them on as long as somebody holds a descriptor for that (`bpf_enable_stats`,
//! kernel/bpf/syscall.c). However this process ends, they go back to what they were.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result};

use super::syscall::{Attributes, bpf};

/// `attr.enable_stats`.
#[repr(C)]
struct EnableStats {
    /// `BPF_STATS_RUN_TIME` is 0.
    kind: u32,
}

// SAFETY: one integer, which is all that the command reads.
unsafe impl Attributes for EnableStats {
    const COMMAND: libc::c_int = 32; // BPF_ENABLE_STATS
}

/// The statistics are on until this is dropped.
pub(super) struct Statistics {
    _held: OwnedFd,
}

/// Switches them on.
pub(super) fn enable() -> Result<Statistics> {
    let held = bpf(&EnableStats { kind: 0 });
    let advice = "cannot switch on the kernel's BPF statistics: that needs root and Linux 5.8";
    Ok(Statistics { _held: held.context(advice)? })
}
