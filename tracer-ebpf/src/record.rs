//! The records in the two rings.
//!
//! Every record starts with a [`Header`]; `kind` says what follows. Fixed-size records only: an exec record comes in
//! three size classes, since a program can't reserve a size that it computes. Bytes past the lengths that a record
//! states are left over from earlier records and mean nothing.
//!
//! Times are `bpf_ktime_get_boot_ns`, taken before the room in the ring is reserved. Process ids are those of the
//! initial pid namespace, except where a name says `ns`.

use crate::COMM_LEN;

/// What a record reports.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A process was created: [`Fork`].
    Fork = 1,
    /// A process runs another image: [`Exec`].
    Exec = 2,
    /// A process's last thread is gone: [`Exit`].
    Exit = 3,
    /// The main thread's comm changed other than by exec: [`Rename`].
    Rename = 4,
    /// A signal that can end a process was sent to it: [`Signal`].
    Signal = 5,
    /// The OOM killer chose the process: [`Oom`].
    Oom = 6,
}

impl Kind {
    /// One more than the highest kind, so that a kind can index an array.
    pub const COUNT: usize = 7;

    /// Every kind, in order.
    pub const ALL: [Self; 6] = [Self::Fork, Self::Exec, Self::Exit, Self::Rename, Self::Signal, Self::Oom];
}

/// Flags of a record, in [`Header::flags`].
pub mod flag {
    /// Fork: the tree map was full, so the child's own events will not be seen.
    pub const UNTRACKED: u16 = 1;
    /// Exec: `args` holds only the beginning of the arguments.
    pub const ARGS_TRUNCATED: u16 = 1 << 1;
    /// Exec: the arguments' memory could not be read; `args_len` is 0.
    pub const ARGS_UNREADABLE: u16 = 1 << 2;
    /// Exec: `filename` holds only the beginning of the file name.
    pub const FILENAME_TRUNCATED: u16 = 1 << 3;
    /// Exit: more threads were still being reaped than the program walks; the totals lack theirs.
    pub const TOTALS_PARTIAL: u16 = 1 << 4;
    /// Signal: the target has a handler for it, so the default action is not taken.
    pub const HANDLED: u16 = 1 << 5;
    /// Signal: sent by the kernel itself, so the sender fields name whoever happened to run.
    pub const FROM_KERNEL: u16 = 1 << 6;
}

macro_rules! records {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)* } = $size:expr;)*) => {$(
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        #[cfg_attr(
            feature = "user",
            derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
        )]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }
        const _: () = assert!(size_of::<$name>() == $size);
        const _: () = assert!(align_of::<$name>() == 8 && $size % 8 == 0);
    )*};
}

