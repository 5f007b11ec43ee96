//! A raw tracepoint program that only returns: what any program costs at the least, as the statistics see it.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};

use super::counters::{self, Run};
use super::syscall::{Attributes, bpf};

/// `r0 = 0; exit` (`struct bpf_insn`: opcode, registers, offset, immediate).
static CODE: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 0, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
static LICENSE: &CStr = c"GPL";
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`.
const RAW_TRACEPOINT: u32 = 17;

/// The beginning of `attr` for `BPF_PROG_LOAD`; the rest is about logs and names.
#[repr(C)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
}

// SAFETY: `repr(C)` integers without padding; the addresses are of statics of the length that is given.
unsafe impl Attributes for Load {
    const COMMAND: libc::c_int = 5; // BPF_PROG_LOAD
}

/// `attr.raw_tracepoint`.
#[repr(C)]
struct Open {
    name: u64,
    program: u32,
    reserved: u32,
}

// SAFETY: `repr(C)` integers without padding; the address is of a C string that outlives the call.
unsafe impl Attributes for Open {
    const COMMAND: libc::c_int = 17; // BPF_RAW_TRACEPOINT_OPEN
}

/// The program at work; detached and gone when dropped.
pub(super) struct Program {
    program: OwnedFd,
    _link: OwnedFd,
}

impl Program {
    /// Puts it on a tracepoint.
    pub(super) fn attach(tracepoint: &CStr) -> Result<Self> {
        let (code, license) = (CODE.as_ptr().addr() as u64, LICENSE.as_ptr().addr() as u64);
        let load = Load { kind: RAW_TRACEPOINT, instructions: 2, code, license };
        let program = bpf(&load).context("the kernel did not take an empty program")?;
        let open = Open {
            name: tracepoint.as_ptr().addr() as u64,
            program: program.as_raw_fd().cast_unsigned(),
            reserved: 0,
        };
        let link =
            bpf(&open).with_context(|| format!("cannot attach to {}", tracepoint.to_string_lossy()))?;
        Ok(Self { program, _link: link })
    }

    /// Its counters now.
    pub(super) fn run(&self) -> Result<Run> {
        let path = format!("/proc/self/fdinfo/{}", self.program.as_raw_fd());
        let (_, run) =
            counters::read(Path::new(&path))?.with_context(|| format!("{path} has no counters"))?;
        Ok(run)
    }
}
