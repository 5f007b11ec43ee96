//! What a bench found, with what must be known to compare it with another.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::ground::Ground;
use super::sample::Sample;
use crate::child;

/// What the figures of a line are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    /// Times as long as without.
    Times,
    Count,
    PerSecond,
    Mebibytes,
    Percent,
}

/// A peer's figure, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Told", try_from = "Told")]
pub(crate) struct Beside {
    pub(crate) who: String,
    pub(crate) measured: Result<Sample, String>,
}

/// The same as JSON: one of the two is null.
#[derive(Serialize, Deserialize)]
struct Told {
    who: String,
    measured: Option<Sample>,
    missing: Option<String>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) measured: Sample,
    /// What the median may be at the most; null: it is told, not judged.
    pub(crate) budget: Option<f64>,
    pub(crate) beside: Vec<Beside>,
}

impl Line {
    /// Whether the budget is kept; none without one.
    pub(crate) fn within(&self) -> Option<bool> {
        self.budget.map(|budget| self.measured.median <= budget)
    }
}

/// A line and the row that it is part of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) row: String,
    #[serde(flatten)]
    pub(crate) line: Line,
    pub(crate) within: Option<bool>,
}

/// A whole bench.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) schema_version: u32,
    pub(crate) date: String,
    pub(crate) tracer_version: String,
    pub(crate) kernel: String,
    /// What the kernel says of the processor; null where it says nothing.
    pub(crate) machine: Option<String>,
    pub(crate) cpus: usize,
    /// Of the minute before: 0 is a machine with nothing else to do.
    pub(crate) load_average: String,
    /// Figures for show only: too few repetitions to be compared.
    pub(crate) quick: bool,
    pub(crate) lines: Vec<Entry>,
}

impl Report {
    /// A report without figures yet.
    pub(crate) fn new(ground: &Ground) -> Result<Self> {
        let version = child::output(Command::new(ground.tracer()).arg("--version"))?;
        let load = read("/proc/loadavg")?;
        Ok(Self {
            schema_version: 1,
            date: format!("{:.0}", jiff::Timestamp::now()),
            tracer_version: version.trim().trim_start_matches("tracer ").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease")?,
            machine: processor(&read("/proc/cpuinfo")?),
            cpus: std::thread::available_parallelism().context("cannot count the cores")?.get(),
            load_average: load.split(' ').next().unwrap_or_default().to_owned(),
            quick: ground.is_quick(),
            lines: Vec::new(),
        })
    }

    /// Adds what a row found.
    pub(crate) fn add(&mut self, row: &str, lines: Vec<Line>) {
        let entry = |line: Line| Entry { row: row.to_owned(), within: line.within(), line };
        self.lines.extend(lines.into_iter().map(entry));
    }

    /// One that was written before.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let advice = || format!("{} is no report of this bench: write it again with --json", path.display());
        serde_json::from_slice(&text).with_context(advice)
    }

    /// The whole as JSON.
    pub(crate) fn json(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self).context("cannot write the figures as JSON")?;
        text.push('\n');
        Ok(text)
    }
}

fn read(path: &str) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.trim().to_owned())
}

/// `model name` of the first processor.
fn processor(cpuinfo: &str) -> Option<String> {
    let (_, name) = cpuinfo
        .lines()
        .find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == "model name"))?;
    Some(name.trim().to_owned())
}

impl From<Beside> for Told {
    fn from(Beside { who, measured }: Beside) -> Self {
        let (measured, missing) = match measured {
            Ok(sample) => (Some(sample), None),
            Err(reason) => (None, Some(reason)),
        };
        Self { who, measured, missing }
    }
}

impl TryFrom<Told> for Beside {
    type Error = String;

    fn try_from(Told { who, measured, missing }: Told) -> Result<Self, String> {
        let measured = match (measured, missing) {
            (Some(sample), None) => Ok(sample),
            (None, Some(reason)) => Err(reason),
            _ => return Err(format!("{who} has a figure or a reason why there is none")),
        };
        Ok(Self { who, measured })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(median: f64, budget: Option<f64>) -> Line {
        let beside = vec![
            Beside { who: "strace -f".to_owned(), measured: Ok(Sample::exact(2.5)) },
            Beside { who: "tracexec".to_owned(), measured: Err("not installed".to_owned()) },
        ];
        Line {
            what: "spawning".to_owned(),
            unit: Unit::Times,
            measured: Sample::exact(median),
            budget,
            beside,
        }
    }

    #[test]
    fn the_budget_itself_is_within() {
        assert_eq!(line(1.03, Some(1.03)).within(), Some(true));
        assert_eq!(line(1.04, Some(1.03)).within(), Some(false));
        assert_eq!(line(1.04, None).within(), None);
    }

    #[test]
    fn the_first_processor_names_the_machine() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nprocessor\t: 1\nmodel name\t: Other\n";
        assert_eq!(processor(text).as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(processor("processor\t: 0\nBogoMIPS\t: 48\n"), None);
    }

    #[test]
    fn a_peer_that_was_not_measured_is_null_with_a_reason() {
        let json = serde_json::to_value(line(1.0, None)).unwrap();
        assert_eq!(json["beside"][0]["measured"]["median"], 2.5);
        assert_eq!(json["beside"][1]["measured"], serde_json::Value::Null);
        assert_eq!(json["beside"][1]["missing"], "not installed");
        assert_eq!(serde_json::from_value::<Line>(json).unwrap(), line(1.0, None));
    }
}
