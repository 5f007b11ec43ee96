//! What a snapshot of one process costs beside its own bare system calls, and beside psutil.
//!
//! Tracer's own test `snapshot_cost` measures both in pairs, in the CPU time of its thread; here it is run.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::ground::{Ground, Test};
use super::psutil;
use super::report::{Line, Unit};
use super::sample::{Sample, pairwise};

/// Times as long as the system calls.
const BUDGET: f64 = 1.25;
const PSUTIL_ROUNDS: usize = 40;
const PSUTIL_EACH: usize = 50;

/// Nanoseconds of each round.
#[derive(Deserialize)]
struct Rounds {
    bare: Vec<f64>,
    snapshot: Vec<f64>,
}

/// Measures snapshots of a process that sleeps.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let mut test = Command::new(ground.test(Test::Cost));
    test.args(["a_snapshot_beside_its_bare_system_calls", "--ignored", "--nocapture"]);
    // A missed budget fails the test; here it is a figure.
    let output =
        test.output().with_context(|| format!("cannot start {}", ground.test(Test::Cost).display()))?;
    let output = String::from_utf8_lossy(&output.stdout);
    let rounds = output.lines().find_map(|line| line.split_once("rounds: "));
    let (_, rounds) = rounds.with_context(|| format!("the test of the cost printed {output:?}"))?;
    let Rounds { bare, snapshot } = serde_json::from_str(rounds).context("cannot read its rounds")?;
    let ratio = Sample::of(pairwise(&snapshot, &bare, |with, bare| with / bare)).context("no round")?;
    let bare = Sample::of(bare).context("no round")?.median;
    let arguments = [ground.repetitions(PSUTIL_ROUNDS), PSUTIL_EACH, 1].map(|number| number.to_string());
    let psutil = psutil::run(psutil::SNAPSHOT, &arguments).and_then(|times| {
        Sample::of(times.iter().map(|time| time / bare).collect()).ok_or_else(|| "no round".to_owned())
    });
    let microseconds = |times: Vec<f64>| Sample::of(times.iter().map(|time| time / 1000.0).collect());
    let absolute = microseconds(snapshot).context("no round")?;
    let line = |what: &str, unit, measured, budget, beside| Line {
        what: what.to_owned(),
        unit,
        measured,
        budget,
        beside,
    };
    Ok(vec![
        line(
            "a snapshot of one process, against its bare system calls",
            Unit::Times,
            ratio,
            Some(BUDGET),
            vec![psutil::beside("psutil, what of it psutil knows", psutil)],
        ),
        line("the same, CPU time", Unit::Microseconds, absolute, None, Vec::new()),
    ])
}
