//! `cargo xtask test [FILTER…]`: the unit tests as whoever calls, then the live suites of package `tests` as root.
//!
//! `cargo xtask test --kernel LIST [FILTER…]`: the live suites alone, on other kernels, each in a virtual machine (see
//! [`crate::vm`]).
//!
//! Nothing is skipped: without root and without sudo it fails, and so it does when a live suite has an ignored test or
//! when there is no live suite at all.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, MetadataCommand, TargetKind};

use crate::shm::Listing;
use crate::suite::{self, Tally};
use crate::vm::failures::{self, Failure};
use crate::vm::lane::{self, Plan, Report};
use crate::vm::record;
use crate::vm::series::Series;
use crate::workspace::Workspace;
use crate::{child, privileged};

/// The package of the live suites.
const LIVE: &str = "tests";

pub(crate) fn execute(workspace: &Workspace, filters: &[String]) -> Result<()> {
    child::hear_signals();
    let shm = Listing::take()?;
    build(workspace)?;
    let suites = live_suites(workspace)?;
    let mut tally = unit(workspace, filters)?;
    tally += live(workspace, &suites, filters, None)?;
    shm.check_unchanged()?;
    conclude(tally)
}

/// One test of one live suite, with all that it prints, and these variables.
pub(crate) fn one(
    workspace: &Workspace,
    suite: &str,
    name: &str,
    variables: &[(&str, &OsStr)],
) -> Result<()> {
    child::hear_signals();
    let shm = Listing::take()?;
    build(workspace)?;
    let begins = format!("{suite}-");
    let is_it =
        |path: &&PathBuf| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&begins));
    let suites = live_suites(workspace)?;
    let suite = suites.iter().find(is_it).with_context(|| format!("package `tests` has no suite {suite}"))?;
    let tracer = workspace.tracer();
    let own = [("TRACER_BIN", tracer.as_os_str()), ("TRACER_TEST", OsStr::new("1"))];
    let mut command = privileged::command(suite, &[own.as_slice(), variables].concat())?;
    command.current_dir(workspace.root().join("tests")).args(["--exact", name, "--nocapture"]);
    let tally = suite::run(&mut command)?;
    shm.check_unchanged()?;
    conclude(tally)
}

/// The live suites on other kernels. What comes of it is recorded, or held against what is. What failed is told at the end, when
/// every kernel has had its turn.
pub(crate) fn on_kernels(
    workspace: &Workspace,
    kernels: &[Series],
    filters: &[String],
    records: bool,
) -> Result<()> {
    build(workspace)?;
    let plan = Plan { executables: live_suites(workspace)?, filters: filters.to_vec(), records };
    let reports = lane::run_all(workspace, kernels, &plan)?;
    let mut tally = Tally::default();
    reports.iter().for_each(|report| tally += report.tally);
    println!("xtask test: {} passed, {} failed on {} kernels", tally.passed, tally.failed, reports.len());
    let kernels = reports.len();
    let mut failures: Vec<Failure> = reports.iter().filter_map(Failure::of).collect();
    let good: Vec<Report> = reports.into_iter().filter(Report::is_good).collect();
    let mut written = Ok(());
    if records {
        written = record::write(workspace, &good, filters.is_empty());
    } else if filters.is_empty() {
        for report in &good {
            let difference = record::difference(workspace, report);
            let difference = difference.unwrap_or_else(|error| Some(format!("{error:#}")));
            failures.extend(difference.map(|why| Failure::beside(report, why)));
        }
    }
    match (failures::told(&failures, kernels), written) {
        (None, written) => written,
        (Some(told), Ok(())) => bail!("{told}"),
        (Some(told), Err(error)) => bail!("{told}\nand nothing is recorded: {error:#}"),
    }
}

/// The live suites alone, with `object` in place of the embedded one.
pub(crate) fn live_with_object(workspace: &Workspace, object: &Path) -> Result<()> {
    let shm = Listing::take()?;
    build(workspace)?;
    let tally = live(workspace, &live_suites(workspace)?, &[], Some(object))?;
    shm.check_unchanged()?;
    conclude(tally)
}

