//! An event as a line of `events.jsonl`.

use bytes::Bytes;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::clock::Clock;
use super::text::Text;
use crate::kernel::event::{Event, Exec, Exit, Fork, NamespacePid, Sender, Signal, What};

/// A line of `events.jsonl`.
pub struct EventRow<'a> {
    /// The event.
    pub event: &'a Event,
    /// Where boot time lies on the calendar.
    pub clock: Clock,
    /// For an exec, the path of the working directory, if it is known.
    pub cwd: Option<&'a Bytes>,
    /// Leaves arguments out.
    pub redact: bool,
}

impl Serialize for EventRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", name(&event.what))?;
        map.serialize_entry("at", &self.clock.at(event.ktime_ns))?;
        map.serialize_entry("ktime_ns", &event.ktime_ns)?;
        map.serialize_entry("pid", &event.process.pid)?;
        map.serialize_entry("starttime_ticks", &event.process.start)?;
        map.serialize_entry("comm", &Text(event.comm.bytes()))?;
        map.serialize_entry("ppid", &event.parent.pid)?;
        map.serialize_entry("parent_starttime_ticks", &event.parent.start)?;
        map.serialize_entry("depth", &event.depth)?;
        match &event.what {
            What::Fork(fork) => fork_fields(&mut map, fork)?,
            What::Exec(exec) => exec_fields(&mut map, exec, self)?,
            What::Exit(exit) => exit_fields(&mut map, exit)?,
            What::Rename { old_comm } => map.serialize_entry("old_comm", &Text(old_comm.bytes()))?,
            What::Signal(signal) => signal_fields(&mut map, signal)?,
            What::Oom => {}
        }
        map.end()
    }
}

fn name(what: &What) -> &'static str {
    match what {
        What::Fork(_) => "fork",
        What::Exec(_) => "exec",
        What::Exit(_) => "exit",
        What::Rename { .. } => "rename",
        What::Signal(_) => "signal",
        What::Oom => "oom",
    }
}

fn namespace_fields<M: SerializeMap>(map: &mut M, namespace: Option<NamespacePid>) -> Result<(), M::Error> {
    map.serialize_entry("ns_pid", &namespace.map(|namespace| namespace.pid))?;
    map.serialize_entry("pid_ns", &namespace.map(|namespace| namespace.inode))
}

fn fork_fields<M: SerializeMap>(map: &mut M, fork: &Fork) -> Result<(), M::Error> {
    map.serialize_entry("uid", &fork.uid)?;
    namespace_fields(map, fork.namespace)?;
    map.serialize_entry("parent_tid", &fork.parent_tid)?;
    map.serialize_entry("untracked", &fork.untracked)
}

fn exec_fields<M: SerializeMap>(map: &mut M, exec: &Exec, row: &EventRow<'_>) -> Result<(), M::Error> {
    map.serialize_entry("filename", &Text(&exec.filename))?;
    map.serialize_entry("filename_truncated", &exec.filename_truncated)?;
    map.serialize_entry("interp", &exec.interp.as_deref().map(Text))?;
    let shown = !row.redact && !exec.args.unreadable;
    let argv = shown.then(|| exec.args.iter().map(Text).collect::<Vec<_>>());
    map.serialize_entry("argv", &argv)?;
    map.serialize_entry("args_truncated", &exec.args.truncated)?;
    map.serialize_entry("args_unreadable", &exec.args.unreadable)?;
    map.serialize_entry("args_bytes", &exec.args.total)?;
    map.serialize_entry("old_tid", &exec.old_tid)?;
    map.serialize_entry("uid", &exec.uid)?;
    map.serialize_entry("euid", &exec.euid)?;
    namespace_fields(map, exec.namespace)?;
    map.serialize_entry("cgroup_id", &exec.cgroup_id)?;
    map.serialize_entry("cwd", &row.cwd.map(|cwd| Text(cwd)))
}

fn exit_fields<M: SerializeMap>(map: &mut M, exit: &Exit) -> Result<(), M::Error> {
    map.serialize_entry("exit_code", &exit.status.exit_code())?;
    map.serialize_entry("exit_signal", &exit.status.exit_signal())?;
    map.serialize_entry("core_dumped", &exit.status.core_dumped())?;
    map.serialize_entry("tid", &exit.tid)?;
    let totals = &exit.totals;
    map.serialize_entry("max_rss_kb", &totals.max_rss_kb)?;
    map.serialize_entry("utime_us", &totals.utime_us)?;
    map.serialize_entry("stime_us", &totals.stime_us)?;
    map.serialize_entry("min_flt", &totals.min_flt)?;
    map.serialize_entry("maj_flt", &totals.maj_flt)?;
    map.serialize_entry("nvcsw", &totals.nvcsw)?;
    map.serialize_entry("nivcsw", &totals.nivcsw)?;
    map.serialize_entry("read_bytes", &totals.read_bytes)?;
    map.serialize_entry("write_bytes", &totals.write_bytes)?;
    map.serialize_entry("totals_partial", &exit.totals_partial)?;
    map.serialize_entry("cgroup_id", &exit.cgroup_id)
}

fn signal_fields<M: SerializeMap>(map: &mut M, signal: &Signal) -> Result<(), M::Error> {
    map.serialize_entry("signal", &signal.signal)?;
    map.serialize_entry("code", &signal.code)?;
    map.serialize_entry("sender", &signal.sender.as_ref().map(SenderRow))?;
    map.serialize_entry("handled", &signal.handled)
}

struct SenderRow<'a>(&'a Sender);

impl Serialize for SenderRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("pid", &self.0.process.pid)?;
        map.serialize_entry("starttime_ticks", &self.0.process.start)?;
        map.serialize_entry("comm", &Text(self.0.comm.bytes()))?;
        map.serialize_entry("uid", &self.0.uid)?;
        map.end()
    }
}
