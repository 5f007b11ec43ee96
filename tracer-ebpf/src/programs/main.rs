//! tracer's programs: one file a probe, each on a raw tracepoint.
//!
//! Every probe first asks whether the process is in the tree; for all others that one look-up is the whole cost (K7).
//! Raw tracepoints need neither tracefs nor kprobes, and their arguments are the tracepoint's own, so no record layout
//! and no `pt_regs` is assumed: one object serves every kernel from 5.10 on, on both little-endian architectures.
//!
//! - `fork`, `exec`, `exit`, `rename`, `signal`, `oom`: the probes.
//! - `maps`: the maps and the globals.
//! - `kernel`: reading the kernel's structures through `KernelFacts`.
//! - `copies`: why each probe is there more than once.
//! - `emit`: counting, and the header that all records share.

#![no_std]
#![no_main]
// An atomic addition without a result, which every supported kernel knows, can be had in assembly only.
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::multiple_unsafe_ops_per_block,
    reason = "helpers pack two numbers into one, and records are filled field by field; \
              a checked conversion would be a branch that the verifier walks for nothing"
)]

mod copies;
mod emit;
mod exec;
mod exit;
mod fork;
mod kernel;
mod maps;
mod oom;
mod rename;
mod signal;
mod totals;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that no program reaches this.
    loop {}
}

/// The kernel lets only programs under a GPL-compatible licence read its structures.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