fn conclude(tally: Tally) -> Result<()> {
    let Tally { passed, failed, broken, .. } = tally;
    println!("xtask test: {passed} passed, {failed} failed");
    if !tally.is_good() {
        bail!("{failed} tests failed in {broken} runs; the lines that repeat them are above");
    }
    if passed == 0 {
        bail!("no test has a name with the given filter in it");
    }
    Ok(())
}

fn build(workspace: &Workspace) -> Result<()> {
    child::run(child::cargo().current_dir(workspace.root()).args(["build", "--release", "--package=tracer"]))
}

/// All that needs no privilege: every package's own tests, those of `tests` being its harness's. Selected as the live suites
/// are: with other packages, dependencies would have other features, and be built once more.
fn unit(workspace: &Workspace, filters: &[String]) -> Result<Tally> {
    let mut tally = Tally::default();
    for targets in [unit_targets(workspace)?, vec!["--doc".to_owned()]] {
        let mut command = child::cargo();
        command.current_dir(workspace.root()).args(["test", "--workspace", "--no-fail-fast"]).args(targets);
        command.arg("--").args(filters);
        command.env("TRACER_TEST", "1").env("TRACER_BIN", workspace.tracer());
        tally += suite::run(&mut command)?;
    }
    Ok(tally)
}

/// What cargo is to test, as options: all but the live suites.
fn unit_targets(workspace: &Workspace) -> Result<Vec<String>> {
    let mut command = MetadataCommand::new();
    command.manifest_path(workspace.root().join("Cargo.toml")).no_deps();
    let metadata = command.exec().context("cannot ask cargo what the workspace holds")?;
    let mut options = vec!["--lib".to_owned()];
    for package in &metadata.packages {
        for target in package.targets.iter().filter(|target| target.test) {
            if target.is_bin() {
                options.push(format!("--bin={}", target.name));
            } else if target.is_test() && package.name != LIVE {
                options.push(format!("--test={}", target.name));
            }
        }
    }
    Ok(options)
}

/// Builds the live suites and their workloads, and returns the suites' executables.
fn live_suites(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut command = child::cargo();
    command.current_dir(workspace.root());
    command.args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    let messages = child::output(&mut command)?;
    let live = workspace.root().join(LIVE);
    let mut suites = Vec::new();
    for message in Message::parse_stream(messages.as_bytes()) {
        let message = message.context("cannot read what cargo says of the live suites")?;
        if let Message::CompilerArtifact(artifact) = message
            && artifact.target.kind.contains(&TargetKind::Test)
            && artifact.manifest_path.starts_with(&live)
        {
            suites.extend(artifact.executable.map(PathBuf::from));
        }
    }
    if suites.is_empty() {
        bail!("package `{LIVE}` has no live suite: nothing would be tested on the kernel");
    }
    suites.sort();
    Ok(suites)
}

/// Runs the live suites as root, from the package's directory as cargo does.
fn live(
    workspace: &Workspace,
    suites: &[PathBuf],
    filters: &[String],
    object: Option<&Path>,
) -> Result<Tally> {
    let tracer = workspace.tracer();
    let mut variables = vec![("TRACER_BIN", tracer.as_os_str()), ("TRACER_TEST", OsStr::new("1"))];
    variables.extend(object.map(|path| ("TRACER_BPF_OBJECT", path.as_os_str())));
    let mut tally = Tally::default();
    for suite in suites {
        let mut command: Command = privileged::command(suite, &variables)?;
        command.current_dir(workspace.root().join("tests")).args(filters);
        println!("     Running {} as root", suite.display());
        tally += suite::run(&mut command)?;
    }
    if tally.ignored > 0 {
        bail!("{} live tests are ignored; a live test runs or fails", tally.ignored);
    }
    if filters.is_empty() && tally.passed + tally.failed == 0 && tally.is_good() {
        bail!("the live suites hold no test: nothing was tested on the kernel");
    }
    Ok(tally)
}
