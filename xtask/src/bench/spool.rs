//! What a line of the spool costs: a test of tracer's own, in the release profile, measures it on a tmpfs that is mounted for it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;

use super::ground::Ground;
use super::report::{Line, Unit};
use super::sample::Sample;
use crate::child;
use crate::workspace::Workspace;

/// The test's executable, beside the bench's own directory.
const NAME: &str = "unit-tests";
const TEST: &str = "session::cost_of_a_line::a_line_of_the_spool";
/// Nanoseconds a line.
const BUDGET: f64 = 3000.0;

/// Mounts a tmpfs that nobody else sees, and runs the words with it.
const ON_TMPFS: &str = "mount -t tmpfs none \"$COST_TMPFS\" && exec \"$@\"";

/// Builds the test, and puts it where [`measure`] looks for it.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let mut cargo = child::cargo();
    cargo.current_dir(workspace.root()).args(["test", "--release", "--package=tracer", "--lib", "--no-run"]);
    let messages = child::output(cargo.arg("--message-format=json-render-diagnostics"))?;
    let mut built = None;
    for message in Message::parse_stream(messages.as_bytes()) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read what cargo says")? {
            built = artifact.executable.map(PathBuf::from).or(built);
        }
    }
    let built = built.context("cargo built no test of package tracer")?;
    let bench = workspace.target().join("bench");
    fs::create_dir_all(&bench).with_context(|| format!("cannot make {}", bench.display()))?;
    let place = bench.join(NAME);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => symlink(&built, &place),
    }
    .with_context(|| format!("cannot make {}", place.display()))
}

/// Measures lines that stay in memory, that are written, and that move on to the log directory.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let tmpfs = ground.dir().join("tmpfs");
    fs::create_dir(&tmpfs).with_context(|| format!("cannot make {}", tmpfs.display()))?;
    let test = ground.dir().with_file_name(NAME);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", ON_TMPFS, "sh"]).arg(test).args([
        TEST,
        "--exact",
        "--ignored",
        "--nocapture",
    ]);
    let output = child::output(command.env("COST_TMPFS", &tmpfs))?;
    let costs: Vec<Cost> = output.lines().filter_map(cost).collect();
    let [memory, file, moved] = costs.as_slice() else { bail!("the test told {costs:?} in:\n{output}") };
    let line = |what: &str, value, budget| Line {
        what: what.to_owned(),
        unit: Unit::Nanoseconds,
        measured: Sample::exact(value),
        budget,
        beside: Vec::new(),
    };
    Ok(vec![
        line("a line, serialised alone", memory.own, None),
        line("a line, serialised and written to a tmpfs", file.own, Some(BUDGET)),
        line("the same where older rows move to the disk", moved.own, Some(BUDGET)),
        line("the same with the thread that moves them", moved.all, None),
    ])
}

/// What a line costs, in nanoseconds of processor time.
#[derive(Debug, PartialEq)]
struct Cost {
    /// Of the thread that records.
    own: f64,
    /// Of all threads.
    all: f64,
}

/// Reads `cost: NAME: N ns, with all threads N ns`.
fn cost(line: &str) -> Option<Cost> {
    let (_, figures) = line.split_once("cost: ")?.1.rsplit_once(": ")?;
    let (own, all) = figures.split_once(", with all threads ")?;
    let number = |text: &str| text.trim_end_matches(" ns").parse().ok();
    Some(Cost { own: number(own)?, all: number(all)? })
}

#[cfg(test)]
mod tests {
    use super::{Cost, cost};

    #[test]
    fn a_line_of_the_test_is_read_and_no_other() {
        let line = "test session … cost: trace file: 1234 ns, with all threads 2345 ns";
        assert_eq!(cost(line), Some(Cost { own: 1234.0, all: 2345.0 }));
        assert_eq!(cost("test result: ok. 1 passed"), None);
    }
}
