//! The figures as a chart: each against its budget, on a logarithmic scale, its peers below it.
//!
//! SVG by hand, a few kilobytes; its colours follow the reader's light or dark page. The same report gives the same
//! bytes, so the committed chart can be held against the committed figures.

use std::fmt::{self, Write};

use super::report::{Entry, Report};
use super::table::figure;

const WIDTH: f64 = 920.0;
/// Where bars begin, and how long those of [`DECADES`] are.
const LEFT: f64 = 400.0;
const SPAN: f64 = 330.0;
const TOP: f64 = 58.0;
const ROW: f64 = 22.0;
const PEER: f64 = 17.0;
/// Letters that fit before the bars.
const LETTERS: usize = 60;
/// The scale: from a hundredth of the budget to a hundred times as much.
const DECADES: [i32; 5] = [-2, -1, 0, 1, 2];

const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}\
.t{font-weight:600;font-size:14px}.s,.p{fill:#59636e}.p,.s{font-size:11px}.e{text-anchor:end}.m{text-anchor:middle}\
.in{fill:#1a7f5a}.over{fill:#bc4c00}.peer{fill:#afb8c1}.g{stroke:#d1d9e0}.b{stroke:#1f2328;stroke-width:1.5}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.s,.p{fill:#9198a1}.in{fill:#3fb98a}.over{fill:#f0883e}\
.peer{fill:#57606a}.g{stroke:#3d444d}.b{stroke:#f0f6fc}}";

/// The chart of every figure that has a budget.
pub(crate) fn render(report: &Report) -> String {
    let mut svg = String::new();
    // Writing to a string can't fail.
    let _ = draw(&mut svg, report);
    svg
}

/// A bar: what it stands for, how long it is, and what is written behind it.
struct Bar {
    class: &'static str,
    label: String,
    /// Of the budget; 1 is all of it.
    part: f64,
    value: String,
    height: f64,
}

fn draw(svg: &mut String, report: &Report) -> fmt::Result {
    let bars: Vec<Bar> = report.lines.iter().flat_map(bars).collect();
    let bottom = TOP + bars.iter().map(|bar| bar.height).sum::<f64>();
    let height = bottom + 30.0;
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\">\n<title>What tracer costs, against its budgets</title>\n<style>{STYLE}</style>"
    )?;
    head(svg, report)?;
    scale(svg, bottom)?;
    let mut y = TOP;
    for bar in bars {
        draw_bar(svg, &bar, y)?;
        y += bar.height;
    }
    svg.write_str("</svg>\n")
}

fn head(svg: &mut String, report: &Report) -> fmt::Result {
    let Report { tracer_version, kernel, cpus, .. } = report;
    let machine = report.machine.as_deref().map_or_else(String::new, |name| format!(" ({name})"));
    let day = report.date.split('T').next().unwrap_or_default();
    let quick = if report.quick { ", quick: not to be compared" } else { "" };
    let about = format!("tracer {tracer_version}, Linux {kernel}, {cpus} CPUs{machine}, {day}{quick}");
    writeln!(svg, "<text class=\"t\" x=\"12\" y=\"22\">What tracer costs, against its budgets</text>")?;
    writeln!(svg, "<text class=\"s\" x=\"12\" y=\"40\">{}</text>", escaped(&about))
}

fn scale(svg: &mut String, bottom: f64) -> fmt::Result {
    for decade in DECADES {
        let at = place(10_f64.powi(decade));
        let (name, class) = match decade {
            0 => ("budget".to_owned(), "b"),
            below if below < 0 => (format!("1/{}", 10_i32.pow(below.unsigned_abs())), "g"),
            above => (format!("{} x", 10_i32.pow(above.unsigned_abs())), "g"),
        };
        writeln!(svg, "<path class=\"{class}\" d=\"M{at:.1} {:.1}V{bottom:.1}\"/>", TOP - 6.0)?;
        writeln!(svg, "<text class=\"s m\" x=\"{at:.1}\" y=\"{:.1}\">{name}</text>", bottom + 16.0)?;
    }
    Ok(())
}

fn draw_bar(svg: &mut String, bar: &Bar, y: f64) -> fmt::Result {
    let Bar { class, label, part, value, height } = bar;
    let (text, base) = if *class == "peer" { ("p", y + height - 5.0) } else { ("v", y + height - 6.0) };
    let (end, thick) = (place(*part), height - 6.0);
    writeln!(
        svg,
        "<text class=\"{text} e\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>",
        LEFT - 10.0,
        escaped(label)
    )?;
    writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{LEFT:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{thick:.1}\" rx=\"2\"/>",
        y + 3.0,
        (end - LEFT).max(1.5)
    )?;
    let x = LEFT + SPAN + 14.0;
    writeln!(svg, "<text class=\"{text}\" x=\"{x:.1}\" y=\"{base:.1}\">{}</text>", escaped(value))
}

/// A figure with a budget, and the peers that were measured beside it.
fn bars(entry: &Entry) -> Vec<Bar> {
    let line = &entry.line;
    let Some(budget) = line.budget else { return Vec::new() };
    let of_budget = |value: f64| if budget > 0.0 { value / budget } else { value * f64::INFINITY };
    let value = |value: f64| figure(value, line.unit);
    let measured = line.measured.median;
    let mut bars = vec![Bar {
        class: if line.within() == Some(true) { "in" } else { "over" },
        label: shortened(&line.what),
        part: of_budget(measured),
        value: format!("{} of {}", value(measured), value(budget)),
        height: ROW,
    }];
    let peers = line.beside.iter().filter_map(|beside| Some((beside, beside.measured.as_ref().ok()?)));
    bars.extend(peers.map(|(beside, sample)| Bar {
        class: "peer",
        label: shortened(&beside.who),
        part: of_budget(sample.median),
        value: value(sample.median),
        height: PEER,
    }));
    bars
}

/// Where a part of the budget lies; what is off the scale lies at its end.
fn place(part: f64) -> f64 {
    let (least, most) = (f64::from(DECADES[0]), f64::from(DECADES[DECADES.len() - 1]));
    // Nothing at all, or less, has no logarithm: `max` takes the other.
    let decade = part.log10().max(least).min(most);
    LEFT + (decade - least) / (most - least) * SPAN
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    text.chars().take(LETTERS - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::names;
    use super::super::report::{Beside, Line, Unit};
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn the_committed_chart_is_that_of_the_committed_figures() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let report = Report::load(&docs.join("bench.json")).unwrap();
        let chart = std::fs::read_to_string(docs.join("bench.svg")).unwrap();
        let advice = "run: cargo xtask bench --from docs/bench.json --svg docs/bench.svg";
        assert!(render(&report) == chart, "docs/bench.svg is not of docs/bench.json; {advice}");
        assert!(!report.quick, "the committed figures are of a whole bench");
        let measured: Vec<&str> = report.lines.iter().map(|entry| entry.row.as_str()).collect();
        for name in names() {
            assert!(measured.contains(&name), "docs/bench.json lacks the row {name}");
        }
    }

    #[test]
    fn the_budget_is_in_the_middle_and_the_ends_are_the_ends() {
        let middle = LEFT + SPAN / 2.0;
        assert_eq!((place(0.01), place(1.0), place(100.0)), (LEFT, middle, LEFT + SPAN));
        assert_eq!(
            (place(0.0), place(-3.0), place(f64::INFINITY), place(0.0 * f64::INFINITY)),
            (LEFT, LEFT, LEFT + SPAN, LEFT)
        );
    }

    #[test]
    fn a_figure_without_a_budget_has_no_bar_and_a_missing_peer_neither() {
        let sample = Sample::exact(2.0);
        let beside = vec![
            Beside { who: "strace -f".into(), measured: Ok(sample) },
            Beside { who: "tracexec".into(), measured: Err("not installed".into()) },
        ];
        let line = |budget| Line {
            what: "a <b>".into(),
            unit: Unit::Times,
            measured: sample,
            budget,
            beside: beside.clone(),
        };
        let entry =
            |budget| Entry { row: "spawns".into(), within: line(budget).within(), line: line(budget) };
        assert!(bars(&entry(None)).is_empty());
        let classes: Vec<&str> = bars(&entry(Some(1.0))).iter().map(|bar| bar.class).collect();
        assert_eq!(classes, ["over", "peer"]);
        assert_eq!(escaped("a <b> & c"), "a &lt;b&gt; &amp; c");
    }

    #[test]
    fn nothing_lost_of_a_budget_of_nothing_is_within_and_one_is_off_the_scale() {
        let line = |lost| Line {
            what: "lost".into(),
            unit: Unit::Count,
            measured: Sample::exact(lost),
            budget: Some(0.0),
            beside: vec![],
        };
        let bar = |lost| {
            bars(&Entry { row: "storm".into(), within: line(lost).within(), line: line(lost) }).remove(0)
        };
        assert_eq!((bar(0.0).class, place(bar(0.0).part)), ("in", LEFT));
        assert_eq!((bar(1.0).class, place(bar(1.0).part)), ("over", LEFT + SPAN));
    }
}
