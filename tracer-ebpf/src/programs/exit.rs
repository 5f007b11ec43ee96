//! `sched_process_exit(task[, group_dead])`: one exit a process, when its last thread is gone.
//!
//! From 6.16 on the kernel says which thread is the last. Before, `signal->live` is 0, which the last two threads can
//! both see: whoever removes the process from the tree map reports it.

use aya_ebpf::helpers::generated::{bpf_get_current_cgroup_id, bpf_probe_read_kernel};
use aya_ebpf::programs::RawTracePointContext;
use tracer_ebpf::COMM_LEN;
use tracer_ebpf::facts::Field;
use tracer_ebpf::record::{Exit, Kind};

use crate::copies::copies;
use crate::emit::{begin, leave, member, wake_now_and_then};
use crate::kernel::{Address, address, current, fact, read};
use crate::maps::LIFE;
use crate::totals::totals;

/// `SIGNAL_GROUP_EXIT` (include/linux/sched/signal.h): `group_exit_code` holds the status.
const SIGNAL_GROUP_EXIT: u32 = 4;

copies! {
    "sched_process_exit" => exit [exit_2 exit_3] exit_4: Exit
}

/// Reports the end of a member. What each copy does; once in the object.
#[inline(never)]
fn report(ctx: &RawTracePointContext) {
    let (pid, tid) = current();
    let Some(member) = member(pid) else { return };
    let task: Address = ctx.arg(0);
    let signal: Address = read(task, Field::TaskSignal);
    let last = if fact!(exit_has_group_dead) != 0 {
        ctx.arg::<u64>(1) as u8 != 0
    } else {
        read::<i32>(signal, Field::SignalLive) == 0
    };
    if !last || !leave(pid) {
        return;
    }
    let Some(event) = begin(Kind::Exit) else { return };
    let Some(mut slot) = LIFE.reserve::<Exit>(0) else {
        event.failed();
        return;
    };
    let record = slot.as_mut_ptr();
    let leader: Address = read(task, Field::TaskLeader);
    // SAFETY: `record` is reserved ring memory of this type; the comm has `COMM_LEN` bytes on both sides.
    unsafe {
        let flags = totals(record, task, signal);
        event.fill(&raw mut (*record).header, pid, &member, flags);
        let comm = address(leader, Field::TaskComm) as *const _;
        bpf_probe_read_kernel((&raw mut (*record).header.comm).cast(), COMM_LEN as u32, comm);
        (*record).status = status(leader, signal);
        (*record).tid = tid;
        (*record).cgroup_id = bpf_get_current_cgroup_id();
    }
    slot.submit(wake_now_and_then::<Exit>(&LIFE, &event));
}

/// The status as `wait` gives it (kernel/exit.c, wait_task_zombie).
#[inline(always)]
fn status(leader: Address, signal: Address) -> u32 {
    if read::<u32>(signal, Field::SignalFlags) & SIGNAL_GROUP_EXIT != 0 {
        read(signal, Field::SignalExitCode)
    } else {
        read(leader, Field::TaskExitCode)
    }
}