records! {
    /// The start of every record. It describes one process: for a fork, the child.
    pub struct Header {
        /// A [`Kind`].
        pub kind: u16,
        /// The CPU that the program ran on.
        pub cpu: u16,
        /// Flags of [`flag`].
        pub flags: u16,
        /// Generations below the root.
        pub depth: u16,
        /// This CPU's count of attempted events of this kind, this one included.
        pub seq: u64,
        /// When it happened: nanoseconds since boot, suspend included.
        pub ktime_ns: u64,
        /// Process id.
        pub pid: u32,
        /// The process that forked it, whoever adopted it since.
        pub ppid: u32,
        /// Start time of the process, nanoseconds since boot.
        pub start_ns: u64,
        /// Start time of the process that forked it.
        pub parent_start_ns: u64,
        /// The process's comm (a rename: the new one), NUL-terminated.
        pub comm: [u8; COMM_LEN],
    } = 64;

    /// A process was created.
    pub struct Fork {
        /// Of the child.
        pub header: Header,
        /// Real user id.
        pub uid: u32,
        /// The child's pid in its own pid namespace; 0 if unknown.
        pub ns_pid: u32,
        /// Inode of that namespace; 0 if unknown.
        pub pid_ns: u32,
        /// The thread that called fork.
        pub parent_tid: u32,
    } = 80;

    /// What all size classes of an exec record have in common.
    pub struct ExecFixed {
        /// Of the process, with its new comm.
        pub header: Header,
        /// Id of the calling thread before it took over the process's id; the same as `pid` if the leader called.
        pub old_tid: u32,
        /// Real user id after the exec.
        pub uid: u32,
        /// Effective user id after the exec.
        pub euid: u32,
        /// The process's pid in its own pid namespace; 0 if unknown.
        pub ns_pid: u32,
        /// Inode of that namespace; 0 if unknown.
        pub pid_ns: u32,
        /// Device of the working directory, as `super_block.s_dev`; 0 if unknown.
        pub cwd_dev: u32,
        /// Inode of the working directory; 0 if unknown.
        pub cwd_ino: u64,
        /// cgroup v2 id; 0 if unknown.
        pub cgroup_id: u64,
        /// Bytes of all arguments, NULs included, of which `args` holds the first `args_len`.
        pub args_total: u64,
        /// Bytes in `args`.
        pub args_len: u32,
        /// Bytes in `filename`, without the NUL.
        pub filename_len: u16,
        /// Bytes in `interp`, without the NUL; 0 if the file is no script.
        pub interp_len: u16,
    } = 120;

    /// A process's last thread is gone. Totals are the kernel's, over all threads, without waited-for children.
    pub struct Exit {
        /// Of the process.
        pub header: Header,
        /// The status that `wait` reports.
        pub status: u32,
        /// The thread that went last.
        pub tid: u32,
        /// Peak resident set, pages.
        pub maxrss_pages: u64,
        /// User CPU time by the tick, nanoseconds.
        pub utime_ns: u64,
        /// System CPU time by the tick, nanoseconds.
        pub stime_ns: u64,
        /// CPU time as the scheduler measured it, nanoseconds; `wait` splits it in the ratio of the two above.
        pub runtime_ns: u64,
        /// Minor page faults.
        pub min_flt: u64,
        /// Major page faults.
        pub maj_flt: u64,
        /// Voluntary context switches.
        pub nvcsw: u64,
        /// Involuntary context switches.
        pub nivcsw: u64,
        /// Bytes fetched from storage.
        pub read_bytes: u64,
        /// Bytes sent to storage.
        pub write_bytes: u64,
        /// cgroup v2 id; 0 if unknown.
        pub cgroup_id: u64,
    } = 160;

    /// The main thread's comm changed.
    pub struct Rename {
        /// Of the process, with the new comm.
        pub header: Header,
        /// The comm before.
        pub old_comm: [u8; COMM_LEN],
    } = 80;

    /// A signal that can end a process was sent to it.
    pub struct Signal {
        /// Of the process that it was sent to.
        pub header: Header,
        /// Signal number.
        pub signal: u32,
        /// `si_code` (sigaction(2)).
        pub code: i32,
        /// The process that sent it.
        pub sender_pid: u32,
        /// The sender's real user id.
        pub sender_uid: u32,
        /// The sender's start time, nanoseconds since boot.
        pub sender_start_ns: u64,
        /// The sender's comm.
        pub sender_comm: [u8; COMM_LEN],
        /// What became of it: `TRACE_SIGNAL_*` (include/trace/events/signal.h).
        pub result: u32,
        /// Explicit padding.
        pub zero: u32,
    } = 112;

    /// The OOM killer chose the process.
    pub struct Oom {
        /// Of the victim.
        pub header: Header,
    } = 64;
}

/// Room for an interpreter's path: `BINPRM_BUF_SIZE` (include/uapi/linux/binfmts.h), so it always fits.
pub const INTERP_LEN: usize = 256;

/// Room for any path: `PATH_MAX`, its NUL included, and more, so that a string which fills it was cut.
pub const PATH_LEN: usize = 4096 + 8;

/// An exec record with room for `F` bytes of file name and `A` bytes of arguments.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Exec<const F: usize, const A: usize> {
    /// The fixed part.
    pub fixed: ExecFixed,
    /// The interpreter of a script: the last one, if scripts are chained.
    pub interp: [u8; INTERP_LEN],
    /// The file as it was named to exec.
    pub filename: [u8; F],
    /// The arguments, each followed by a NUL.
    pub args: [u8; A],
}

/// For most commands.
pub type ExecSmall = Exec<256, 512>;
/// For a compiler's command line.
pub type ExecMedium = Exec<256, 4096>;
/// For long paths and for generated command lines.
pub type ExecLarge = Exec<PATH_LEN, 32768>;

const _: () = assert!(size_of::<ExecSmall>() == 120 + 256 + 256 + 512);
const _: () = assert!(size_of::<ExecMedium>() == 120 + 256 + 256 + 4096);
const _: () = assert!(size_of::<ExecLarge>() == 120 + 256 + 4104 + 32768);
const _: () = assert!(core::mem::offset_of!(ExecLarge, interp) == 120);
const _: () = assert!(core::mem::offset_of!(ExecLarge, filename) == 120 + 256);
const _: () = assert!(core::mem::offset_of!(ExecLarge, args) == 120 + 256 + 4104);
const _: () = assert!(core::mem::offset_of!(Header, seq) == 8);
const _: () = assert!(core::mem::offset_of!(Header, comm) == 48);
const _: () = assert!(core::mem::offset_of!(ExecFixed, cwd_ino) == 88);
const _: () = assert!(core::mem::offset_of!(Exit, maxrss_pages) == 72);
const _: () = assert!(core::mem::offset_of!(Signal, sender_start_ns) == 80);
