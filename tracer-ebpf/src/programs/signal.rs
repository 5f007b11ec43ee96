//! `signal_generate(sig, info, task, group, result)`: a signal that can end a process is sent to a member.
//!
//! Current is the sender, unless the kernel sends by itself. Reported are the signals whose default action ends the
//! process and for which the target has no handler; and those that people send to stop a process, handled or not.

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_get_current_uid_gid, bpf_probe_read_kernel};
use aya_ebpf::programs::RawTracePointContext;
use tracer_ebpf::COMM_LEN;
use tracer_ebpf::facts::Field;
use tracer_ebpf::record::{Kind, Signal, flag};

use crate::copies::copies;
use crate::emit::{begin, current_comm, is_of, member, wake};
use crate::kernel::{Address, address, current, fact, load, read};
use crate::maps::DETAIL;

/// Signals whose default action does not end a process: CHLD CONT STOP TSTP TTIN TTOU URG WINCH (signal(7)).
const HARMLESS: u64 = set(&[17, 18, 19, 20, 21, 22, 23, 28]);
/// Signals that ask a process to end: HUP INT QUIT TERM.
const REQUESTS: u64 = set(&[1, 2, 3, 15]);
/// `TRACE_SIGNAL_DELIVERED` and `TRACE_SIGNAL_LOSE_INFO` (include/trace/events/signal.h): the target gets it.
const DELIVERED: [u32; 2] = [0, 4];
/// `SI_KERNEL` (include/uapi/asm-generic/siginfo.h).
const SI_KERNEL: i32 = 0x80;

const fn set(signals: &[u32]) -> u64 {
    let mut bits = 0;
    let mut i = 0;
    while i < signals.len() {
        bits |= 1 << signals[i];
        i += 1;
    }
    bits
}

copies! {
    "signal_generate" => signal [] signal_2: Signal
}

/// Reports a signal that can end a member. What each copy does; once in the object.
#[inline(never)]
fn report(ctx: &RawTracePointContext) {
    let signal: u32 = ctx.arg(0);
    if signal == 0 || signal > 64 || (signal < 64 && HARMLESS & (1 << signal) != 0) {
        return;
    }
    let task: Address = ctx.arg(2);
    let pid: u32 = read(task, Field::TaskTgid);
    let Some(member) = member(pid) else { return };
    let result: u32 = ctx.arg(4);
    if !DELIVERED.contains(&result) || !is_of(&member, task) {
        return;
    }
    let handler = handler(task, signal);
    let request = signal < 64 && REQUESTS & (1 << signal) != 0;
    if handler == 1 || (handler > 1 && !request) {
        return;
    }
    let code = code(ctx.arg(1));
    let mut flags = if handler > 1 { flag::HANDLED } else { 0 };
    if code > 0 || (-5..=-2).contains(&code) {
        flags |= flag::FROM_KERNEL; // a fault, a terminal, a timer, a message queue, finished I/O
    }
    let Some(event) = begin(Kind::Signal) else { return };
    let Some(mut slot) = DETAIL.reserve::<Signal>(0) else {
        event.failed();
        return;
    };
    let record = slot.as_mut_ptr();
    // SAFETY: `record` is reserved ring memory of this type.
    unsafe {
        event.fill(&raw mut (*record).header, pid, &member, flags);
        let comm = address(read(task, Field::TaskLeader), Field::TaskComm) as *const _;
        bpf_probe_read_kernel((&raw mut (*record).header.comm).cast(), COMM_LEN as u32, comm);
        (*record).signal = signal;
        (*record).code = code;
        (*record).result = result;
        (*record).zero = 0;
    }
    sender(record);
    slot.submit(wake::<Signal>(&DETAIL, false));
}

/// The handler's address; 0 is `SIG_DFL`, 1 is `SIG_IGN`. `sa_handler` is the first field on every architecture here.
#[inline(always)]
fn handler(task: Address, signal: u32) -> u64 {
    let sighand: Address = read(task, Field::TaskSighand);
    let actions = address(sighand, Field::SighandAction);
    load(actions + u64::from(signal - 1) * u64::from(fact!(k_sigaction_size)))
}

/// `si_code`; the two special pointers are `SEND_SIG_NOINFO` and `SEND_SIG_PRIV` (include/linux/signal.h).
#[inline(always)]
fn code(info: Address) -> i32 {
    match info {
        0 => 0,
        1 => SI_KERNEL,
        info => read(info, Field::SiginfoCode),
    }
}

/// Who runs now.
#[inline(always)]
fn sender(record: *mut Signal) {
    // SAFETY: `record` is reserved ring memory of this type; the helpers take no arguments.
    unsafe {
        let leader: Address = read(bpf_get_current_task(), Field::TaskLeader);
        (*record).sender_pid = current().0;
        (*record).sender_uid = bpf_get_current_uid_gid() as u32;
        (*record).sender_start_ns = read(leader, Field::TaskStart);
        current_comm(&raw mut (*record).sender_comm);
    }
}
