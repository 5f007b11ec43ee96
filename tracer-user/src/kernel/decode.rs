//! Ring records -> [`Event`]s. Checks every length: a record from another build of the object is an error, not a guess.

use bytes::Bytes;
use tracer_ebpf::facts::{Field, KernelFacts};
use tracer_ebpf::record::{self, Kind, flag};
use zerocopy::FromBytes;

use super::event::{
    Args, Comm, Directory, Event, Exec, Exit, Fork, NamespacePid, Sender, Signal, Status, Totals, What,
};
use crate::process::identity::Identity;

/// A record that does not fit the contract.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Too short for what it says it is.
    #[error("a {kind} record of {len} bytes is too short: the BPF object is not the one of this build")]
    Short {
        /// What it says it is.
        kind: &'static str,
        /// Its length.
        len: usize,
    },
    /// No such kind.
    #[error("a record of unknown kind {0}: the BPF object is not the one of this build")]
    Kind(u16),
}

/// Decodes records of one kernel.
#[derive(Clone, Debug)]
pub struct Decoder {
    facts: KernelFacts,
    page_kb: u64,
}

impl Decoder {
    /// For records made under `facts`.
    #[must_use]
    pub fn new(facts: KernelFacts) -> Self {
        Self { facts, page_kb: rustix::param::page_size() as u64 / 1024 }
    }

    /// The record's event. `ktime_ns` is its place in the merged order.
    pub fn decode(&self, bytes: &Bytes, ktime_ns: u64) -> Result<Event, DecodeError> {
        let header: record::Header = fixed("header", bytes)?;
        let what = match header.kind {
            k if k == Kind::Fork as u16 => self.fork(&fixed("fork", bytes)?),
            k if k == Kind::Exec as u16 => What::Exec(Box::new(self.exec(bytes)?)),
            k if k == Kind::Exit as u16 => What::Exit(Box::new(self.exit(&fixed("exit", bytes)?))),
            k if k == Kind::Rename as u16 => {
                let rename: record::Rename = fixed("rename", bytes)?;
                What::Rename { old_comm: Comm::new(rename.old_comm) }
            }
            k if k == Kind::Signal as u16 => What::Signal(signal(&fixed("signal", bytes)?)),
            k if k == Kind::Oom as u16 => What::Oom,
            k => return Err(DecodeError::Kind(k)),
        };
        Ok(Event {
            ktime_ns,
            process: Identity::from_kernel(header.pid, header.start_ns),
            parent: Identity::from_kernel(header.ppid, header.parent_start_ns),
            depth: header.depth,
            comm: Comm::new(header.comm),
            what,
        })
    }

    fn fork(&self, fork: &record::Fork) -> What {
        What::Fork(Fork {
            uid: fork.uid,
            namespace: namespace(fork.ns_pid, fork.pid_ns),
            parent_tid: fork.parent_tid,
            untracked: fork.header.flags & flag::UNTRACKED != 0,
        })
    }

    fn exec(&self, bytes: &Bytes) -> Result<Exec, DecodeError> {
        let exec: record::ExecFixed = fixed("exec", bytes)?;
        let at_interp = size_of::<record::ExecFixed>();
        let at_filename = at_interp + record::INTERP_LEN;
        // A ring record's length is exact, so it tells the size class.
        let at_args = at_filename
            + match bytes.len() {
                n if n == size_of::<record::ExecLarge>() => record::PATH_LEN,
                n if n == size_of::<record::ExecMedium>() || n == size_of::<record::ExecSmall>() => 256,
                len => return Err(DecodeError::Short { kind: "exec", len }),
            };
        let part = |at: usize, len: usize| {
            let end = (at + len).min(bytes.len());
            bytes.slice(at..end)
        };
        let flags = exec.header.flags;
        Ok(Exec {
            filename: part(at_filename, usize::from(exec.filename_len)),
            filename_truncated: flags & flag::FILENAME_TRUNCATED != 0,
            interp: (exec.interp_len > 0).then(|| part(at_interp, usize::from(exec.interp_len))),
            args: Args {
                bytes: part(at_args, exec.args_len as usize),
                total: exec.args_total,
                truncated: flags & flag::ARGS_TRUNCATED != 0,
                unreadable: flags & flag::ARGS_UNREADABLE != 0,
            },
            old_tid: exec.old_tid,
            uid: exec.uid,
            euid: self.facts.has(Field::CredEuid).then_some(exec.euid),
            namespace: namespace(exec.ns_pid, exec.pid_ns),
            cgroup_id: (exec.cgroup_id != 0).then_some(exec.cgroup_id),
            cwd: (exec.cwd_ino != 0).then(|| Directory { dev: user_dev(exec.cwd_dev), ino: exec.cwd_ino }),
        })
    }

