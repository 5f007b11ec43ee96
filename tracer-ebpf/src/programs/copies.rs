//! Two copies of each program, where the kernel preempts programs (`KernelFacts::preempted`).
//!
//! The kernel runs no program on a CPU on which that program is at work already (kernel/trace/bpf_trace.c,
//! `__bpf_trace_run`): whoever forks while a fork program of somebody else stands preempted there would not be seen. So a second
//! copy, attached after the first, does the work for those whom the first was not run for. It knows them by the mark that the
//! first leaves while it is at work: it runs on the same CPU right after the first was skipped, and whoever is in the first
//! still is. What neither does is counted: skipped, and not taken over.
//!
//! Elsewhere the second copy is not attached, and the first is the program alone.

use tracer_ebpf::record::Kind;

use crate::emit::add_one;
use crate::kernel::fact;
use crate::maps::COUNTS;

/// The first copy.
#[inline(always)]
pub(crate) fn first(kind: Kind, report: impl FnOnce()) -> i32 {
    if fact!(preempted) == 0 {
        report();
        return 0;
    }
    let Some(counters) = COUNTS.get_ptr_mut(0) else { return 0 };
    // SAFETY: `counters` points at this CPU's live map value, and a program stays on its CPU.
    let at_work = unsafe { &raw mut (*counters).at_work[kind as usize] };
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(at_work, 1) };
    report();
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(at_work, 0) };
    0
}

/// The second copy.
#[inline(always)]
pub(crate) fn second(kind: Kind, report: impl FnOnce()) -> i32 {
    let Some(counters) = COUNTS.get_ptr_mut(0) else { return 0 };
    // SAFETY: `counters` points at this CPU's live map value.
    if unsafe { core::ptr::read_volatile(&raw const (*counters).at_work[kind as usize]) } != 0 {
        // SAFETY: as above.
        add_one(unsafe { &raw mut (*counters).taken_over[kind as usize] });
        report();
    }
    0
}

/// Both copies of a program.
macro_rules! copies {
    ($(#[$doc:meta])* $tracepoint:literal => $first:ident, $second:ident: $kind:ident) => {
        $(#[$doc])*
        #[aya_ebpf::macros::raw_tracepoint(tracepoint = $tracepoint)]
        pub(crate) fn $first(ctx: RawTracePointContext) -> i32 {
            $crate::copies::first(Kind::$kind, || report(&ctx))
        }

        $(#[$doc])*
        #[aya_ebpf::macros::raw_tracepoint(tracepoint = $tracepoint)]
        pub(crate) fn $second(ctx: RawTracePointContext) -> i32 {
            $crate::copies::second(Kind::$kind, || report(&ctx))
        }
    };
}
pub(crate) use copies;
