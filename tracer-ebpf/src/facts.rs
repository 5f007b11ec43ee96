//! What the programs must know of the running kernel: [`KernelFacts`], a load-time global.
//!
//! rustc emits no CO-RE relocations, so user space looks every offset up in `/sys/kernel/btf/vmlinux` and writes it
//! here before the programs are loaded. The global is read-only and frozen: the verifier sees constants and drops
//! the branches that this kernel does not need.

/// A field of a kernel structure whose offset the programs need. The variant's name is `StructField`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `task_struct.pid`: the thread's id.
    TaskPid,
    /// `task_struct.tgid`: the process's id.
    TaskTgid,
    /// `task_struct.comm`.
    TaskComm,
    /// `task_struct.start_boottime`, before 5.5 `real_start_time`.
    TaskStart,
    /// `task_struct.group_leader`.
    TaskLeader,
    /// `task_struct.signal`.
    TaskSignal,
    /// `task_struct.sighand`.
    TaskSighand,
    /// `task_struct.exit_code`.
    TaskExitCode,
    /// `task_struct.utime`.
    TaskUtime,
    /// `task_struct.stime`.
    TaskStime,
    /// `task_struct.se.sum_exec_runtime`.
    TaskRuntime,
    /// `task_struct.min_flt`.
    TaskMinFlt,
    /// `task_struct.maj_flt`.
    TaskMajFlt,
    /// `task_struct.nvcsw`.
    TaskNvcsw,
    /// `task_struct.nivcsw`.
    TaskNivcsw,
    /// `task_struct.ioac.read_bytes`.
    TaskReadBytes,
    /// `task_struct.ioac.write_bytes`.
    TaskWriteBytes,
    /// `task_struct.thread_node`: this thread's link in `signal_struct.thread_head`.
    TaskThreadNode,
    /// `task_struct.mm`.
    TaskMm,
    /// `task_struct.cred`.
    TaskCred,
    /// `task_struct.fs`.
    TaskFs,
    /// `task_struct.thread_pid`.
    TaskThreadPid,
    /// `signal_struct.live`.
    SignalLive,
    /// `signal_struct.flags`.
    SignalFlags,
    /// `signal_struct.group_exit_code`.
    SignalExitCode,
    /// `signal_struct.thread_head`: the list of threads that are not reaped yet.
    SignalThreadHead,
    /// `signal_struct.stats_lock`: a seqlock, its sequence first, held while a reaped thread's totals move into the sums.
    SignalStatsLock,
    /// `signal_struct.utime`.
    SignalUtime,
    /// `signal_struct.stime`.
    SignalStime,
    /// `signal_struct.sum_sched_runtime`.
    SignalRuntime,
    /// `signal_struct.min_flt`.
    SignalMinFlt,
    /// `signal_struct.maj_flt`.
    SignalMajFlt,
    /// `signal_struct.nvcsw`.
    SignalNvcsw,
    /// `signal_struct.nivcsw`.
    SignalNivcsw,
    /// `signal_struct.ioac.read_bytes`.
    SignalReadBytes,
    /// `signal_struct.ioac.write_bytes`.
    SignalWriteBytes,
    /// `signal_struct.maxrss`, in pages.
    SignalMaxrss,
    /// `sighand_struct.action`.
    SighandAction,
    /// `mm_struct.arg_start`.
    MmArgStart,
    /// `mm_struct.arg_end`.
    MmArgEnd,
    /// `linux_binprm.filename`.
    BprmFilename,
    /// `linux_binprm.interp`.
    BprmInterp,
    /// `cred.euid`.
    CredEuid,
    /// `pid.level`.
    PidLevel,
    /// `pid.numbers`.
    PidNumbers,
    /// `upid.nr`.
    UpidNr,
    /// `upid.ns`.
    UpidNs,
    /// `pid_namespace.ns.inum`.
    PidNsInum,
    /// `kernel_siginfo.si_code`.
    SiginfoCode,
    /// `fs_struct.pwd.dentry`.
    FsPwdDentry,
    /// `dentry.d_inode`.
    DentryInode,
    /// `inode.i_ino`.
    InodeIno,
    /// `inode.i_sb`.
    InodeSb,
    /// `super_block.s_dev`.
    SuperDev,
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = Self::SuperDev as usize + 1;
}

/// The running kernel, as far as the programs care.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct KernelFacts {
    /// Bit `Field as u32`: the kernel has this field.
    pub present: u64,
    /// Offset of each [`Field`] in bytes from the start of its structure; 0 where absent.
    pub at: [u32; Field::COUNT],
    /// 1: `sched_process_exit` passes `group_dead` as its second argument (6.16).
    pub exit_has_group_dead: u32,
    /// 1: `mark_victim` passes a task (6.9), 0: it passes a pid.
    pub mark_victim_is_task: u32,
    /// `sizeof(struct upid)`.
    pub upid_size: u32,
    /// `sizeof(struct k_sigaction)`.
    pub k_sigaction_size: u32,
    /// Inode of the initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
    pub init_pid_ns: u32,
    /// At each multiple of so many unread bytes in a ring the reader is woken. A power of two.
    pub wake_at: u32,
    /// 1: every pid has a slot of its own in [`Slots`](crate::member::Slots), so one that ends can clear its own.
    pub slots_are_own: u32,
    /// 1: this kernel may preempt a program at work, and then skips it for whoever comes by on that CPU meanwhile (7.0:
    /// include/linux/tracepoint.h, `__DO_TRACE_CALL`). Each program has copies there.
    pub preempted: u32,
}

impl KernelFacts {
    /// Facts of no kernel at all: every field absent.
    pub const NONE: Self = Self {
        present: 0,
        at: [0; Field::COUNT],
        exit_has_group_dead: 0,
        mark_victim_is_task: 0,
        upid_size: 0,
        k_sigaction_size: 0,
        init_pid_ns: 0xEFFF_FFFC,
        wake_at: 0,
        slots_are_own: 0,
        preempted: 0,
    };

    /// Whether the kernel has `field`.
    #[must_use]
    #[inline(always)]
    pub const fn has(&self, field: Field) -> bool {
        self.present & (1 << field as u32) != 0
    }
}

const _: () = assert!(Field::COUNT <= 64, "`present` has 64 bits");
const _: () = assert!(size_of::<KernelFacts>() == 8 + 4 * Field::COUNT + 32);
const _: () = assert!(size_of::<KernelFacts>().is_multiple_of(8), "no tail padding");

// SAFETY: `repr(C)`, integers only, and zerocopy's `IntoBytes` above proves that there is no padding.
#[cfg(feature = "user")]
unsafe impl aya::Pod for KernelFacts {}
