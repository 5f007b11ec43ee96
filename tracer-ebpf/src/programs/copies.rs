//! Copies of each program, where the kernel preempts programs (`KernelFacts::preempted`).
//!
//! The kernel runs no program on a CPU on which that program is at work already (kernel/trace/bpf_trace.c,
//! `__bpf_trace_run`): whoever forks while a fork program of somebody else stands preempted there would not be seen. So other
//! copies, attached after the first, do the work for those whom no earlier one was run for. They know them by a mark that is not
//! there: who does the work leaves one with the thread, and the last copy takes it away. What none does is counted: skipped, and
//! not taken over.
//!
//! Who forks or execs goes on soon, and one more copy is enough. Who ends in a storm may stand preempted while hundreds of
//! others come and go, each of them newer and so sooner at its turn; then the next copy has to hold out as long. So there are
//! four of the exit program.
//!
//! Elsewhere only the first copy is attached, and is the program alone.

use tracer_ebpf::member::marks as marks_of;
use tracer_ebpf::record::Kind;

use crate::emit::add_one;
use crate::kernel::{current, fact};
use crate::maps::{COUNTS, SLOTS};

/// The marks of a thread, a bit a kind. Nobody else changes those of whoever runs: an interrupt leaves them as it found them.
/// `None`: there were no such thread ids when the programs were loaded; then the first copy is the program alone.
#[inline(always)]
fn marks(tid: u32) -> Option<*mut u8> {
    let (entry, slot) = marks_of(tid);
    let slots = SLOTS.get_ptr_mut(entry)?;
    // SAFETY: `slots` points at the live map value, and a slot is below its length.
    Some(unsafe { (&raw mut (*slots).taken).cast::<u8>().add(slot) })
}

#[inline(always)]
fn is_marked(marks: *mut u8, kind: Kind) -> bool {
    // SAFETY: `marks` points into a live map value.
    unsafe { core::ptr::read_volatile(marks) & 1 << kind as u8 != 0 }
}

#[inline(always)]
fn mark(marks: *mut u8, kind: Kind) {
    // SAFETY: as above.
    unsafe { core::ptr::write_volatile(marks, core::ptr::read_volatile(marks) | 1 << kind as u8) };
}

/// A child begins without marks: who had its id before may have left some, where the last copy was skipped.
#[inline(always)]
pub(crate) fn begin_unmarked(child: u32) {
    if fact!(preempted) != 0
        && let Some(marks) = marks(child)
    {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(marks, 0) };
    }
}

/// The first copy.
#[inline(always)]
pub(crate) fn first(kind: Kind, report: impl FnOnce()) -> i32 {
    report();
    if fact!(preempted) != 0
        && let Some(marks) = marks(current().1)
    {
        mark(marks, kind);
    }
    0
}

/// A copy between the first and the last.
#[inline(always)]
pub(crate) fn middle(kind: Kind, report: impl FnOnce()) -> i32 {
    if let Some(marks) = marks(current().1)
        && !is_marked(marks, kind)
    {
        take_over(report);
        mark(marks, kind);
    }
    0
}

/// The last copy.
#[inline(always)]
pub(crate) fn last(kind: Kind, report: impl FnOnce()) -> i32 {
    let Some(marks) = marks(current().1) else { return 0 };
    if is_marked(marks, kind) {
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(marks, core::ptr::read_volatile(marks) & !(1 << kind as u8)) };
    } else {
        take_over(report);
    }
    0
}

#[inline(always)]
fn take_over(report: impl FnOnce()) {
    let Some(counters) = COUNTS.get_ptr_mut(0) else { return };
    // SAFETY: `counters` points at this CPU's live map value.
    add_one(unsafe { &raw mut (*counters).taken_over });
    report();
}

/// All copies of a program: the first, those in the middle, and the last.
macro_rules! copies {
    ($tracepoint:literal => $first:ident [$($middle:ident)*] $last:ident: $kind:ident) => {
        $crate::copies::copies!(@ $tracepoint, $kind, first, $first);
        $($crate::copies::copies!(@ $tracepoint, $kind, middle, $middle);)*
        $crate::copies::copies!(@ $tracepoint, $kind, last, $last);
    };
    (@ $tracepoint:literal, $kind:ident, $place:ident, $name:ident) => {
        #[aya_ebpf::macros::raw_tracepoint(tracepoint = $tracepoint)]
        pub(crate) fn $name(ctx: RawTracePointContext) -> i32 {
            $crate::copies::$place(Kind::$kind, || report(&ctx))
        }
    };
}
pub(crate) use copies;
