//! What comes out of a machine, line by line: shown with the kernel's name before it, counted, and held against what was to
//! run.
//!
//! Lines of ours begin with `@@` and a word: `kernel`, `suite`, `status` and `end` are `init.sh`'s; with any other, a suite
//! tells something as JSON.

use std::path::Path;

use anyhow::Result;

use super::boot;
use super::lane::Report;
use super::programs::Suite;
use crate::suite::{self, Tally};

/// A lane under way.
pub(super) struct Reading<'s> {
    pub(super) report: Report,
    suites: &'s [Suite],
    /// How many suites have ended.
    ended: usize,
    /// Of the suite that runs.
    tally: Tally,
    is_over: bool,
}

impl<'s> Reading<'s> {
    /// Of a machine that is to run these suites in their order; what it finds goes into the report.
    pub(super) fn of(report: Report, suites: &'s [Suite]) -> Self {
        Self { report, suites, ended: 0, tally: Tally::default(), is_over: false }
    }

    /// Shows a line, with the kernel that it is about.
    pub(super) fn say(&self, line: &str) {
        println!("{} | {line}", self.report.series);
    }

    /// Takes a line.
    pub(super) fn line(&mut self, line: &str) {
        if let Some((word, rest)) =
            line.strip_prefix("@@").map(|ours| ours.split_once(' ').unwrap_or((ours, "")))
        {
            return self.ours(word, rest);
        }
        self.say(line);
        self.tally += suite::closing_line(line).unwrap_or_default();
        let name = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"));
        self.report.failed.extend(name.map(str::to_owned));
    }

    fn ours(&mut self, word: &str, rest: &str) {
        match word {
            "kernel" => {
                let (release, version) = rest.split_once(' ').unwrap_or((rest, ""));
                (self.report.release, self.report.version) =
                    (release.to_owned(), debians(version).to_owned());
                self.say(rest);
            }
            "suite" => self.say(&format!("     Running {rest}")),
            "status" => self.end_suite(rest),
            "unprepared" => {
                self.complain("the machine could not be prepared; its own words are above".to_owned());
            }
            "end" => self.is_over = true,
            _ => match serde_json::from_str(rest) {
                Ok(value) => drop(self.report.told.insert(word.to_owned(), value)),
                Err(error) => self.complain(format!("what was told as {word} does not parse: {error}")),
            },
        }
    }

    fn end_suite(&mut self, status: &str) {
        let tally = std::mem::take(&mut self.tally);
        let Some(suite) = self.suites.get(self.ended) else {
            return self.complain("more suites ended than were started".to_owned());
        };
        self.ended += 1;
        self.report.tally += tally;
        let ran = tally.passed + tally.failed;
        if status != "0" {
            self.report.tally.broken += 1;
            if tally.failed == 0 {
                self.complain(format!("suite {} ended with status {status}", suite.name));
            }
        }
        if ran != suite.expected {
            self.complain(format!("suite {}: {ran} tests ran, of {}", suite.name, suite.expected));
        }
    }

    fn complain(&mut self, complaint: String) {
        self.report.complaints.push(complaint);
    }

    /// The report, once the machine is off.
    pub(super) fn conclude(mut self, ended: Result<()>, log: &Path) -> Report {
        if let Err(error) = ended {
            self.complain(format!("{error:#}"));
        } else if !self.is_over {
            self.complain(format!("the machine died; what the kernel said last:\n{}", boot::last_words(log)));
        }
        if self.ended < self.suites.len() {
            self.complain(format!("{} of {} suites ended", self.ended, self.suites.len()));
        }
        self.report
    }
}

/// Debian's version in what `uname -v` prints: `#1 SMP Debian 5.10.262-1 (2026-07-31)`.
fn debians(version: &str) -> &str {
    let mut words = version.split(' ').skip_while(|word| *word != "Debian");
    words.nth(1).unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::super::series::Series;
    use super::*;

    const GOOD: [&str; 7] = [
        "@@kernel 5.10.0-46-cloud-amd64 #1 SMP Debian 5.10.262-1 (2026-07-31)",
        "@@suite ends",
        "test one ... ok",
        "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        "@@facts {\"group_dead\":false}",
        "@@status 0",
        "@@end",
    ];

    fn report(lines: &[&str]) -> Report {
        let suites =
            [Suite { name: "ends".to_owned(), executable: "x".into(), words: Vec::new(), expected: 2 }];
        let asked = ["one".to_owned()];
        let mut reading = Reading::of(Report::new(Series::Of(5, 10), &asked), &suites);
        lines.iter().for_each(|line| reading.line(line));
        reading.conclude(Ok(()), Path::new("/no/log"))
    }

    #[test]
    fn a_lane_whose_tests_all_ran_and_passed_is_good() {
        let report = report(&GOOD);
        assert!(report.is_good(), "{report:?}");
        assert_eq!(
            (report.release.as_str(), report.version.as_str()),
            ("5.10.0-46-cloud-amd64", "5.10.262-1")
        );
        assert_eq!(report.told["facts"]["group_dead"], false);
    }

    #[test]
    fn a_test_that_did_not_run_is_named_by_its_suite() {
        let mut lines = GOOD;
        lines[3] =
            "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(report(&lines).complaints, ["suite ends: 1 tests ran, of 2"]);
    }

    #[test]
    fn a_machine_that_dies_or_a_suite_that_does_is_not_good() {
        assert!(!report(&GOOD[..6]).is_good());
        assert!(!report(&GOOD[..3]).is_good());
        let mut lines = GOOD;
        lines[5] = "@@status 139";
        let report = report(&lines);
        assert_eq!(report.complaints, ["suite ends ended with status 139"]);
        assert_eq!(report.repeat(), "cargo xtask test --kernel 5.10 -- one", "what was asked for");
    }

    #[test]
    fn a_failed_test_ends_with_the_command_that_repeats_it() {
        let mut lines = GOOD;
        lines[2] = "test one::two ... FAILED";
        lines[3] = "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let report = report(&lines);
        assert!(!report.is_good());
        assert_eq!(report.repeat(), "cargo xtask test --kernel 5.10 -- one::two");
    }
}
