//! A process's totals at its end: the sums over its reaped threads plus each thread that is not reaped yet.
//!
//! The leader is never reaped before its process, and threads killed by `exit_group` may still be on their way, so
//! the last thread's own figures are not enough. The kernel moves a thread's figures into the sums under
//! `stats_lock`; reading again until its sequence stands still gives each thread exactly once
//! (kernel/sched/cputime.c, thread_group_cputime).

use tracer_ebpf::facts::Field;
use tracer_ebpf::record::{Exit, flag};

use crate::kernel::{Address, address, has, load, read, read_pair};

/// Threads that are walked at the most.
const THREADS: u32 = 24;
/// Readings at the most, until one is undisturbed.
const READINGS: u32 = 2;

/// Fills in the totals. Returns the flags that say what is missing.
#[inline(always)]
pub(crate) fn totals(record: *mut Exit, task: Address, signal: Address) -> u16 {
    // SAFETY: `record` is reserved ring memory of this type.
    unsafe { (*record).maxrss_pages = read(signal, Field::SignalMaxrss) };
    let mut flags = flag::TOTALS_PARTIAL;
    for _ in 0..READINGS {
        let before: u32 = read(signal, Field::SignalStatsLock);
        let whole = reading(record, task, signal);
        if before & 1 == 0 && before == read(signal, Field::SignalStatsLock) {
            flags = if whole { 0 } else { flag::TOTALS_PARTIAL };
            break;
        }
    }
    flags
}

/// One reading of everything. False if there were more threads than it walks.
#[inline(always)]
fn reading(record: *mut Exit, task: Address, signal: Address) -> bool {
    // SAFETY: `record` is reserved ring memory of this type.
    unsafe {
        [(*record).utime_ns, (*record).stime_ns] = read_pair(signal, Field::SignalUtime, Field::SignalStime);
        (*record).runtime_ns = read(signal, Field::SignalRuntime);
        [(*record).min_flt, (*record).maj_flt] = read_pair(signal, Field::SignalMinFlt, Field::SignalMajFlt);
        [(*record).nvcsw, (*record).nivcsw] = read_pair(signal, Field::SignalNvcsw, Field::SignalNivcsw);
        [(*record).read_bytes, (*record).write_bytes] =
            read_pair(signal, Field::SignalReadBytes, Field::SignalWriteBytes);
    }
    if !has(Field::SignalThreadHead) || !has(Field::TaskThreadNode) {
        add(record, task);
        return true;
    }
    let head = address(signal, Field::SignalThreadHead);
    let mut node: Address = load(head);
    for _ in 0..THREADS {
        if node == head {
            return true;
        }
        add(record, node - address(0, Field::TaskThreadNode));
        node = load(node);
    }
    node == head
}

/// Adds one thread's own figures.
#[inline(always)]
fn add(record: *mut Exit, task: Address) {
    let [utime, stime] = read_pair::<u64>(task, Field::TaskUtime, Field::TaskStime);
    let [min_flt, maj_flt] = read_pair::<u64>(task, Field::TaskMinFlt, Field::TaskMajFlt);
    let [nvcsw, nivcsw] = read_pair::<u64>(task, Field::TaskNvcsw, Field::TaskNivcsw);
    let [read_bytes, write_bytes] = read_pair::<u64>(task, Field::TaskReadBytes, Field::TaskWriteBytes);
    // SAFETY: `record` is reserved ring memory of this type.
    unsafe {
        (*record).utime_ns += utime;
        (*record).stime_ns += stime;
        (*record).runtime_ns += read::<u64>(task, Field::TaskRuntime);
        (*record).min_flt += min_flt;
        (*record).maj_flt += maj_flt;
        (*record).nvcsw += nvcsw;
        (*record).nivcsw += nivcsw;
        (*record).read_bytes += read_bytes;
        (*record).write_bytes += write_bytes;
    }
}
