//! A process as a line of `processes.jsonl`.

use serde::Serialize;

use super::clock::{Clock, Time};
use super::text::Text;
use crate::process::cwd::Directories;
use crate::process::identity::{Identity, Ticks};
use crate::process::member::Member;

/// A line of `processes.jsonl`. Unknown is null.
#[derive(Debug, Serialize)]
pub struct ProcessRow<'a> {
    pid: u32,
    starttime_ticks: Ticks,
    ppid: u32,
    parent_starttime_ticks: Ticks,
    depth: u16,
    is_root: bool,
    is_target: bool,
    comms: Vec<Text<'a>>,
    comms_dropped: u64,
    filename: Option<Text<'a>>,
    interp: Option<Text<'a>>,
    argv: Option<Vec<Text<'a>>>,
    args_truncated: Option<bool>,
    cwd: Option<Text<'a>>,
    uid: Option<u32>,
    cgroup_id: Option<u64>,
    ns_pid: Option<u32>,
    pid_ns: Option<u32>,
    started_at: Option<Time>,
    ended_at: Option<Time>,
    end_lost: bool,
    exit_code: Option<u8>,
    exit_signal: Option<u8>,
    core_dumped: Option<bool>,
    killed_by: Option<KilledBy<'a>>,
    oom_killed: bool,
    max_rss_kb: Option<u64>,
    utime_us: Option<u64>,
    stime_us: Option<u64>,
    min_flt: Option<u64>,
    maj_flt: Option<u64>,
    nvcsw: Option<u64>,
    nivcsw: Option<u64>,
    read_bytes: Option<u64>,
    write_bytes: Option<u64>,
    orphaned: bool,
    adopted_by: Option<AdoptedBy<'a>>,
}

/// What a line needs beside its process.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The root, once it is known.
    pub root: Option<Identity>,
    /// The target, once it is known.
    pub target: Option<Identity>,
    /// Where boot time lies on the calendar.
    pub clock: Clock,
    /// Paths of working directories.
    pub directories: &'a Directories,
    /// Leaves arguments out.
    pub redact: bool,
}

/// Who sent the signal that ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KilledBy<'a> {
    /// Process id.
    pub pid: u32,
    /// Its comm.
    pub comm: Text<'a>,
    /// Its real user id.
    pub uid: u32,
}

impl<'a> KilledBy<'a> {
    /// Who ended `member`, if somebody did.
    #[must_use]
    pub fn of(member: &'a Member) -> Option<Self> {
        let sender = member.killed_by()?;
        Some(Self { pid: sender.process.pid, comm: Text(sender.comm.bytes()), uid: sender.uid })
    }
}

/// Who adopted an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AdoptedBy<'a> {
    /// Process id.
    pub pid: u32,
    /// Its comm.
    pub comm: Text<'a>,
}

impl<'a> AdoptedBy<'a> {
    /// Who adopted `member`, if somebody did.
    #[must_use]
    pub fn of(member: &'a Member) -> Option<Self> {
        member.adopter.as_ref().map(|adopter| Self { pid: adopter.id.pid, comm: Text(&adopter.comm) })
    }
}

impl<'a> ProcessRow<'a> {
    /// The line of `member`.
    #[must_use]
    pub fn new(member: &'a Member, context: Context<'a>) -> Self {
        let Context { root, target, clock, directories, redact } = context;
        let image = member.image.as_deref();
        let end = member.end.as_ref();
        let totals = end.and_then(|end| end.totals);
        let cwd = image.and_then(|image| image.cwd).and_then(|cwd| directories.known(cwd));
        Self {
            pid: member.id.pid,
            starttime_ticks: member.id.start,
            ppid: member.parent.pid,
            parent_starttime_ticks: member.parent.start,
            depth: member.depth,
            is_root: root == Some(member.id),
            is_target: target == Some(member.id),
            comms: member.comms.iter().map(|comm| Text(comm.bytes())).collect(),
            comms_dropped: member.comms_dropped,
            filename: image.map(|image| Text(&image.filename)),
            interp: image.and_then(|image| image.interp.as_deref()).map(Text),
            argv: image
                .filter(|image| !redact && !image.args.unreadable)
                .map(|image| image.args.iter().map(Text).collect()),
            args_truncated: image.map(|image| image.args.truncated),
            cwd: cwd.map(|cwd| Text(cwd)),
            uid: member.uid,
            cgroup_id: member.cgroup_id,
            ns_pid: member.namespace.map(|namespace| namespace.pid),
            pid_ns: member.namespace.map(|namespace| namespace.inode),
            started_at: member.started_ns.map(|ns| clock.at(ns)),
            ended_at: member.ended_ns.map(|ns| clock.at(ns)),
            end_lost: member.end_lost,
            exit_code: end.and_then(|end| end.status.exit_code()),
            exit_signal: member.exit_signal(),
            core_dumped: end.map(|end| end.status.core_dumped()),
            killed_by: KilledBy::of(member),
            oom_killed: member.was_oom_killed(),
            max_rss_kb: totals.and_then(|totals| totals.max_rss_kb),
            utime_us: totals.map(|totals| totals.utime_us),
            stime_us: totals.map(|totals| totals.stime_us),
            min_flt: totals.and_then(|totals| totals.min_flt),
            maj_flt: totals.and_then(|totals| totals.maj_flt),
            nvcsw: totals.and_then(|totals| totals.nvcsw),
            nivcsw: totals.and_then(|totals| totals.nivcsw),
            read_bytes: totals.and_then(|totals| totals.read_bytes),
            write_bytes: totals.and_then(|totals| totals.write_bytes),
            orphaned: member.orphaned,
            adopted_by: AdoptedBy::of(member),
        }
    }
}
