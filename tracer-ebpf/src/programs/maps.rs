//! The maps and globals. The loader sets the sizes of `TREE`, `LIFE` and `DETAIL`; the ones here are the defaults.

use aya_ebpf::Global;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, RingBuf};
use tracer_ebpf::count::Counters;
use tracer_ebpf::facts::KernelFacts;
use tracer_ebpf::member::{Member, Slots};

/// Who is in the tree. Preallocated: a program must not allocate in the kernel's fork and exit paths.
#[map]
pub(crate) static TREE: HashMap<u32, Member> = HashMap::with_max_entries(16384, 0);

/// Which pids may be in the tree: what processes outside every tree are asked first, and last. More entries where
/// programs are preempted.
#[map]
pub(crate) static SLOTS: Array<Slots> = Array::with_max_entries(1, 0);

/// Fork, exit and oom records: a ring of their own, that large exec records can't fill.
#[map]
pub(crate) static LIFE: RingBuf = RingBuf::with_byte_size(2 << 20, 0);

/// Exec, rename and signal records.
#[map]
pub(crate) static DETAIL: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Events seen and lost.
#[map]
pub(crate) static COUNTS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Non-zero: somebody waits for the next exec, so wake the reader at each.
#[map]
pub(crate) static EAGER: Array<u32> = Array::with_max_entries(1, 0);

/// The running kernel, filled in by the loader.
#[unsafe(no_mangle)]
pub(crate) static FACTS: Global<KernelFacts> = Global::new(KernelFacts::NONE);