    fn exit(&self, exit: &record::Exit) -> Exit {
        let known = |field, value| self.facts.has(field).then_some(value);
        let (utime_ns, stime_ns) = split_runtime(exit.utime_ns, exit.stime_ns, exit.runtime_ns);
        Exit {
            status: Status(exit.status),
            tid: exit.tid,
            totals: Totals {
                max_rss_kb: known(Field::SignalMaxrss, exit.maxrss_pages.saturating_mul(self.page_kb)),
                utime_us: utime_ns / 1000,
                stime_us: stime_ns / 1000,
                min_flt: known(Field::SignalMinFlt, exit.min_flt),
                maj_flt: known(Field::SignalMajFlt, exit.maj_flt),
                nvcsw: known(Field::SignalNvcsw, exit.nvcsw),
                nivcsw: known(Field::SignalNivcsw, exit.nivcsw),
                read_bytes: known(Field::SignalReadBytes, exit.read_bytes),
                write_bytes: known(Field::SignalWriteBytes, exit.write_bytes),
            },
            totals_partial: exit.header.flags & flag::TOTALS_PARTIAL != 0,
            cgroup_id: (exit.cgroup_id != 0).then_some(exit.cgroup_id),
        }
    }
}

/// The fixed part of a record.
fn fixed<T: FromBytes>(kind: &'static str, bytes: &Bytes) -> Result<T, DecodeError> {
    let short = |_| DecodeError::Short { kind, len: bytes.len() };
    T::read_from_prefix(bytes).map(|(record, _)| record).map_err(short)
}

fn namespace(pid: u32, inode: u32) -> Option<NamespacePid> {
    (inode != 0).then_some(NamespacePid { pid, inode })
}

fn signal(signal: &record::Signal) -> Signal {
    let from_kernel = signal.header.flags & flag::FROM_KERNEL != 0;
    Signal {
        signal: u8::try_from(signal.signal).unwrap_or(u8::MAX),
        code: signal.code,
        sender: (!from_kernel).then(|| Sender {
            process: Identity::from_kernel(signal.sender_pid, signal.sender_start_ns),
            comm: Comm::new(signal.sender_comm),
            uid: signal.sender_uid,
        }),
        handled: signal.header.flags & flag::HANDLED != 0,
    }
}

/// The kernel's device number (12 bits major, 20 bits minor) as `stat` shows it (include/linux/kdev_t.h).
fn user_dev(dev: u32) -> u64 {
    rustix::fs::makedev(dev >> 20, dev & 0xf_ffff)
}

/// Splits the measured run time in the ratio of the sampled times, as `wait4` does (kernel/sched/cputime.c,
/// `cputime_adjust`). All in nanoseconds.
fn split_runtime(utime: u64, stime: u64, runtime: u64) -> (u64, u64) {
    if runtime == 0 || stime == 0 {
        return if runtime == 0 { (utime, stime) } else { (runtime, 0) };
    }
    if utime == 0 {
        return (0, runtime);
    }
    let scaled = u128::from(stime) * u128::from(runtime) / (u128::from(stime) + u128::from(utime));
    let system = u64::try_from(scaled).unwrap_or(runtime);
    (runtime - system, system)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tracer_ebpf::facts::KernelFacts;

    use super::{DecodeError, Decoder, split_runtime, user_dev};

    #[test]
    fn any_bytes_give_an_event_or_an_error() {
        let decoder = Decoder::new(KernelFacts::NONE);
        for kind in 0..9_u8 {
            for len in [0, 1, 63, 64, 80, 112, 160, 500, 1144] {
                let mut bytes = vec![0xff; len];
                if len > 1 {
                    (bytes[0], bytes[1]) = (kind, 0);
                }
                let _ = decoder.decode(&Bytes::from(bytes), 0);
            }
        }
    }

    #[test]
    fn a_record_of_an_unknown_kind_is_named() {
        let mut bytes = vec![0; 64];
        bytes[0] = 77;
        let error = Decoder::new(KernelFacts::NONE).decode(&Bytes::from(bytes), 0);
        assert_eq!(error, Err(DecodeError::Kind(77)));
    }

    #[test]
    fn cpu_time_is_split_as_wait_does() {
        assert_eq!(split_runtime(4, 0, 1000), (1000, 0));
        assert_eq!(split_runtime(0, 4, 1000), (0, 1000));
        assert_eq!(split_runtime(30, 10, 1000), (750, 250));
        assert_eq!(split_runtime(0, 0, 0), (0, 0));
    }

    #[test]
    fn device_numbers_are_those_of_stat() {
        assert_eq!(user_dev(0xfe << 20), rustix::fs::makedev(0xfe, 0));
    }
}
