//! `mark_victim(task, uid)`, before 6.9 `mark_victim(pid)`: the OOM killer has chosen a process.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use aya_ebpf::programs::RawTracePointContext;
use tracer_ebpf::COMM_LEN;
use tracer_ebpf::facts::Field;
use tracer_ebpf::record::{Kind, Oom};

use crate::copies::copies;
use crate::emit::{begin, is_of, member, wake};
use crate::kernel::{Address, address, fact, read};
use crate::maps::LIFE;

copies! {
    "mark_victim" => oom [] oom_2: Oom
}

/// Reports an OOM victim among the members. What each copy does; once in the object.
#[inline(never)]
fn report(ctx: &RawTracePointContext) {
    let by_task = fact!(mark_victim_is_task) != 0;
    let task: Address = ctx.arg(0);
    let pid: u32 = if by_task { read(task, Field::TaskTgid) } else { task as u32 };
    let Some(member) = member(pid) else { return };
    if by_task && !is_of(&member, task) {
        return;
    }
    let Some(event) = begin(Kind::Oom) else { return };
    let Some(mut slot) = LIFE.reserve::<Oom>(0) else {
        event.failed();
        return;
    };
    let record = slot.as_mut_ptr();
    // SAFETY: `record` is reserved ring memory of this type; the comm has `COMM_LEN` bytes on both sides.
    unsafe {
        event.fill(&raw mut (*record).header, pid, &member, 0);
        if by_task {
            let comm = address(read(task, Field::TaskLeader), Field::TaskComm) as *const _;
            bpf_probe_read_kernel((&raw mut (*record).header.comm).cast(), COMM_LEN as u32, comm);
        } else {
            (*record).header.comm = [0; COMM_LEN];
        }
    }
    // At once: the victim's cgroup, whose counters say why, may be removed as soon as it is gone.
    slot.submit(wake::<Oom>(&LIFE, true));
}
