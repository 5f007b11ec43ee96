//! Running tests: libtest's output goes through unchanged, and its closing lines are summed.

use std::io::{self, BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::child;

/// What ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Test executables that ended badly, whatever they had printed by then.
    pub(crate) broken: u64,
}

impl Tally {
    /// Whether nothing failed.
    pub(crate) fn is_good(self) -> bool {
        self.failed == 0 && self.broken == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.broken += other.broken;
    }
}

/// Runs a command that runs tests, shows its output as it comes, and counts. A failed one ends with the line that
/// repeats it.
pub(crate) fn run(command: &mut Command) -> Result<Tally> {
    let line = child::line(command);
    let mut running =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{line}`"))?;
    let mut tally = Tally::default();
    if let Some(stdout) = running.stdout.take() {
        for text in BufReader::new(stdout).split(b'\n') {
            let text = text.with_context(|| format!("cannot read the output of `{line}`"))?;
            let text = String::from_utf8_lossy(&text);
            writeln!(io::stdout(), "{text}").context("cannot write to stdout")?;
            tally += closing_line(&text).unwrap_or_default();
        }
    }
    let status = running.wait().with_context(|| format!("cannot wait for `{line}`"))?;
    if !status.success() {
        tally.broken += 1;
        println!("failed ({status}); to repeat: {line}");
    }
    Ok(tally)
}

/// Reads `test result: ok. 6 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
pub(crate) fn closing_line(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(word))?;
        part.trim().parse::<u64>().ok()
    };
    let (passed, failed, ignored) = (count("passed")?, count("failed")?, count("ignored")?);
    Some(Tally { passed, failed, ignored, broken: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closing_line_is_counted_and_no_other_line_is() {
        let line = "test result: FAILED. 6 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(closing_line(line), Some(Tally { passed: 6, failed: 2, ignored: 1, broken: 0 }));
        assert_eq!(closing_line("test the_tree ... ok"), None);
    }

    #[test]
    fn an_executable_that_dies_without_a_closing_line_is_broken() {
        let tally = run(Command::new("sh").args(["-c", "echo 'test one ... ok'; kill -9 $$"])).unwrap();
        assert_eq!(tally, Tally { broken: 1, ..Tally::default() });
        assert!(!tally.is_good());
    }
}
