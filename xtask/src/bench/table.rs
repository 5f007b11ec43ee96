//! The figures as a person reads them: one line each, and the peers below the line that they stand beside.

use std::fmt::Write;

use super::report::{Entry, Report, Unit};
use super::sample::Sample;

const HEAD: [&str; 7] = ["row", "what", "median", "quartiles", "least", "budget", ""];

/// The whole table, and the machine that it holds for.
pub(crate) fn render(report: &Report) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for entry in &report.lines {
        rows.push(own(entry));
        rows.extend(entry.line.beside.iter().map(|beside| match &beside.measured {
            Ok(sample) => figures(["", &format!("  {}", beside.who)], sample, entry.line.unit, "", ""),
            Err(reason) => ["", &format!("  {}", beside.who), reason, "", "", "", ""].map(str::to_owned),
        }));
    }
    let mut text = String::new();
    let Report { tracer_version, kernel, cpus, date, load_average, .. } = report;
    let machine = report.machine.as_deref().unwrap_or("unknown");
    let quick = if report.quick { ", quick: not to be compared" } else { "" };
    // Writing to a string can't fail.
    let _ = writeln!(
        text,
        "tracer {tracer_version} on Linux {kernel}, {cpus} CPUs ({machine}), load {load_average}, {date}{quick}"
    );
    align(&mut text, &rows);
    text
}

fn own(entry: &Entry) -> [String; 7] {
    let line = &entry.line;
    let budget =
        line.budget.map_or_else(|| "-".to_owned(), |budget| format!("<= {}", figure(budget, line.unit)));
    let verdict = entry.within.map_or("-", |within| if within { "within" } else { "OVER" });
    figures([&entry.row, &line.what], &line.measured, line.unit, &budget, verdict)
}

fn figures(names: [&str; 2], sample: &Sample, unit: Unit, budget: &str, verdict: &str) -> [String; 7] {
    let [row, what] = names.map(str::to_owned);
    let (low, high) = (figure(sample.lower_quartile, unit), figure(sample.upper_quartile, unit));
    let (quartiles, least) = if sample.count > 1 {
        (format!("{low} .. {high}"), figure(sample.min, unit))
    } else {
        (String::new(), String::new())
    };
    [row, what, figure(sample.median, unit), quartiles, least, budget.to_owned(), verdict.to_owned()]
}

/// A figure with its unit.
pub(crate) fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds => format!("{value:.0} ns"),
        Unit::Microseconds => format!("{value:.0} us"),
        Unit::Percent => format!("{value:.2} %"),
        Unit::Milliseconds => format!("{value:.1} ms"),
        Unit::Times => format!("{value:.3} x"),
        Unit::Count => format!("{value:.0}"),
        Unit::PerSecond => format!("{value:.0}/s"),
        Unit::Mebibytes => format!("{value:.1} MiB"),
    }
}

/// A reason in place of figures may be as long as it likes: it widens no column.
fn align(text: &mut String, rows: &[[String; 7]]) {
    let is_reason = |row: &[String; 7], column: usize| column == 2 && row[3..].iter().all(String::is_empty);
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| !is_reason(row, column));
        cells.map(|row| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; 7] = std::array::from_fn(width);
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::{Beside, Line};
    use super::*;

    #[test]
    fn a_table_shows_each_figure_its_budget_and_its_peers() {
        let sample = Sample { median: 1.02, lower_quartile: 1.01, upper_quartile: 1.04, min: 1.0, count: 20 };
        let beside = vec![
            Beside { who: "strace -f".into(), measured: Ok(Sample { median: 2.3, ..sample }) },
            Beside {
                who: "tracexec".into(),
                measured: Err("not installed (cargo install tracexec)".to_owned()),
            },
        ];
        let spawns =
            Line { what: "spawning".into(), unit: Unit::Times, measured: sample, budget: Some(1.03), beside };
        let (unit, measured) = (Unit::Count, Sample::exact(3.0));
        let storm = Line { what: "lost".into(), unit, measured, budget: Some(0.0), beside: vec![] };
        let mut report = Report {
            schema_version: 1,
            date: "2026-01-02T03:04:05Z".into(),
            tracer_version: "0.1.0".into(),
            kernel: "6.18.0".into(),
            machine: Some("Some CPU".into()),
            cpus: 2,
            load_average: "0.10".into(),
            quick: true,
            lines: vec![],
        };
        report.add("spawns", vec![spawns]);
        report.add("storm", vec![storm]);
        let shown = "\
tracer 0.1.0 on Linux 6.18.0, 2 CPUs (Some CPU), load 0.10, 2026-01-02T03:04:05Z, quick: not to be compared
row     what         median   quartiles           least    budget
spawns  spawning     1.020 x  1.010 x .. 1.040 x  1.000 x  <= 1.030 x  within
          strace -f  2.300 x  1.010 x .. 1.040 x  1.000 x
          tracexec   not installed (cargo install tracexec)
storm   lost         3                                     <= 0        OVER
";
        assert_eq!(render(&report), shown);
    }
}
