//! A line of `events.jsonl` -> the event that it was written from, so that a recording can go through the same fold again.
//!
//! Everything that [`super::event_row`] writes comes back, but for two things that the line does not hold: the working
//! directory's device and inode (the line has its path), and whether a cut argument list was cut right behind a NUL.
//! Unknown fields are passed over, so that a later version's recording can be read. What a line means to a tree or a
//! target is left to those; so is a torn last line, which is an error here.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use super::text;
use crate::kernel::event::{
    Args, Comm, Event, Exec, Exit, Fork, NamespacePid, Sender, Signal, Status, Totals, What,
};
use crate::process::identity::{Identity, Ticks};

/// Why a line is not an event.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It is not the JSON that the contract says.
    #[error("this is no line of events.jsonl")]
    Json(#[from] serde_json::Error),
    /// The kernel has no names of that length, and none with a NUL.
    #[error("{0:?} can't be a process's comm: it has more than 15 bytes, or a NUL")]
    Comm(String),
}

/// The event of one line.
///
/// # Errors
/// The line is not whole, or not an event.
pub fn event(line: &str) -> Result<Event, ReplayError> {
    Ok(event_and_cwd(line)?.0)
}

/// The event of one line, and for an exec the path of the working directory.
///
/// # Errors
/// The line is not whole, or not an event.
pub fn event_and_cwd(line: &str) -> Result<(Event, Option<Bytes>), ReplayError> {
    let mut cwd = None;
    let line: Line<'_> = serde_json::from_str(line)?;
    let what = match line.what {
        Kind::Fork(fork) => What::Fork(Fork {
            uid: fork.uid,
            namespace: namespace(fork.ns_pid, fork.pid_ns),
            parent_tid: fork.parent_tid,
            untracked: fork.untracked,
        }),
        Kind::Exec(exec) => {
            cwd = exec.cwd.as_deref().map(|path| Bytes::from(text::decode(path)));
            What::Exec(Box::new(exec.event()))
        }
        Kind::Exit(exit) => What::Exit(Box::new(exit.event())),
        Kind::Rename { old_comm } => What::Rename { old_comm: comm(&old_comm)? },
        Kind::Signal(signal) => What::Signal(signal.event()?),
        Kind::Oom {} => What::Oom,
    };
    let event = Event {
        ktime_ns: line.ktime_ns,
        process: identity(line.pid, line.starttime_ticks),
        parent: identity(line.ppid, line.parent_starttime_ticks),
        depth: line.depth,
        comm: comm(&line.comm)?,
        what,
    };
    Ok((event, cwd))
}

#[derive(Deserialize)]
struct Line<'a> {
    ktime_ns: u64,
    pid: u32,
    starttime_ticks: u64,
    #[serde(borrow)]
    comm: Cow<'a, str>,
    ppid: u32,
    parent_starttime_ticks: u64,
    depth: u16,
    #[serde(flatten)]
    what: Kind,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Kind {
    Fork(ForkLine),
    Exec(Box<ExecLine>),
    Exit(Box<ExitLine>),
    Rename { old_comm: String },
    Signal(SignalLine),
    Oom {},
}

#[derive(Deserialize)]
struct ForkLine {
    uid: u32,
    ns_pid: Option<u32>,
    pid_ns: Option<u32>,
    parent_tid: u32,
    untracked: bool,
}

#[derive(Deserialize)]
struct ExecLine {
    filename: String,
    filename_truncated: bool,
    interp: Option<String>,
    argv: Option<Vec<String>>,
    args_truncated: bool,
    args_unreadable: bool,
    args_bytes: u64,
    old_tid: u32,
    uid: u32,
    euid: Option<u32>,
    ns_pid: Option<u32>,
    pid_ns: Option<u32>,
    cgroup_id: Option<u64>,
    cwd: Option<String>,
}

impl ExecLine {
    fn event(self) -> Exec {
        let mut args = Vec::new();
        for arg in self.argv.iter().flatten() {
            args.extend(text::decode(arg));
            args.push(0);
        }
        Exec {
            filename: text::decode(&self.filename).into(),
            filename_truncated: self.filename_truncated,
            interp: self.interp.map(|interp| Bytes::from(text::decode(&interp))),
            args: Args {
                bytes: args.into(),
                total: self.args_bytes,
                truncated: self.args_truncated,
                // Arguments that were left out are not none: nobody may take a wrapper for one without a command.
                unreadable: self.args_unreadable || self.argv.is_none(),
            },
            old_tid: self.old_tid,
            uid: self.uid,
            euid: self.euid,
            namespace: namespace(self.ns_pid, self.pid_ns),
            cgroup_id: self.cgroup_id,
            cwd: None,
        }
    }
}

#[derive(Deserialize)]
struct ExitLine {
    exit_code: Option<u8>,
    exit_signal: Option<u8>,
    core_dumped: bool,
    tid: u32,
    max_rss_kb: Option<u64>,
    utime_us: u64,
    stime_us: u64,
    min_flt: Option<u64>,
    maj_flt: Option<u64>,
    nvcsw: Option<u64>,
    nivcsw: Option<u64>,
    read_bytes: Option<u64>,
    write_bytes: Option<u64>,
    totals_partial: bool,
    cgroup_id: Option<u64>,
}

impl ExitLine {
    fn event(self) -> Exit {
        // wait(2): the code in the second byte, the signal in the low seven bits, the core flag above those.
        let code = u32::from(self.exit_code.unwrap_or(0)) << 8;
        let core = if self.core_dumped { 0x80 } else { 0 };
        Exit {
            status: Status(code | u32::from(self.exit_signal.unwrap_or(0)) | core),
            tid: self.tid,
            totals: Totals {
                max_rss_kb: self.max_rss_kb,
                utime_us: self.utime_us,
                stime_us: self.stime_us,
                min_flt: self.min_flt,
                maj_flt: self.maj_flt,
                nvcsw: self.nvcsw,
                nivcsw: self.nivcsw,
                read_bytes: self.read_bytes,
                write_bytes: self.write_bytes,
            },
            totals_partial: self.totals_partial,
            cgroup_id: self.cgroup_id,
        }
    }
}

#[derive(Deserialize)]
struct SignalLine {
    signal: u8,
    code: i32,
    sender: Option<SenderLine>,
    handled: bool,
}

#[derive(Deserialize)]
struct SenderLine {
    pid: u32,
    starttime_ticks: u64,
    comm: String,
    uid: u32,
}

impl SignalLine {
    fn event(self) -> Result<Signal, ReplayError> {
        let sender = match self.sender {
            None => None,
            Some(sender) => Some(Sender {
                process: identity(sender.pid, sender.starttime_ticks),
                comm: comm(&sender.comm)?,
                uid: sender.uid,
            }),
        };
        Ok(Signal { signal: self.signal, code: self.code, sender, handled: self.handled })
    }
}

fn identity(pid: u32, start: u64) -> Identity {
    Identity { pid, start: Ticks(start) }
}

fn namespace(pid: Option<u32>, inode: Option<u32>) -> Option<NamespacePid> {
    Some(NamespacePid { pid: pid?, inode: inode? })
}

fn comm(name: &str) -> Result<Comm, ReplayError> {
    let bytes = text::decode(name);
    let mut comm = [0; tracer_ebpf::COMM_LEN];
    if bytes.len() >= comm.len() || bytes.contains(&0) {
        return Err(ReplayError::Comm(name.to_owned()));
    }
    comm[..bytes.len()].copy_from_slice(&bytes);
    Ok(Comm::new(comm))
}

#[cfg(test)]
mod tests;
