//! What a bench found, with what must be known to compare it with another.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Serialize, Serializer};

use super::ground::Ground;
use super::sample::Sample;
use crate::child;

/// What the figures of a line are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Beside {
    pub(crate) who: &'static str,
    #[serde(flatten, serialize_with = "figure_or_reason")]
    pub(crate) measured: Result<Sample, String>,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) row: &'static str,
    #[serde(flatten)]
    pub(crate) line: Line,
    pub(crate) within: Option<bool>,
}

/// A whole bench.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema_version: u32,
    pub(crate) date: String,
    pub(crate) tracer_version: String,
    pub(crate) kernel: String,
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
            cpus: std::thread::available_parallelism().context("cannot count the cores")?.get(),
            load_average: load.split(' ').next().unwrap_or_default().to_owned(),
            quick: ground.is_quick(),
            lines: Vec::new(),
        })
    }

    /// Adds what a row found.
    pub(crate) fn add(&mut self, row: &'static str, lines: Vec<Line>) {
        let entry = |line: Line| Entry { row, within: line.within(), line };
        self.lines.extend(lines.into_iter().map(entry));
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

fn figure_or_reason<S: Serializer>(measured: &Result<Sample, String>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Fields<'a> {
        measured: Option<Sample>,
        missing: Option<&'a str>,
    }
    let (figure, reason) = (measured.as_ref().ok().copied(), measured.as_ref().err());
    Fields { measured: figure, missing: reason.map(String::as_str) }.serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(median: f64, budget: Option<f64>) -> Line {
        let beside = vec![
            Beside { who: "strace -f", measured: Ok(Sample::exact(2.5)) },
            Beside { who: "tracexec", measured: Err("not installed".to_owned()) },
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
    fn a_peer_that_was_not_measured_is_null_with_a_reason() {
        let json = serde_json::to_value(line(1.0, None)).unwrap();
        assert_eq!(json["beside"][0]["measured"]["median"], 2.5);
        assert_eq!(json["beside"][1]["measured"], serde_json::Value::Null);
        assert_eq!(json["beside"][1]["missing"], "not installed");
    }
}
