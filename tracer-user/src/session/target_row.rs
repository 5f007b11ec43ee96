//! The target as the `target` object of `summary.json`: who it is, and `how` it was found.

use serde::Serialize;

use super::clock::{Clock, Time};
use super::text::Text;
use crate::process::identity::Ticks;
use crate::process::target::{TraceTarget, Wrapper};

/// The `target` object.
#[derive(Clone, Debug, Serialize)]
pub struct TargetRow<'a> {
    pid: u32,
    comm: Text<'a>,
    /// Null: the arguments could not be read.
    cmdline: Option<Vec<Text<'a>>>,
    /// `cmdline` is only the beginning.
    args_truncated: Option<bool>,
    starttime_ticks: Ticks,
    boot_id: &'a str,
    resolved_at: Time,
    how: HowRow<'a>,
    /// From the root inwards.
    wrappers: Vec<WrapperRow<'a>>,
}

/// Why it is this process.
#[derive(Clone, Copy, Debug, Serialize)]
struct HowRow<'a> {
    /// The rule: `filename`, `argv0`, `script`, `comm`, `shim`, `direct`, `seen_through` or `only_a_shell`.
    rule: &'static str,
    /// The name that the rule went by.
    name: Text<'a>,
    /// The event that it looked at, as `events.jsonl` has it.
    ktime_ns: u64,
}

/// A wrapper that was seen through.
#[derive(Clone, Copy, Debug, Serialize)]
struct WrapperRow<'a> {
    pid: u32,
    starttime_ticks: Ticks,
    comm: Text<'a>,
    name: &'a str,
}

impl<'a> TargetRow<'a> {
    /// The object of `target`.
    #[must_use]
    pub fn new(target: &'a TraceTarget, clock: Clock) -> Self {
        let how = target.how();
        let args = target.cmdline();
        Self {
            pid: target.pid(),
            comm: Text(target.comm()),
            cmdline: args.map(|args| args.iter().map(Text).collect()),
            args_truncated: args.map(|args| args.truncated),
            starttime_ticks: target.starttime_ticks(),
            boot_id: target.boot_id(),
            resolved_at: clock.at(target.resolved_at()),
            how: HowRow { rule: how.rule.name(), name: Text(&how.name), ktime_ns: how.at_ns },
            wrappers: how.wrappers.iter().map(WrapperRow::of).collect(),
        }
    }
}

impl<'a> WrapperRow<'a> {
    fn of(wrapper: &'a Wrapper) -> Self {
        Self {
            pid: wrapper.id.pid,
            starttime_ticks: wrapper.id.start,
            comm: Text(wrapper.comm.bytes()),
            name: &wrapper.name,
        }
    }
}

#[cfg(test)]
mod tests;
