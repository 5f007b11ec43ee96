//! The words at the end of a run (C5), on stderr.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::run::outcome::Outcome;

/// Prints the words at the end of a run.
pub(super) fn print(outcome: &Outcome) {
    for line in lines(outcome) {
        say(&line);
    }
}

/// Says one line, in one write, so that lines of several tracers don't mix. A closed stderr must not end the run.
pub(super) fn say(line: &str) {
    let line = format!("tracer: {line}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(outcome.sentence.clone());
    lines.extend(outcome.remarks.iter().cloned());
    let cpu = outcome.cpu_seconds.map_or("unknown".to_owned(), duration);
    let mut cost = format!("{} wall, {cpu} CPU", duration(outcome.elapsed_seconds));
    if let (Some(rss), Some(target)) = (outcome.peak_rss_kb, &outcome.target) {
        let _ = write!(cost, ", peak RSS {} ({target})", kib(rss));
    }
    if let Some(rss) = outcome.peak_tree_rss_kb {
        let _ = write!(cost, ", {} (sum over the tree)", kib(rss));
    }
    lines.push(cost);
    let mut tree = plural(outcome.processes, "process", "processes");
    if outcome.orphans > 0 {
        let _ = write!(tree, ", {} still alive", plural(outcome.orphans, "orphan", "orphans"));
    }
    lines.push(format!("{tree}, {}", completeness(outcome)));
    if !outcome.anomalies.is_empty() {
        let kinds = outcome.anomalies.iter();
        let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{kind} ({count})")).collect();
        lines.push(format!("anomalies: {}", kinds.join(", ")));
    }
    lines.push(match &outcome.session {
        Ok(path) => format!("session {}", path.display()),
        Err(error) => format!("error: no session was written: {error}"),
    });
    lines
}

fn completeness(outcome: &Outcome) -> String {
    let loss = outcome.loss;
    if loss.is_none() {
        return "no event lost".to_owned();
    }
    let rings = [
        (loss.fork, "fork"),
        (loss.exec, "exec"),
        (loss.exit, "exit"),
        (loss.rename, "rename"),
        (loss.signal, "signal"),
        (loss.oom, "OOM victim"),
    ];
    let others = [(loss.untracked, "untracked child"), (loss.skipped, "skipped call"), (loss.gaps, "gap")];
    let all = rings.iter().chain(&others).filter(|(count, _)| *count > 0);
    let named: Vec<String> = all.map(|(count, name)| counted(*count, name)).collect();
    let advice = match (rings.iter().any(|(count, _)| *count > 0), loss.untracked > 0) {
        (true, true) => "; give a larger --ring-size and --max-processes",
        (true, false) => "; give a larger --ring-size",
        (false, true) => "; give a larger --max-processes",
        (false, false) => "",
    };
    format!("LOSSY: {}{advice}", named.join(", "))
}

fn counted(count: u64, name: &str) -> String {
    let many =
        name.strip_suffix("child").map_or_else(|| format!("{name}s"), |stem| format!("{stem}children"));
    plural(count, name, &many)
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.2} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn kib(kib: u64) -> String {
    match kib {
        0..1024 => format!("{kib} KiB"),
        1024..1_048_576 => format!("{:.1} MiB", kib as f64 / 1024.0),
        _ => format!("{:.1} GiB", kib as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, kib, plural};

    #[test]
    fn figures_have_the_unit_that_a_person_would_choose() {
        assert_eq!((duration(0.0123).as_str(), duration(3.0).as_str()), ("12.3 ms", "3.00 s"));
        assert_eq!(duration(125.2), "2 min 5 s");
        assert_eq!(
            (kib(900), kib(61 * 1024), kib(3 << 20)),
            ("900 KiB".into(), "61.0 MiB".into(), "3.0 GiB".into())
        );
        assert_eq!((plural(1, "a", "b"), plural(2, "a", "b")), ("1 a".into(), "2 b".into()));
    }
}
