//! `sched_process_fork(parent, child)`: the child joins its parent's tree before it first runs.
//!
//! The event's time is the one that the kernel has just given the child as its start: the same moment but for a
//! microsecond, and the clock need not be read again.
//!
//! Current is the forking thread, also under `CLONE_PARENT`, so "parent" here always means the process that forked.

use aya_ebpf::helpers::generated::bpf_get_current_uid_gid;
use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::warn;
use tracer_ebpf::facts::Field;
use tracer_ebpf::member::{Member, SPAWNER};
use tracer_ebpf::record::{Fork, Kind, flag};

use crate::copies::{begin_unmarked, copies};
use crate::emit::{begin_at, current_comm, entry, join, wake_now_and_then};
use crate::kernel::{Address, current, namespace_pid, read, read_pair};
use crate::maps::LIFE;

copies! {
    "sched_process_fork" => fork [] fork_2: Fork
}

/// Tracks and reports a child of the tree. What each copy does; once in the object.
#[inline(never)]
fn report(ctx: &RawTracePointContext) {
    let (parent, parent_tid) = current();
    let Some(forker) = entry(parent) else { return };
    let child: Address = ctx.arg(1);
    let [pid, tgid]: [u32; 2] = read_pair(child, Field::TaskPid, Field::TaskTgid);
    if pid != tgid {
        return; // a thread
    }
    let depth = if forker.flags & SPAWNER != 0 { 0 } else { forker.depth.saturating_add(1) };
    let member = Member {
        start_ns: read(child, Field::TaskStart),
        parent_start_ns: forker.start_ns,
        ppid: parent,
        depth,
        flags: 0,
    };
    let Some(event) = begin_at(Kind::Fork, member.start_ns) else { return };
    begin_unmarked(pid);
    let mut flags = 0;
    if !join(pid, &member) {
        event.untracked();
        flags = flag::UNTRACKED;
        warn!(ctx, "tree map full: process {} and its children are not tracked", pid);
    }
    let Some(mut slot) = LIFE.reserve::<Fork>(0) else {
        event.failed();
        return;
    };
    let record = slot.as_mut_ptr();
    let (ns_pid, pid_ns) = namespace_pid(child, pid);
    // SAFETY: `record` is reserved ring memory of this type.
    unsafe {
        event.fill(&raw mut (*record).header, pid, &member, flags);
        current_comm(&raw mut (*record).header.comm);
        (*record).uid = bpf_get_current_uid_gid() as u32;
        (*record).ns_pid = ns_pid;
        (*record).pid_ns = pid_ns;
        (*record).parent_tid = parent_tid;
    }
    slot.submit(wake_now_and_then::<Fork>(&LIFE, &event));
}
