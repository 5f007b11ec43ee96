//! The live suite `load`, for longer than a test run has time: every storm, and whether anything was lost.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::ground::{Ground, Test};
use super::report::{Line, Unit};
use super::sample::Sample;
use crate::child;

/// Seconds of a whole bench: ten minutes of storms, and as much again to read what they left.
const SECONDS: usize = 600;
/// To see that it works: a second for each storm.
const QUICK: usize = 18;

/// Mebibytes: some 100 bytes for each process of the half, which is what a leak would be.
const GROWTH: f64 = 12.0;

/// What a storm tells (tests/suites/load.rs).
#[derive(Deserialize)]
struct Storm {
    storm: String,
    processes: u64,
    events: u64,
    command_seconds: f64,
    lost: u64,
    /// The most in each half of its time.
    memory_kib: [u64; 2],
}

/// Measures all storms.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let figures = ground.file("load.jsonl");
    let mut suite = Command::new(ground.test(Test::Load));
    let seconds = if ground.is_quick() { QUICK } else { SECONDS };
    suite.env("TRACER_LOAD_SECONDS", seconds.to_string());
    suite.env("TRACER_LOAD_REPORT", &figures).env("TRACER_TEST", "1").env("TRACER_BIN", ground.tracer());
    let output = suite.output().with_context(|| format!("cannot start `{}`", child::line(&suite)))?;
    let text = fs::read_to_string(&figures).unwrap_or_default();
    let storms: Result<Vec<Storm>, _> = text.lines().map(serde_json::from_str).collect();
    let storms = storms.with_context(|| format!("cannot read {}", figures.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    // What is lost is a figure, over which its test fails. Any other test that fails is an error.
    let lossy = storms.iter().filter(|storm| storm.lost > 0).count();
    if storms.is_empty() || failures(&said).is_none_or(|failed| failed > lossy) {
        bail!("the suite `load` failed:\n{said}");
    }
    Ok(lines(&storms))
}

/// How many tests failed, as the test harness says at its end.
fn failures(said: &str) -> Option<usize> {
    let result = said.lines().rfind(|line| line.starts_with("test result: "))?;
    result.split("; ").find_map(|part| part.strip_suffix(" failed")?.trim().parse().ok())
}

fn lines(storms: &[Storm]) -> Vec<Line> {
    let lost: u64 = storms.iter().map(|storm| storm.lost).sum();
    let line = |what: String, unit, value, budget| Line {
        what,
        unit,
        measured: Sample::exact(value),
        budget,
        beside: Vec::new(),
    };
    let events: u64 = storms.iter().map(|storm| storm.events).sum();
    let seconds: f64 = storms.iter().map(|storm| storm.command_seconds).sum();
    let what = format!("events lost of {events}, {} storms, {seconds:.0} s", storms.len());
    let mut lines = vec![line(what, Unit::Count, lost as f64, Some(0.0))];
    let growth = storms.iter().map(|storm| storm.memory_kib[1].saturating_sub(storm.memory_kib[0])).max();
    let growth = growth.unwrap_or(0) as f64 / 1024.0;
    let what = "memory that tracer gained in the second half of a storm, the most of any".to_owned();
    lines.push(line(what, Unit::Mebibytes, growth, Some(GROWTH)));
    lines.extend(storms.iter().filter(|storm| storm.command_seconds > 1.0).map(|storm| {
        let rate = storm.processes as f64 / storm.command_seconds;
        line(format!("{}: processes", storm.storm), Unit::PerSecond, rate, None)
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_are_counted_by_their_last_line() {
        let said = "test result: ok. 1 passed; 0 failed; 0 ignored\n\ntest result: FAILED. 17 passed; 2 failed; 0 ignored;\n";
        assert_eq!((failures(said), failures("killed")), (Some(2), None));
    }

    #[test]
    fn a_lost_event_is_over_the_budget_of_none() {
        let storm = |lost| Storm {
            storm: "fork".into(),
            processes: 300,
            events: 600,
            command_seconds: 3.0,
            lost,
            memory_kib: [1024, 3072],
        };
        let told = lines(&[storm(0), storm(1)]);
        assert_eq!((told[0].measured.median, told[0].within()), (1.0, Some(false)));
        assert!(told[0].what.contains("of 1200"), "{}", told[0].what);
        assert_eq!((told[1].measured.median, told[2].measured.median), (2.0, 100.0));
    }
}
