//! What every probe does around its record: look the process up, count, fill in the header, hand the record over.
//!
//! The order matters. An event is counted as attempted, then timed, then room is reserved: so `attempted - failed`
//! records reach the reader, and a record's time is never later than its place in the ring says.

use core::arch::asm;

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::generated::{bpf_get_current_comm, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns};
use aya_ebpf::maps::RingBuf;
use tracer_ebpf::COMM_LEN;
use tracer_ebpf::count::Counters;
use tracer_ebpf::facts::Field;
use tracer_ebpf::member::{Member, SPAWNER, TAKEN, slot};
use tracer_ebpf::record::{Header, Kind};

use crate::kernel::{Address, fact, read};
use crate::maps::{COUNTS, SLOTS, TREE};

/// The member `pid`, if it is in the tree.
#[inline(always)]
pub(crate) fn member(pid: u32) -> Option<Member> {
    let entry = entry(pid)?;
    if entry.flags & SPAWNER == 0 { Some(entry) } else { None }
}

/// The entry of `pid` in the tree map: a member, or tracer itself.
#[inline(always)]
pub(crate) fn entry(pid: u32) -> Option<Member> {
    let taken = slot_of(pid)?;
    // SAFETY: `taken` points into a live map value.
    if unsafe { core::ptr::read_volatile(taken) } == 0 {
        return None;
    }
    // SAFETY: the copy may be of an entry that is just given to another pid. Only the process itself, or the fork that
    // makes it, changes its entry; who looks another process up checks with `is_of` that the copy is that one's.
    unsafe { TREE.get(pid) }.copied()
}

/// Whether the entry is that of `task`'s process.
#[inline(always)]
pub(crate) fn is_of(member: &Member, task: Address) -> bool {
    member.start_ns == read::<u64>(read(task, Field::TaskLeader), Field::TaskStart)
}

/// Puts a child into the tree. It does not run yet, so nobody looks before the entry is whole.
#[inline(always)]
pub(crate) fn join(pid: u32, member: &Member) -> bool {
    if let Some(taken) = slot_of(pid) {
        // SAFETY: `taken` points into a live map value.
        unsafe { core::ptr::write_volatile(taken, 1) };
    }
    TREE.insert(pid, member, 0).is_ok()
}

/// Takes a process out of the tree. False: another of its threads has done so.
#[inline(always)]
pub(crate) fn leave(pid: u32) -> bool {
    if TREE.remove(pid).is_err() {
        return false;
    }
    if fact!(slots_are_own) != 0
        && let Some(taken) = slot_of(pid)
    {
        // SAFETY: `taken` points into a live map value. The pid is not given away before the process is reaped.
        unsafe { core::ptr::write_volatile(taken, 0) };
    }
    true
}

/// Where the slot of `pid` is.
#[inline(always)]
fn slot_of(pid: u32) -> Option<*mut u8> {
    let slots = SLOTS.get_ptr_mut(TAKEN)?;
    // SAFETY: `slots` points at the live map value, and a slot is below its length.
    Some(unsafe { (&raw mut (*slots).taken).cast::<u8>().add(slot(pid)) })
}

/// Of so many small records of a kind, one asks how full its ring is. All together they are less than 2 KiB a CPU.
const ASK_EVERY: u64 = 8;

/// The part of `wake_at` after each multiple of it within which records wake the reader, or one record if that is larger.
const WAKES_WITHIN: u64 = 8;

/// An event under way: counted and timed, not yet in a ring.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    counters: *mut Counters,
    kind: Kind,
    seq: u64,
    ktime_ns: u64,
}

/// Adds one to a per-CPU counter, safely against interrupts and preemption on this CPU.
#[inline(always)]
pub(crate) fn add_one(counter: *mut u64) {
    // `AtomicU64::fetch_add` does not exist for this target, and a variant that returns the old value needs Linux 5.12.
    // SAFETY: `counter` points into a live map value, aligned to 8.
    unsafe { asm!("lock *(u64 *)({counter} + 0) += {one}", counter = in(reg) counter, one = in(reg) 1_u64) };
}

