//! The words at the end of a run (C5), on stderr.
//!
//! Colour is for a person at a terminal who did not rule it out (<https://no-color.org>), and marks what is to be looked at:
//! a command that failed, something lost, an anomaly, an orphan.

use std::fmt::Write as _;
use std::io::IsTerminal;

use super::words;
use crate::run::outcome::{End, Outcome};

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    /// All is well.
    Good,
    /// To be looked at.
    Warning,
    /// It failed.
    Bad,
}

/// Prints the words at the end of a run.
pub(super) fn print(outcome: &Outcome) {
    let is_coloured = may_colour(std::io::stderr().is_terminal(), |name| std::env::var_os(name));
    for (tone, line) in lines(outcome) {
        say(&if is_coloured { tone.paint(&line) } else { line });
    }
}

impl Tone {
    /// The line in its colour (ECMA-48, SGR).
    fn paint(self, line: &str) -> String {
        let colour = match self {
            Self::Plain => return line.to_owned(),
            Self::Good => 32,
            Self::Warning => 33,
            Self::Bad => 31,
        };
        format!("\x1b[{colour}m{line}\x1b[0m")
    }
}

fn may_colour(is_terminal: bool, variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    let is_ruled_out = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_terminal && !is_ruled_out && variable("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// Says one line, in one write, so that lines of several tracers don't mix.
pub(super) fn say(line: &str) {
    words::say(format!("tracer: {line}\n"));
}

fn lines(outcome: &Outcome) -> Vec<(Tone, String)> {
    let tone = if outcome.end == End::Code(0) { Tone::Good } else { Tone::Bad };
    let mut lines = vec![(tone, outcome.sentence.clone())];
    lines.extend(outcome.remarks.iter().map(|remark| (Tone::Plain, remark.clone())));
    let cpu = outcome.cpu_seconds.map_or("unknown".to_owned(), duration);
    let mut cost = format!("{} wall, {cpu} CPU", duration(outcome.elapsed_seconds));
    if let (Some(rss), Some(target)) = (outcome.peak_rss_kb, &outcome.target) {
        let _ = write!(cost, ", peak RSS {} ({target})", kib(rss));
    }
    if let Some(rss) = outcome.peak_tree_rss_kb {
        let _ = write!(cost, ", {} (sum over the tree)", kib(rss));
    }
    lines.push((Tone::Plain, cost));
    let tree = plural(outcome.processes, "process", "processes");
    let tone = if outcome.loss.is_none() { Tone::Plain } else { Tone::Warning };
    lines.push((tone, format!("{tree}, {}", completeness(outcome))));
    if outcome.orphans > 0 {
        let tone = if outcome.orphans_alive > 0 { Tone::Warning } else { Tone::Plain };
        lines.push((tone, orphans(outcome)));
    }
    if !outcome.anomalies.is_empty() {
        let kinds = outcome.anomalies.iter();
        let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{kind} ({count})")).collect();
        lines.push((Tone::Warning, format!("anomalies: {}", kinds.join(", "))));
    }
    lines.push(match &outcome.session {
        Ok(path) => (Tone::Plain, format!("session {}", path.display())),
        Err(error) => (Tone::Bad, format!("error: no session was written: {error}")),
    });
    lines
}

/// Who outlived the command, the first few by name.
fn orphans(outcome: &Outcome) -> String {
    let named = &outcome.orphan_names;
    let (all, alive) = (outcome.orphans, outcome.orphans_alive);
    let told = if alive == 0 { all } else { alive };
    let others = usize::try_from(told).unwrap_or(usize::MAX).saturating_sub(named.len());
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    let fate = match all - alive {
        0 => "still alive".to_owned(),
        _ if alive == 0 => "ended after the command".to_owned(),
        ended => format!("still alive, {ended} ended after the command"),
    };
    format!("{} {fate}: {}{others}", plural(told, "orphan", "orphans"), named.join(", "))
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
        s if s < 59.995 => format!("{s:.2} s"),
        s => format!("{:.0} min {:.0} s", (s.round() / 60.0).floor(), s.round() % 60.0),
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
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::{Tone, duration, kib, lines, may_colour, plural};
    use crate::kernel::loss::Loss;
    use crate::run::outcome::{End, Outcome};

    fn outcome() -> Outcome {
        Outcome {
            end: End::Code(0),
            sentence: "make (7) exited with code 0".into(),
            remarks: Vec::new(),
            elapsed_seconds: 71.9,
            cpu_seconds: Some(8.25),
            peak_rss_kb: Some(61 << 10),
            peak_tree_rss_kb: Some(3 << 20),
            target: Some("make".into()),
            processes: 1,
            orphans: 0,
            orphans_alive: 0,
            orphan_names: Vec::new(),
            anomalies: Vec::new(),
            loss: Loss::default(),
            summary: Ok(Vec::new()),
            indexed: true,
            session: Ok(PathBuf::from("/var/log/tracer/sessions/1")),
        }
    }

    fn text(outcome: &Outcome) -> String {
        lines(outcome).into_iter().map(|(_, line)| line + "\n").collect()
    }

    #[test]
    fn the_end_of_a_run_that_went_well_is_four_lines() {
        insta::assert_snapshot!(text(&outcome()), @r"
        make (7) exited with code 0
        1 min 12 s wall, 8.25 s CPU, peak RSS 61.0 MiB (make), 3.0 GiB (sum over the tree)
        1 process, no event lost
        session /var/log/tracer/sessions/1
        ");
    }

    #[test]
    fn what_somebody_should_look_at_has_a_line_of_its_own() {
        let outcome = Outcome {
            end: End::Signal(15),
            sentence: "python3 (9) was killed by SIGTERM from bash (3, uid 0)".into(),
            remarks: vec!["the command itself: sh (7) exited with code 143".into()],
            cpu_seconds: None,
            peak_tree_rss_kb: None,
            processes: 9,
            orphans: 5,
            orphans_alive: 5,
            orphan_names: vec!["sleep (11)".into(), "sleep (12)".into(), "sshd (13)".into()],
            anomalies: vec![("HIGH_CPU", 2), ("KILLED_BY_SIGNAL", 1)],
            loss: Loss { exec: 2, untracked: 1, ..Loss::default() },
            session: Err("/full can't be written (No space left on device)".into()),
            ..outcome()
        };
        insta::assert_snapshot!(text(&outcome), @r"
        python3 (9) was killed by SIGTERM from bash (3, uid 0)
        the command itself: sh (7) exited with code 143
        1 min 12 s wall, unknown CPU, peak RSS 61.0 MiB (make)
        9 processes, LOSSY: 2 execs, 1 untracked child; give a larger --ring-size and --max-processes
        5 orphans still alive: sleep (11), sleep (12), sshd (13) and 2 more
        anomalies: HIGH_CPU (2), KILLED_BY_SIGNAL (1)
        error: no session was written: /full can't be written (No space left on device)
        ");
        use Tone::{Bad, Plain, Warning};
        let tones: Vec<Tone> = lines(&outcome).iter().map(|(tone, _)| *tone).collect();
        assert_eq!(tones, [Bad, Plain, Plain, Warning, Warning, Warning, Bad]);
    }

    #[test]
    fn orphans_that_were_waited_for_are_told_from_those_that_live() {
        let with = |orphans, orphans_alive, name: &str| {
            let orphan_names = vec![name.to_owned()];
            text(&Outcome { orphans, orphans_alive, orphan_names, ..outcome() })
                .lines()
                .nth(3)
                .unwrap()
                .to_owned()
        };
        assert_eq!(with(1, 1, "a (5)"), "1 orphan still alive: a (5)");
        assert_eq!(with(2, 0, "a (5)"), "2 orphans ended after the command: a (5) and 1 more");
        assert_eq!(with(3, 1, "b (6)"), "1 orphan still alive, 2 ended after the command: b (6)");
    }

    #[test]
    fn colour_is_for_a_terminal_and_for_who_did_not_rule_it_out() {
        let with = |no_color: &'static str, terminal: &'static str| {
            move |name: &str| Some(OsString::from(if name == "TERM" { terminal } else { no_color }))
        };
        assert!(may_colour(true, with("", "xterm")));
        assert!(!may_colour(false, with("", "xterm")));
        assert!(!may_colour(true, with("1", "xterm")));
        assert!(!may_colour(true, with("", "dumb")));
        assert_eq!(
            (Tone::Bad.paint("x").as_str(), Tone::Plain.paint("x").as_str()),
            ("\x1b[31mx\x1b[0m", "x")
        );
    }

    #[test]
    fn figures_have_the_unit_that_a_person_would_choose() {
        assert_eq!((duration(0.0123).as_str(), duration(3.0).as_str()), ("12.3 ms", "3.00 s"));
        assert_eq!((duration(125.2).as_str(), duration(119.7).as_str()), ("2 min 5 s", "2 min 0 s"));
        assert_eq!((duration(59.99).as_str(), duration(59.999).as_str()), ("59.99 s", "1 min 0 s"));
        assert_eq!(
            (kib(900), kib(61 * 1024), kib(3 << 20)),
            ("900 KiB".into(), "61.0 MiB".into(), "3.0 GiB".into())
        );
        assert_eq!((plural(1, "a", "b"), plural(2, "a", "b")), ("1 a".into(), "2 b".into()));
    }
}
