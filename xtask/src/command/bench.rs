//! `cargo xtask bench [--json FILE] [--svg FILE] [--quick] [ROW…]`: builds as whoever calls, measures as root.
//!
//! A missed budget is a figure, not a failure: the command fails only where it could not measure. A row that could not be
//! measured does not keep the others from it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, TargetKind};
use clap::Args;

use crate::bench::ground::{Ground, Test};
use crate::bench::report::Report;
use crate::bench::{self, ROWS, Row, chart, private, table};
use crate::workspace::Workspace;
use crate::{child, privileged};

/// What to measure, and where to put it.
#[derive(Args)]
pub(crate) struct Options {
    /// Write the figures to FILE as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a chart of the figures to FILE too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Measure nothing: show the figures that were written with --json
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "quick", "rows"])]
    from: Option<PathBuf>,
    /// Fewer repetitions: to see that it works, not to compare figures
    #[arg(long)]
    quick: bool,
    /// The rows to measure, instead of all
    #[arg(value_name = "ROW", value_parser = bench::names())]
    rows: Vec<String>,
    /// Everything is built already, as another user
    #[arg(long, hide = true)]
    built: bool,
}

pub(crate) fn execute(workspace: &Workspace, options: &Options) -> Result<()> {
    if let Some(path) = &options.from {
        return show(&Report::load(path)?, options);
    }
    let wanted = |row: &&Row| options.rows.is_empty() || options.rows.iter().any(|name| name == row.name);
    let rows: Vec<&Row> = ROWS.iter().filter(wanted).collect();
    if !options.built {
        build(workspace, &rows, options.quick)?;
    }
    if !privileged::is_root()? {
        return Err(as_root()?.exec()).context("cannot start xtask again as root");
    }
    private::mounts()?;
    let ground = Ground::new(workspace, options.quick)?;
    let mut report = Report::new(&ground)?;
    let mut failed = Vec::new();
    for row in rows {
        eprintln!("xtask: measuring {}: {}", row.name, row.what);
        match (row.measure)(&ground) {
            Ok(lines) => {
                report.add(row.name, lines);
                // Whatever ends this before the last row leaves those that there are.
                write(&report, options)?;
            }
            Err(error) => {
                eprintln!("xtask: cannot measure {}: {error:#}", row.name);
                failed.push(row.name);
            }
        }
    }
    show(&report, options)?;
    if !failed.is_empty() {
        bail!("could not measure {}; why is told above", failed.join(", "));
    }
    Ok(())
}

fn show(report: &Report, options: &Options) -> Result<()> {
    print!("{}", table::render(report));
    write(report, options)
}

fn write(report: &Report, options: &Options) -> Result<()> {
    let write =
        |path: &Path, text| fs::write(path, text).with_context(|| format!("cannot write {}", path.display()));
    if let Some(path) = &options.json {
        write(path, report.json()?)?;
    }
    if let Some(path) = &options.svg {
        write(path, chart::render(report))?;
    }
    Ok(())
}

/// Builds what these rows need. A quick bench takes the workloads, and the suite of storms, as `cargo xtask test` builds them, so
/// that there is less to build.
fn build(workspace: &Workspace, rows: &[&Row], quick: bool) -> Result<()> {
    let build = |target: &[&str]| {
        child::run(child::cargo().current_dir(workspace.root()).args(["build", "--release"]).args(target))
    };
    let is_needed = |test: Test| rows.iter().any(|row| row.needs.contains(&test));
    let place = |test: Test| test.executable(workspace, quick);
    build(&["--package=tracer"])?;
    if is_needed(Test::Cost) {
        build_test(workspace, &place(Test::Cost), &["--release", "--package=tracer", "--lib"])?;
    }
    // With the suite come the workloads.
    if quick {
        build_test(workspace, &place(Test::Load), &["--workspace", "--test=load"])
    } else if is_needed(Test::Load) {
        build_test(workspace, &place(Test::Load), &["--release", "--package=tests", "--test=load"])
    } else {
        build(&["--package=tests", "--bin=workload"])
    }
}

/// Builds a test executable, and puts it where the bench finds it.
fn build_test(workspace: &Workspace, to: &Path, target: &[&str]) -> Result<()> {
    let mut cargo = child::cargo();
    cargo.current_dir(workspace.root()).args(["test", "--no-run"]).args(target);
    cargo.arg("--message-format=json-render-diagnostics");
    let messages = child::output(&mut cargo)?;
    for message in Message::parse_stream(messages.as_bytes()) {
        let message = message.context("cannot read what cargo says of a test")?;
        if let Message::CompilerArtifact(artifact) = message
            && artifact.profile.test
            && artifact.target.kind.iter().any(|kind| matches!(kind, TargetKind::Test | TargetKind::Lib))
            && let Some(built) = artifact.executable
        {
            fs::copy(&built, to).with_context(|| format!("cannot copy {built} to {}", to.display()))?;
            return Ok(());
        }
    }
    bail!("`{}` built no test", child::line(&cargo))
}

/// This same command as root, with what [`Workspace::find`] needs.
fn as_root() -> Result<std::process::Command> {
    let me = env::current_exe().context("cannot find this program")?;
    let kept = ["CARGO_MANIFEST_DIR", "CARGO_TARGET_DIR"];
    let kept: Vec<(&str, OsString)> =
        kept.into_iter().filter_map(|name| env::var_os(name).map(|value| (name, value))).collect();
    let variables: Vec<(&str, &OsStr)> =
        kept.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
    let mut command = privileged::command(&me, &variables)?;
    command.args(env::args_os().skip(1)).arg("--built");
    Ok(command)
}
