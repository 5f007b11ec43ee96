//! Reading the kernel's structures through [`KernelFacts`].
//!
//! A field that this kernel lacks reads as 0, and so does memory that can't be read: the helper zeroes what it can't
//! fill. The presence bits tell user space which zeroes mean "unknown".

use core::mem::MaybeUninit;
use core::ptr::read_volatile;

use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_probe_read_kernel};
use tracer_ebpf::facts::{Field, KernelFacts};

use crate::maps::FACTS;

/// Address of a kernel structure.
pub(crate) type Address = u64;

/// One of the facts. Read by itself and volatile: the verifier then sees a constant, and nothing lands on the stack.
macro_rules! fact {
    ($($path:tt)+) => {{
        let facts = (&raw const $crate::maps::FACTS).cast::<tracer_ebpf::facts::KernelFacts>();
        // SAFETY: `Global<T>` is `repr(transparent)` over a `KernelFacts` that the loader has filled in.
        unsafe { core::ptr::read_volatile(&raw const (*facts).$($path)+) }
    }};
}
pub(crate) use fact;

/// Whether this kernel has `field`.
#[inline(always)]
pub(crate) fn has(field: Field) -> bool {
    fact!(present) & (1 << field as u32) != 0
}

/// Address of `field` in the structure at `base`.
#[inline(always)]
pub(crate) fn address(base: Address, field: Field) -> Address {
    let facts = (&raw const FACTS).cast::<KernelFacts>();
    // SAFETY: as in `fact!`; `field` is below `Field::COUNT` by construction.
    base + u64::from(unsafe { read_volatile(&raw const (*facts).at[field as usize]) })
}

/// Reads a `T`, an integer, at `address`.
#[inline(always)]
pub(crate) fn load<T: Copy>(address: Address) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper writes all `size_of::<T>()` bytes, zeroes if `address` can't be read, and never faults.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        value.assume_init()
    }
}

/// Reads `field`, an integer of type `T`, of the structure at `base`.
#[inline(always)]
pub(crate) fn read<T: Copy + Default>(base: Address, field: Field) -> T {
    if has(field) { load(address(base, field)) } else { T::default() }
}

/// Reads two fields, integers of type `T`, of the structure at `base`. Where they are neighbours on this kernel, as most
/// pairs are, that is one call of the helper; the verifier drops the other branch.
#[inline(always)]
pub(crate) fn read_pair<T: Copy + Default>(base: Address, first: Field, second: Field) -> [T; 2] {
    let neighbours = address(0, second) == address(size_of::<T>() as u64, first);
    if has(first) && has(second) && neighbours {
        load(address(base, first))
    } else {
        [read(base, first), read(base, second)]
    }
}

/// Process id and thread id of whoever runs.
#[inline(always)]
pub(crate) fn current() -> (u32, u32) {
    // SAFETY: no arguments; a tracepoint always has a current task.
    let both = unsafe { bpf_get_current_pid_tgid() };
    ((both >> 32) as u32, both as u32)
}

/// The task's pid in its own pid namespace, and that namespace's inode; zeroes if unknown.
#[inline(always)]
pub(crate) fn namespace_pid(task: Address, pid: u32) -> (u32, u32) {
    if !has(Field::TaskThreadPid) || !has(Field::PidLevel) || !has(Field::PidNumbers) {
        return (0, 0);
    }
    let ids: Address = read(task, Field::TaskThreadPid);
    let level: u32 = read(ids, Field::PidLevel);
    if level == 0 {
        return (pid, fact!(init_pid_ns));
    }
    let upid = address(ids, Field::PidNumbers) + u64::from(level) * u64::from(fact!(upid_size));
    let namespace: Address = read(upid, Field::UpidNs);
    (read(upid, Field::UpidNr), read(namespace, Field::PidNsInum))
}
