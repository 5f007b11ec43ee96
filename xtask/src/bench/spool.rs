//! What a line of the spool costs: tracer's own test `line_cost` measures it, in turns with lines that stay in memory, on a tmpfs that is
//! mounted for it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::ground::{Ground, Test};
use super::report::{Line, Unit};
use super::sample::{Sample, pairwise};
use crate::child;

const TEST: &str = "session::tests::line_cost::a_line_of_the_spool";
/// Nanoseconds a line.
const BUDGET: f64 = 3000.0;

/// Mounts a tmpfs that nobody else sees, and runs the words with it.
const ON_TMPFS: &str = "mount -t tmpfs none \"$COST_TMPFS\" && exec \"$@\"";

/// Measures lines that stay in memory, that are written, and that move on to the log directory.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let tmpfs = ground.dir().join("tmpfs");
    fs::create_dir(&tmpfs).with_context(|| format!("cannot make {}", tmpfs.display()))?;
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", ON_TMPFS, "sh"]).arg(ground.test(Test::Cost)).args([
        TEST,
        "--exact",
        "--ignored",
        "--nocapture",
    ]);
    let output = child::output(command.env("COST_TMPFS", &tmpfs))?;
    let costs: Result<Vec<Cost>> = output.lines().filter_map(cost).collect();
    let costs = costs?;
    let [memory, file, moved] = costs.as_slice() else { bail!("the test told {costs:?} in:\n{output}") };
    let line = |what: &str, unit, values, budget| {
        let measured = Sample::of(values).with_context(|| format!("no round of: {what}"))?;
        anyhow::Ok(Line { what: what.to_owned(), unit, measured, budget, beside: Vec::new() })
    };
    let written = pairwise(&file.own, &memory.own, |written, alone| written / alone);
    let nanoseconds = Unit::Nanoseconds;
    Ok(vec![
        line("a line, serialised alone", nanoseconds, memory.own.clone(), None)?,
        line("a line, serialised and written to a tmpfs", nanoseconds, file.own.clone(), Some(BUDGET))?,
        line("the same where older rows move to the disk", nanoseconds, moved.own.clone(), Some(BUDGET))?,
        line("the same with the thread that moves them", nanoseconds, moved.all.clone(), None)?,
        line("a line, written, against serialised alone", Unit::Times, written, None)?,
    ])
}

/// What a line costs in each round, in nanoseconds of processor time.
#[derive(Debug, PartialEq, Deserialize)]
struct Cost {
    /// Of the thread that records.
    own: Vec<f64>,
    /// Of all threads.
    all: Vec<f64>,
}

/// Reads `cost: {"own": [N, …], "all": [N, …], …}`; the harness may have words before it.
fn cost(line: &str) -> Option<Result<Cost>> {
    let (_, rounds) = line.split_once("cost: ")?;
    Some(serde_json::from_str(rounds).with_context(|| format!("cannot read the rounds of {line:?}")))
}

#[cfg(test)]
mod tests {
    use super::{Cost, cost};

    #[test]
    fn a_line_of_the_test_is_read_and_no_other() {
        let line = "test session … cost: {\"name\":\"trace file\",\"own\":[1234,1300],\"all\":[2345,2400]}";
        let rounds = Cost { own: vec![1234.0, 1300.0], all: vec![2345.0, 2400.0] };
        assert_eq!(cost(line).unwrap().unwrap(), rounds);
        assert!(cost("test result: ok. 1 passed").is_none());
        assert!(cost("cost: trace file: 1234 ns").unwrap().is_err());
    }
}
