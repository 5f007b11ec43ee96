//! `sched_process_exec(task, old_pid, bprm)`: a process runs another image.
//!
//! It fires after comm and credentials are set, and after a thread other than the leader has taken over the leader's
//! id. Arguments are read from the new stack, where exec has just written them. The record's size class is chosen by
//! their length; a path that does not fit the smaller classes takes the large one.

use core::arch::asm;

use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_uid_gid, bpf_probe_read_kernel_str, bpf_probe_read_user,
};
use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use tracer_ebpf::facts::Field;
use tracer_ebpf::member::Member;
use tracer_ebpf::record::{Exec, ExecFixed, INTERP_LEN, Kind, PATH_LEN, flag};

use crate::copies::copies;
use crate::emit::{Event, begin, current_comm, member, wake};
use crate::kernel::{Address, current, namespace_pid, read};
use crate::maps::{DETAIL, EAGER};

/// What the record is made from.
struct Image {
    task: Address,
    old_tid: u32,
    filename: Address,
    interp: Address,
    args: Address,
    args_total: u64,
}

copies! {
    "sched_process_exec" => exec [] exec_2: Exec
}

/// Reports an exec of a member. What each copy does; once in the object.
#[inline(never)]
fn report(ctx: &RawTracePointContext) {
    let (pid, _) = current();
    let Some(member) = member(pid) else { return };
    let task: Address = ctx.arg(0);
    let bprm: Address = ctx.arg(2);
    let mm: Address = read(task, Field::TaskMm);
    let args: Address = read(mm, Field::MmArgStart);
    let end: Address = read(mm, Field::MmArgEnd);
    let image = Image {
        task,
        old_tid: ctx.arg(1),
        filename: read(bprm, Field::BprmFilename),
        interp: read(bprm, Field::BprmInterp),
        args,
        args_total: end.saturating_sub(args),
    };
    let Some(event) = begin(Kind::Exec) else { return };
    let done = if image.args_total <= 512 {
        emit::<256, 512>(&event, pid, &member, &image)
    } else if image.args_total <= 4096 {
        emit::<256, 4096>(&event, pid, &member, &image)
    } else {
        false
    };
    if !done && !emit::<PATH_LEN, 32768>(&event, pid, &member, &image) {
        debug!(ctx, "exec of {}: file name longer than a path can be", pid);
    }
}

/// Writes a record with room for `F` and `A` bytes. False: the file name needs a larger class, nothing was written.
#[inline(always)]
fn emit<const F: usize, const A: usize>(event: &Event, pid: u32, member: &Member, image: &Image) -> bool {
    let Some(mut slot) = DETAIL.reserve::<Exec<F, A>>(0) else {
        event.failed();
        return true;
    };
    let record = slot.as_mut_ptr();
    // SAFETY: `record` is reserved ring memory of this type; the helpers get its own areas with their own sizes.
    unsafe {
        let filename = (&raw mut (*record).filename).cast();
        let copied = bpf_probe_read_kernel_str(filename, F as u32, image.filename as *const _);
        if copied >= F as i64 && F < PATH_LEN {
            slot.discard(0);
            return false;
        }
        let mut flags = if copied >= F as i64 { flag::FILENAME_TRUNCATED } else { 0 };
        let mut interp_len = 0;
        if image.interp != image.filename {
            let interp = (&raw mut (*record).interp).cast();
            interp_len = bpf_probe_read_kernel_str(interp, INTERP_LEN as u32, image.interp as *const _);
        }
        let (args_len, args_flags) = arguments::<A>((&raw mut (*record).args).cast(), image);
        flags |= args_flags;
        let fixed = &raw mut (*record).fixed;
        (*fixed).args_total = image.args_total;
        (*fixed).args_len = args_len;
        (*fixed).filename_len = text_len(copied);
        (*fixed).interp_len = text_len(interp_len);
        event.fill(&raw mut (*fixed).header, pid, member, flags);
        current_comm(&raw mut (*fixed).header.comm);
        identify(fixed, pid, image);
    }
    slot.submit(wake::<Exec<F, A>>(&DETAIL, eager()));
    true
}

/// Copies the arguments, or their beginning. Returns how many bytes, and the flags that say what is missing.
#[inline(always)]
fn arguments<const A: usize>(to: *mut core::ffi::c_void, image: &Image) -> (u32, u16) {
    let truncated = image.args_total > A as u64;
    let mut len = if truncated { A as u64 } else { image.args_total };
    // The compiler knows that `len` is at most `A`, but verifiers before 6.3 lose track of it. Assembly makes the
    // compiler forget, so that it leaves the check below where the verifier sees it.
    // SAFETY: moves a register to itself.
    unsafe { asm!("{len} = {len}", len = inout(reg) len) };
    if len > A as u64 {
        len = A as u64;
    }
    let len = len as u32;
    // SAFETY: `to` has `A` bytes, and `len` is at most that.
    if unsafe { bpf_probe_read_user(to, len, image.args as *const _) } != 0 {
        return (0, flag::ARGS_UNREADABLE);
    }
    (len, if truncated { flag::ARGS_TRUNCATED } else { 0 })
}

/// Length of a copied string without its NUL; 0 if it could not be read.
#[inline(always)]
fn text_len(copied: i64) -> u16 {
    if copied > 0 { (copied - 1) as u16 } else { 0 }
}

/// Who runs it and where.
#[inline(always)]
fn identify(fixed: *mut ExecFixed, pid: u32, image: &Image) {
    let credentials: Address = read(image.task, Field::TaskCred);
    let (ns_pid, pid_ns) = namespace_pid(image.task, pid);
    let fs: Address = read(image.task, Field::TaskFs);
    let dentry: Address = read(fs, Field::FsPwdDentry);
    let inode: Address = read(dentry, Field::DentryInode);
    let superblock: Address = read(inode, Field::InodeSb);
    // SAFETY: `fixed` lies in reserved ring memory; the helpers take no arguments.
    unsafe {
        (*fixed).old_tid = image.old_tid;
        (*fixed).uid = bpf_get_current_uid_gid() as u32;
        (*fixed).euid = read(credentials, Field::CredEuid);
        (*fixed).ns_pid = ns_pid;
        (*fixed).pid_ns = pid_ns;
        (*fixed).cwd_dev = read(superblock, Field::SuperDev);
        (*fixed).cwd_ino = read(inode, Field::InodeIno);
        (*fixed).cgroup_id = bpf_get_current_cgroup_id();
    }
}

/// Whether the reader waits for the next exec.
#[inline(always)]
fn eager() -> bool {
    EAGER.get(0).is_some_and(|eager| *eager != 0)
}