/// Counts an attempt and takes the time.
#[inline(always)]
pub(crate) fn begin(kind: Kind) -> Option<Event> {
    let event = begin_at(kind, 0)?;
    // SAFETY: no arguments.
    Some(Event { ktime_ns: unsafe { bpf_ktime_get_boot_ns() }, ..event })
}

/// Counts an attempt of an event whose time is known: it must lie before this call.
#[inline(always)]
pub(crate) fn begin_at(kind: Kind, ktime_ns: u64) -> Option<Event> {
    let counters = COUNTS.get_ptr_mut(0)?;
    // SAFETY: `counters` points at this CPU's live map value.
    let seq = unsafe {
        let attempted = &raw mut (*counters).attempted[kind as usize];
        add_one(attempted);
        core::ptr::read_volatile(attempted)
    };
    Some(Event { counters, kind, seq, ktime_ns })
}

impl Event {
    /// The ring had no room.
    #[inline(always)]
    pub(crate) fn failed(&self) {
        // SAFETY: `counters` points at this CPU's live map value.
        add_one(unsafe { &raw mut (*self.counters).failed[self.kind as usize] });
    }

    /// The child did not fit into the tree map.
    #[inline(always)]
    pub(crate) fn untracked(&self) {
        // SAFETY: as above.
        add_one(unsafe { &raw mut (*self.counters).untracked });
    }

    /// Fills in all of the header but the comm.
    #[inline(always)]
    pub(crate) fn fill(&self, header: *mut Header, pid: u32, member: &Member, flags: u16) {
        // SAFETY: `header` is the start of a reserved record. Its fields are written one by one, without a copy.
        unsafe {
            (*header).kind = self.kind as u16;
            (*header).cpu = bpf_get_smp_processor_id() as u16;
            (*header).flags = flags;
            (*header).depth = member.depth;
            (*header).seq = self.seq;
            (*header).ktime_ns = self.ktime_ns;
            (*header).pid = pid;
            (*header).ppid = member.ppid;
            (*header).start_ns = member.start_ns;
            (*header).parent_start_ns = member.parent_start_ns;
        }
    }
}

/// Writes the comm of whoever runs.
#[inline(always)]
pub(crate) fn current_comm(comm: *mut [u8; COMM_LEN]) {
    // SAFETY: `comm` is part of a reserved record and has `COMM_LEN` bytes.
    unsafe { bpf_get_current_comm(comm.cast(), COMM_LEN as u32) };
}

/// How to hand a small record over: as [`wake`], but only every so many of them ask how full the ring is.
#[inline(always)]
pub(crate) fn wake_now_and_then<T>(ring: &RingBuf, event: &Event) -> u64 {
    if event.seq.is_multiple_of(ASK_EVERY) { wake::<T>(ring, false) } else { u64::from(BPF_RB_NO_WAKEUP) }
}

/// How to hand a record over: silently, until enough of them wait or `eager` says that somebody does.
///
/// A wake-up is an interrupt, which costs ten times what the record does. While the reader is behind, it is woken once in
/// a while for every `wake_at` bytes, not at each record.
#[inline(always)]
pub(crate) fn wake<T>(ring: &RingBuf, eager: bool) -> u64 {
    let wake = eager || {
        let (waiting, wake_at) = (ring.query(u64::from(BPF_RB_AVAIL_DATA)), u64::from(fact!(wake_at)));
        let within = (wake_at / WAKES_WITHIN).max(size_of::<T>() as u64);
        waiting >= wake_at && waiting & (wake_at - 1) < within
    };
    if wake { u64::from(BPF_RB_FORCE_WAKEUP) } else { u64::from(BPF_RB_NO_WAKEUP) }
}
