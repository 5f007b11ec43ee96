//! The summary's `target`: the workload, and the evidence for it.

use serde::Serialize;

use super::clock::{Clock, Time};
use super::text::Text;
use crate::process::identity::Ticks;
use crate::process::target::{TargetHistory, TraceTarget, Wrapper};

/// The summary's `target`.
#[derive(Debug, Serialize)]
pub struct TargetRow<'a> {
    pid: u32,
    comm: Text<'a>,
    cmdline: Option<Vec<Text<'a>>>,
    args_truncated: Option<bool>,
    starttime_ticks: Ticks,
    boot_id: &'a str,
    resolved_at: Time,
    how: HowRow<'a>,
    changes: Vec<ChangeRow<'a>>,
    change_count: u64,
}

/// Why it is the target.
#[derive(Debug, Serialize)]
struct HowRow<'a> {
    rule: &'static str,
    name: Text<'a>,
    ktime_ns: u64,
    wrappers: Vec<WrapperRow<'a>>,
}

#[derive(Debug, Serialize)]
struct WrapperRow<'a> {
    pid: u32,
    starttime_ticks: Ticks,
    comm: Text<'a>,
    name: &'a str,
}

/// A change of image or name after it was found.
#[derive(Debug, Serialize)]
struct ChangeRow<'a> {
    at: Time,
    from: Text<'a>,
    to: Text<'a>,
    filename: Option<Text<'a>>,
}

impl<'a> TargetRow<'a> {
    /// What is told of `target`. `redact` leaves its command line out.
    #[must_use]
    pub fn new(
        target: &'a TraceTarget,
        history: Option<&'a TargetHistory>,
        clock: Clock,
        redact: bool,
    ) -> Self {
        let how = target.how();
        let changes = history.map_or(&[] as &[_], TargetHistory::changes);
        Self {
            pid: target.pid(),
            comm: Text(target.comm()),
            cmdline: target
                .cmdline()
                .filter(|args| !redact && !args.unreadable)
                .map(|args| args.iter().map(Text).collect()),
            args_truncated: target.cmdline().map(|args| args.truncated),
            starttime_ticks: target.starttime_ticks(),
            boot_id: target.boot_id(),
            resolved_at: clock.at(target.resolved_at()),
            how: HowRow {
                rule: how.rule.name(),
                name: Text(&how.name),
                ktime_ns: how.at_ns,
                wrappers: how.wrappers.iter().map(wrapper).collect(),
            },
            changes: changes
                .iter()
                .map(|change| ChangeRow {
                    at: clock.at(change.at_ns),
                    from: Text(change.from.bytes()),
                    to: Text(change.to.bytes()),
                    filename: change.filename.as_deref().map(Text),
                })
                .collect(),
            change_count: history.map_or(0, TargetHistory::total),
        }
    }
}

fn wrapper(wrapper: &Wrapper) -> WrapperRow<'_> {
    WrapperRow {
        pid: wrapper.id.pid,
        starttime_ticks: wrapper.id.start,
        comm: Text(wrapper.comm.bytes()),
        name: &wrapper.name,
    }
}

#[cfg(test)]
mod tests;
