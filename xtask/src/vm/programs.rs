//! What a lane runs: the suites with the number of their tests, and the shell commands for all of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::left_out;
use crate::child;
use crate::workspace::Workspace;

/// How much longer everything may take than on real hardware: the harness multiplies its deadlines by it.
const SLOWNESS: u32 = 10;

/// The test that does not run when a new record is made: it holds the verifier's work against the old one.
const HELD_AGAINST_THE_RECORD: &str = "no_program_is_a_fifth_more_work_than_recorded";

/// A live suite, as it is to run in a machine.
#[derive(Clone, Debug)]
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) executable: PathBuf,
    /// Words for libtest: filters, and what is left out.
    pub(super) words: Vec<String>,
    /// Number of its tests that must run.
    pub(super) expected: u64,
}

impl Suite {
    /// Asks a suite what it holds.
    pub(super) fn of(executable: &Path, filters: &[String], records: bool) -> Result<Self> {
        let file = executable.file_name().unwrap_or_default().to_string_lossy();
        let name = file.rsplit_once('-').map_or(&*file, |(name, _)| name).to_owned();
        let mut words = filters.to_vec();
        let all = list(executable, &[])?;
        for test in left_out::tests_left_out(&name) {
            if !all.iter().any(|known| known.contains(test)) {
                bail!(
                    "suite {name} has no test {test}: take it out of what is left out (xtask/src/vm/left_out.rs)"
                );
            }
        }
        let left_out = left_out::tests_left_out(&name).chain(records.then_some(HELD_AGAINST_THE_RECORD));
        words.extend(left_out.flat_map(|test| ["--skip".to_owned(), test.to_owned()]));
        let is_out = left_out::is_suite_left_out(&name);
        let expected = if is_out { 0 } else { u64::try_from(list(executable, &words)?.len())? };
        Ok(Self { name, executable: executable.to_owned(), words, expected })
    }
}

/// The tests of a suite that these words choose.
fn list(executable: &Path, words: &[String]) -> Result<Vec<String>> {
    let listed = child::output(Command::new(executable).args(["--list", "--format", "terse"]).args(words))?;
    Ok(listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// Files of the build that the suites need, where they are.
pub(super) fn needed(workspace: &Workspace, suites: &[Suite]) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = suites.iter().map(|suite| suite.executable.clone()).collect();
    let profile = files.first().and_then(|file| file.parent()).and_then(Path::parent);
    let profile = profile.context("a suite's executable is not in target/<profile>/deps")?;
    files.extend([profile.join("workload"), workspace.tracer()]);
    Ok(files)
}

/// The shell commands of a lane.
pub(super) fn commands(workspace: &Workspace, suites: &[Suite]) -> String {
    let tests = quoted(&workspace.root().join("tests").to_string_lossy());
    let tracer = quoted(&workspace.tracer().to_string_lossy());
    let mut text = format!("mkdir -p {tests} && cd {tests}\nexport TRACER_BIN={tracer} TRACER_TEST=1\n");
    text.push_str(&format!("export TRACER_TEST_SLOWNESS={SLOWNESS} TRACER_TEST_TELLS=1 RUST_BACKTRACE=0\n"));
    for suite in suites {
        let words = [suite.name.clone(), suite.executable.to_string_lossy().into_owned()];
        let words = words.into_iter().chain(suite.words.iter().cloned());
        text.push_str("suite");
        for word in words {
            text.push(' ');
            text.push_str(&quoted(&word));
        }
        text.push('\n');
    }
    text
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_is_one_word_to_the_shell_whatever_is_in_it() {
        let word = "it's $HOME; \"x\"";
        let echo = format!("printf %s {}", quoted(word));
        assert_eq!(crate::child::output(std::process::Command::new("sh").args(["-c", &echo])).unwrap(), word);
    }
}
