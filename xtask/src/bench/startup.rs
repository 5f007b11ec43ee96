//! What tracer adds to a command that takes no time itself: start, attach, detach, the session's files, end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::contest::Contest;
use super::ground::Ground;
use super::peers;
use super::report::{Line, Unit};
use crate::child;

const ROUNDS: usize = 40;
/// Milliseconds over the command alone.
const BUDGET: f64 = 15.0;

/// Measures `tracer run -- true` over `true`.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let rounds = ground.repetitions(ROUNDS);
    let compare = |with: f64, bare: f64| (with - bare) * 1000.0;
    let (words, peers) = (vec!["/bin/true".into()], peers::that_start_it());
    let contest = Contest { ground, words, time: whole, rounds, compare, peers };
    contest.hold("`tracer run -- true` over `true`", Unit::Milliseconds, BUDGET)
}

/// From before its fork until it is reaped.
fn whole(mut command: Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot start `{}`", child::line(&command)))?;
    let took = start.elapsed();
    if !status.success() {
        bail!("`{}` failed ({status})", child::line(&command));
    }
    Ok(took)
}
