//! Stand-in for the programs: one probe, one map and one global, so that the build has something to build.

#![no_std]
#![no_main]

use aya_ebpf::Global;
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::RawTracePointContext;
use tracer_ebpf::facts::KernelFacts;

#[unsafe(no_mangle)]
static FACTS: Global<KernelFacts> = Global::new(KernelFacts::NONE);

#[map]
static EAGER: Array<u32> = Array::with_max_entries(1, 0);

/// Counts exits, as far as a stand-in needs to.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn exit(_ctx: RawTracePointContext) -> i32 {
    let wake = FACTS.load().wake_at;
    i32::from(EAGER.set(0, wake, 0).is_err())
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
