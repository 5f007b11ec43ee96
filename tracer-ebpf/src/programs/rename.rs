//! `task_rename(task, comm)`: the main thread's comm changes, by prctl or through `/proc`.
//!
//! Current is the task or another thread of its process: nobody else may rename it (fs/proc/base.c, comm_write).
//!
//! exec sets the comm too, and reports it itself. There the new address space has no arguments yet (`arg_start` is
//! written later, by the binary's loader: fs/exec.c, begin_new_exec), which tells the two apart.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str};
use aya_ebpf::programs::RawTracePointContext;
use tracer_ebpf::COMM_LEN;
use tracer_ebpf::facts::Field;
use tracer_ebpf::record::{Kind, Rename};

use crate::copies::copies;
use crate::emit::{begin, member, wake};
use crate::kernel::{Address, address, current, read};
use crate::maps::DETAIL;

copies! {
    "task_rename" => rename [] rename_2: Rename
}

/// Reports a rename of a member's main thread. What each copy does; once in the object.
#[inline(never)]
fn report(ctx: &RawTracePointContext) {
    let (pid, _) = current();
    let Some(member) = member(pid) else { return };
    let task: Address = ctx.arg(0);
    if pid != read(task, Field::TaskPid) {
        return; // another thread's name is not the process's
    }
    let mm: Address = read(task, Field::TaskMm);
    if read::<Address>(mm, Field::MmArgStart) == 0 {
        return; // in exec
    }
    let Some(event) = begin(Kind::Rename) else { return };
    let Some(mut slot) = DETAIL.reserve::<Rename>(0) else {
        event.failed();
        return;
    };
    let record = slot.as_mut_ptr();
    // SAFETY: `record` is reserved ring memory of this type; both comms have `COMM_LEN` bytes.
    unsafe {
        event.fill(&raw mut (*record).header, pid, &member, 0);
        let new = (&raw mut (*record).header.comm).cast();
        bpf_probe_read_kernel_str(new, COMM_LEN as u32, ctx.arg::<u64>(1) as *const _);
        let old = (&raw mut (*record).old_comm).cast();
        bpf_probe_read_kernel(old, COMM_LEN as u32, address(task, Field::TaskComm) as *const _);
    }
    slot.submit(wake::<Rename>(&DETAIL, false));
}
