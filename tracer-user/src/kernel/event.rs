//! What happened, as the rest of tracer sees it: typed events, in kernel order.

use bytes::Bytes;

use crate::process::identity::Identity;

/// One event of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since boot. Never less than the event before.
    pub ktime_ns: u64,
    /// The process; for a fork, the child.
    pub process: Identity,
    /// The process that forked it, whoever adopted it since.
    pub parent: Identity,
    /// Generations below the root.
    pub depth: u16,
    /// Its comm when it happened; for a rename, the new one.
    pub comm: Comm,
    /// What happened.
    pub what: What,
}

/// The kinds of event, each with its own fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The process was created.
    Fork(Fork),
    /// It runs another image.
    Exec(Box<Exec>),
    /// Its last thread is gone.
    Exit(Box<Exit>),
    /// Its main thread changed its comm.
    Rename {
        /// The comm before.
        old_comm: Comm,
    },
    /// A signal that can end it was sent to it.
    Signal(Signal),
    /// The OOM killer chose it.
    Oom,
}

/// A process was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Real user id.
    pub uid: u32,
    /// The child's place in pid namespaces.
    pub namespace: Option<NamespacePid>,
    /// The thread that called fork.
    pub parent_tid: u32,
    /// The tree map was full: nothing more will be heard of the child.
    pub untracked: bool,
}

/// A process runs another image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// The file as it was named to exec.
    pub filename: Bytes,
    /// `filename` is only the beginning.
    pub filename_truncated: bool,
    /// The interpreter, where the file is a script.
    pub interp: Option<Bytes>,
    /// The arguments.
    pub args: Args,
    /// Id of the calling thread, before it took over the process's.
    pub old_tid: u32,
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: Option<u32>,
    /// Its place in pid namespaces.
    pub namespace: Option<NamespacePid>,
    /// cgroup v2 id.
    pub cgroup_id: Option<u64>,
    /// The working directory, by device and inode.
    pub cwd: Option<Directory>,
}

/// The arguments of an exec, as far as they could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// The arguments, each ended by a NUL.
    pub bytes: Bytes,
    /// How many bytes there were.
    pub total: u64,
    /// `bytes` is only the beginning.
    pub truncated: bool,
    /// The memory could not be read.
    pub unreadable: bool,
}

impl Args {
    /// Each argument, without its NUL. The last one may be cut if `truncated`.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let whole = self.bytes.strip_suffix(b"\0").unwrap_or(&self.bytes);
        let none = self.bytes.is_empty();
        whole.split(|byte| *byte == 0).filter(move |_| !none)
    }
}

/// A process's last thread is gone. Totals are over all its threads, without waited-for children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The status that `wait` reports.
    pub status: Status,
    /// The thread that went last.
    pub tid: u32,
    /// What it used.
    pub totals: Totals,
    /// Some threads' shares are missing in the totals.
    pub totals_partial: bool,
    /// cgroup v2 id.
    pub cgroup_id: Option<u64>,
}

/// A raw wait status, split (wait(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// The code given to `exit`, if it ended by that.
    #[must_use]
    pub fn exit_code(self) -> Option<u8> {
        (self.0 & 0x7f == 0).then_some(self.0.to_le_bytes()[1])
    }

    /// The signal that ended it, if one did.
    #[must_use]
    pub fn exit_signal(self) -> Option<u8> {
        (self.0 & 0x7f != 0).then_some(self.0.to_le_bytes()[0] & 0x7f)
    }

    /// Whether a core was dumped.
    #[must_use]
    pub fn core_dumped(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// A process's use of the machine. `None`: this kernel does not count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Peak resident set, KiB.
    pub max_rss_kb: Option<u64>,
    /// User CPU time, µs, as `wait4` gives it.
    pub utime_us: u64,
    /// System CPU time, µs.
    pub stime_us: u64,
    /// Minor page faults.
    pub min_flt: Option<u64>,
    /// Major page faults.
    pub maj_flt: Option<u64>,
    /// Voluntary context switches.
    pub nvcsw: Option<u64>,
    /// Involuntary context switches.
    pub nivcsw: Option<u64>,
    /// Bytes fetched from storage.
    pub read_bytes: Option<u64>,
    /// Bytes sent to storage.
    pub write_bytes: Option<u64>,
}

/// A signal on its way to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number.
    pub signal: u8,
    /// `si_code` (sigaction(2)).
    pub code: i32,
    /// Who sent it; `None`: the kernel itself.
    pub sender: Option<Sender>,
    /// The target has a handler for it.
    pub handled: bool,
}

/// Who sent a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The process.
    pub process: Identity,
    /// Its comm.
    pub comm: Comm,
    /// Its real user id.
    pub uid: u32,
}

/// A process's place in pid namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespacePid {
    /// Its pid in its own namespace.
    pub pid: u32,
    /// The namespace's inode, as `/proc/PID/ns/pid` shows it.
    pub inode: u32,
}

/// A directory on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Directory {
    /// Device, as `stat` gives it.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
}

/// A process's name: at most 15 bytes, of any value but NUL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Comm([u8; tracer_ebpf::COMM_LEN]);

impl Comm {
    /// From the kernel's NUL-terminated array. What comes after the NUL is a part of some earlier name: kernels before 5.17
    /// did not clear it (fs/exec.c, `__set_task_comm`), and no name is another for that.
    #[must_use]
    pub fn new(comm: [u8; tracer_ebpf::COMM_LEN]) -> Self {
        let end = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
        let mut clean = [0; tracer_ebpf::COMM_LEN];
        clean[..end].copy_from_slice(&comm[..end]);
        Self(clean)
    }

    /// From a name of any length, cut where the kernel cuts a name.
    #[must_use]
    pub fn cut(name: &[u8]) -> Self {
        let mut comm = [0; tracer_ebpf::COMM_LEN];
        for (place, byte) in comm.iter_mut().take(tracer_ebpf::COMM_LEN - 1).zip(name) {
            *place = *byte;
        }
        Self(comm)
    }

    /// The name's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        &self.0[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, Comm, Status};

    #[test]
    fn what_is_left_of_an_earlier_name_is_no_part_of_a_name() {
        let name = Comm::new(*b"workload\0er-name");
        assert_eq!((name, name.bytes()), (Comm::cut(b"workload"), &b"workload"[..]));
    }

    fn args(bytes: &'static [u8]) -> Vec<&'static [u8]> {
        let args =
            Box::leak(Box::new(Args { bytes: bytes.into(), total: 0, truncated: false, unreadable: false }));
        args.iter().collect()
    }

    #[test]
    fn no_arguments_differ_from_one_empty_argument() {
        assert_eq!(args(b""), Vec::<&[u8]>::new());
        assert_eq!(args(b"\0"), [b""]);
    }

    #[test]
    fn empty_arguments_in_between_are_kept() {
        assert_eq!(args(b"a\0\0b\0"), [b"a".as_slice(), b"", b"b"]);
    }

    #[test]
    fn a_status_is_split_as_wait_does() {
        assert_eq!((Status(0x300).exit_code(), Status(0x300).exit_signal()), (Some(3), None));
        assert_eq!((Status(9).exit_code(), Status(9).exit_signal()), (None, Some(9)));
        assert!(Status(0x8b).core_dumped());
    }
}
