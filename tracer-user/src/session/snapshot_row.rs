//! A snapshot as a line of `proc_trace.jsonl`. Unknown is null.
//!
//! Signal sets are written as `/proc` writes them: sixteen hexadecimal digits, bit N-1 for signal N.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::clock::Time;
use super::text::{Text, decode};
use crate::kernel::event::Comm;
use crate::process::identity::{Identity, Ticks};
use crate::process::proc::number::hexadecimal;
use crate::process::snapshot::{Snapshot, Values};

/// A line of `proc_trace.jsonl`.
#[derive(Debug, Serialize)]
pub struct SnapshotRow<'a> {
    captured_at: Time,
    pid: u32,
    starttime_ticks: Ticks,
    comm: Text<'a>,
    is_target: bool,
    state: Option<char>,
    vm_rss_kb: Option<u64>,
    vm_hwm_kb: Option<u64>,
    vm_swap_kb: Option<u64>,
    threads: Option<u64>,
    fd_count: Option<u64>,
    fd_soft_limit: Option<u64>,
    oom_score: Option<u64>,
    oom_score_adj: Option<i64>,
    sig_pnd: Option<SignalSet>,
    sig_blk: Option<SignalSet>,
    sig_cgt: Option<SignalSet>,
    wchan: Option<Text<'a>>,
    ctx_switches_voluntary: Option<u64>,
    ctx_switches_involuntary: Option<u64>,
    cpu_percent: Option<f64>,
    utime_ticks: Option<Ticks>,
    stime_ticks: Option<Ticks>,
    read_bytes: Option<u64>,
    write_bytes: Option<u64>,
    sweep: u64,
}

#[derive(Clone, Copy, Debug)]
struct SignalSet(u64);

impl Serialize for SignalSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'a> SnapshotRow<'a> {
    /// The line of a snapshot.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let values = &snapshot.values;
        Self {
            captured_at: Time(snapshot.captured_at),
            pid: snapshot.id.pid,
            starttime_ticks: snapshot.id.start,
            comm: Text(snapshot.comm.bytes()),
            is_target: snapshot.is_target,
            state: values.state.map(char::from),
            vm_rss_kb: values.vm_rss_kb,
            vm_hwm_kb: values.vm_hwm_kb,
            vm_swap_kb: values.vm_swap_kb,
            threads: values.threads,
            fd_count: values.fd_count,
            fd_soft_limit: values.fd_soft_limit,
            oom_score: values.oom_score,
            oom_score_adj: values.oom_score_adj,
            sig_pnd: values.sig_pnd.map(SignalSet),
            sig_blk: values.sig_blk.map(SignalSet),
            sig_cgt: values.sig_cgt.map(SignalSet),
            wchan: values.wchan.as_deref().map(Text),
            ctx_switches_voluntary: values.ctx_switches_voluntary,
            ctx_switches_involuntary: values.ctx_switches_involuntary,
            cpu_percent: snapshot.cpu_percent,
            utime_ticks: values.utime_ticks,
            stime_ticks: values.stime_ticks,
            read_bytes: values.read_bytes,
            write_bytes: values.write_bytes,
            sweep: snapshot.sweep,
        }
    }
}

/// Why a line can't be taken as a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum NoSnapshot {
    /// It is no JSON object.
    #[error("no JSON object: {0}")]
    NoObject(#[from] serde_json::Error),
    /// Without this field nobody knows whose row it is.
    #[error("no usable {0:?}")]
    Without(&'static str),
}

/// Reads a recorded line. A field that is missing or damaged is unknown, as long as time and process are there.
///
/// # Errors
/// If they are not.
pub fn parse(line: &[u8]) -> Result<Snapshot, NoSnapshot> {
    let row = Recorded(serde_json::from_slice(line)?);
    let time = row.field::<&str>("captured_at").and_then(|text| text.parse::<Timestamp>().ok());
    let captured_at = time.ok_or(NoSnapshot::Without("captured_at"))?;
    let pid = row.field("pid").ok_or(NoSnapshot::Without("pid"))?;
    let start = row.field("starttime_ticks").ok_or(NoSnapshot::Without("starttime_ticks"))?;
    let comm = row.bytes("comm").ok_or(NoSnapshot::Without("comm"))?;
    Ok(Snapshot {
        captured_at,
        id: Identity { pid, start: Ticks(start) },
        comm: Comm::cut(&comm),
        is_target: row.field("is_target").ok_or(NoSnapshot::Without("is_target"))?,
        cpu_percent: row.field("cpu_percent"),
        values: values(&row),
        sweep: row.field("sweep").ok_or(NoSnapshot::Without("sweep"))?,
    })
}

fn values(row: &Recorded) -> Values {
    Values {
        state: row.field::<char>("state").and_then(|state| u8::try_from(state).ok()),
        vm_rss_kb: row.field("vm_rss_kb"),
        vm_hwm_kb: row.field("vm_hwm_kb"),
        vm_swap_kb: row.field("vm_swap_kb"),
        threads: row.field("threads"),
        fd_count: row.field("fd_count"),
        fd_soft_limit: row.field("fd_soft_limit"),
        oom_score: row.field("oom_score"),
        oom_score_adj: row.field("oom_score_adj"),
        sig_pnd: row.signals("sig_pnd"),
        sig_blk: row.signals("sig_blk"),
        sig_cgt: row.signals("sig_cgt"),
        wchan: row.bytes("wchan").map(Vec::into_boxed_slice),
        ctx_switches_voluntary: row.field("ctx_switches_voluntary"),
        ctx_switches_involuntary: row.field("ctx_switches_involuntary"),
        utime_ticks: row.field("utime_ticks").map(Ticks),
        stime_ticks: row.field("stime_ticks").map(Ticks),
        read_bytes: row.field("read_bytes"),
        write_bytes: row.field("write_bytes"),
    }
}

struct Recorded(serde_json::Map<String, Value>);

impl Recorded {
    fn field<'r, T: Deserialize<'r>>(&'r self, name: &str) -> Option<T> {
        T::deserialize(self.0.get(name)?).ok()
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name)?.as_str().map(decode)
    }

    fn signals(&self, name: &str) -> Option<u64> {
        hexadecimal(self.0.get(name)?.as_str()?.as_bytes())
    }
}

/// A row of a test, of which nothing is known but whose it is.
#[cfg(test)]
pub(crate) fn made(pid: u32, comm: &str) -> Snapshot {
    Snapshot {
        captured_at: Timestamp::UNIX_EPOCH,
        id: Identity { pid, start: Ticks(5) },
        comm: Comm::cut(comm.as_bytes()),
        is_target: false,
        cpu_percent: None,
        values: Values::default(),
        sweep: 1,
    }
}

#[cfg(test)]
mod tests;
