//! Two copies of each program, where the kernel preempts programs (`KernelFacts::preempted`).
//!
//! The kernel runs no program on a CPU on which that program is at work already (kernel/trace/bpf_trace.c,
//! `__bpf_trace_run`): whoever forks while a fork program of somebody else stands preempted there would not be seen. So a second
//! copy, attached after the first, does the work for those whom the first was not run for. It knows them by a mark that is not
//! there: the first leaves one with the thread that it ran for, and the second takes it away. What neither does is counted:
//! skipped, and not taken over.
//!
//! Elsewhere the second copy is not attached, and the first is the program alone.

use tracer_ebpf::member::marks as marks_of;
use tracer_ebpf::record::Kind;

use crate::emit::add_one;
use crate::kernel::{current, fact};
use crate::maps::{COUNTS, SLOTS};

/// The marks of whoever runs, a bit a kind. Nobody else changes them: an interrupt leaves them as it found them. `None`: there
/// were no such thread ids when the programs were loaded; then the first copy is the program alone.
#[inline(always)]
fn marks() -> Option<*mut u8> {
    let (entry, slot) = marks_of(current().1);
    let slots = SLOTS.get_ptr_mut(entry)?;
    // SAFETY: `slots` points at the live map value, and a slot is below its length.
    Some(unsafe { (&raw mut (*slots).taken).cast::<u8>().add(slot) })
}

/// The first copy.
#[inline(always)]
pub(crate) fn first(kind: Kind, report: impl FnOnce()) -> i32 {
    report();
    if fact!(preempted) != 0
        && let Some(marks) = marks()
    {
        // SAFETY: `marks` points into a live map value.
        unsafe { core::ptr::write_volatile(marks, core::ptr::read_volatile(marks) | 1 << kind as u8) };
    }
    0
}

/// The second copy.
#[inline(always)]
pub(crate) fn second(kind: Kind, report: impl FnOnce()) -> i32 {
    let Some(marks) = marks() else { return 0 };
    // SAFETY: `marks` points into a live map value.
    let found = unsafe { core::ptr::read_volatile(marks) };
    if found & 1 << kind as u8 != 0 {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(marks, found & !(1 << kind as u8)) };
        return 0;
    }
    let Some(counters) = COUNTS.get_ptr_mut(0) else { return 0 };
    // SAFETY: `counters` points at this CPU's live map value.
    add_one(unsafe { &raw mut (*counters).taken_over });
    report();
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
