//! `cargo xtask bench [--json FILE] [--quick] [ROW…]`: builds as whoever calls, measures as root.
//!
//! A missed budget is a figure, not a failure: the command fails only where it could not measure.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::bench::ground::Ground;
use crate::bench::report::Report;
use crate::bench::{self, ROWS, spool, table};
use crate::workspace::Workspace;
use crate::{child, privileged};

/// What to measure, and where to put it.
#[derive(Args)]
pub(crate) struct Options {
    /// Write the figures to FILE as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
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
    if !options.built {
        build(workspace)?;
        spool::build(workspace)?;
    }
    if !privileged::is_root()? {
        return Err(as_root()?.exec()).context("cannot start xtask again as root");
    }
    let ground = Ground::new(workspace, options.quick)?;
    let wanted = |name: &str| options.rows.is_empty() || options.rows.iter().any(|row| row == name);
    let mut report = Report::new(&ground)?;
    for row in ROWS.iter().filter(|row| wanted(row.name)) {
        eprintln!("xtask: measuring {}: {}", row.name, row.what);
        let lines = (row.measure)(&ground).with_context(|| format!("cannot measure {}", row.name))?;
        report.add(row.name, lines);
    }
    print!("{}", table::render(&report));
    if let Some(path) = &options.json {
        fs::write(path, report.json()?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn build(workspace: &Workspace) -> Result<()> {
    for target in [["--package=tracer", "--bin=tracer"], ["--package=tests", "--bin=workload"]] {
        let mut cargo = child::cargo();
        child::run(cargo.current_dir(workspace.root()).args(["build", "--release"]).args(target))?;
    }
    Ok(())
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
