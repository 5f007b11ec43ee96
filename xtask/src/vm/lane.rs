//! A lane: the live suites on one kernel.
//!
//! A lane is good when every test that it was to run ran and passed: what each suite holds is asked of the suite itself
//! beforehand, and whatever is neither run nor in the table of what is left out makes the lane fail.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use serde_json::Value;

use super::boot::{self, Place};
use super::image::Stage;
use super::kernels::{self, Kernel};
use super::left_out;
use super::programs::{self, Suite};
use super::reading::Reading;
use super::series::Series;
use crate::suite::Tally;
use crate::workspace::Workspace;

/// What is to run.
pub(crate) struct Plan {
    /// Executables of the live suites.
    pub(crate) executables: Vec<PathBuf>,
    /// As libtest takes them.
    pub(crate) filters: Vec<String>,
    /// What comes of it is to be recorded, and so is not held against what is.
    pub(crate) records: bool,
}

impl Plan {
    /// The suites that have something to run, each with how much.
    fn suites(&self) -> Result<Vec<Suite>> {
        let all =
            self.executables.iter().map(|executable| Suite::of(executable, &self.filters, self.records));
        let all = all.collect::<Result<Vec<_>>>()?;
        let suites: Vec<Suite> = all.into_iter().filter(|suite| suite.expected > 0).collect();
        if suites.is_empty() {
            bail!("no test that runs in a machine has a name with the given filter in it");
        }
        Ok(suites)
    }
}

/// What came of a lane.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) series: Series,
    /// What was asked for, as libtest takes it.
    pub(super) filters: Vec<String>,
    /// As `uname -r` prints it, and Debian's version of it.
    pub(crate) release: String,
    pub(crate) version: String,
    pub(crate) tally: Tally,
    /// What the suites had to tell, by word: `facts`, `verifier`.
    pub(crate) told: BTreeMap<String, Value>,
    /// The tests that failed.
    pub(crate) failed: Vec<String>,
    /// Why the lane is not good, beside failed tests.
    pub(crate) complaints: Vec<String>,
    pub(crate) took: Duration,
}

impl Report {
    /// Of a lane that has told nothing yet.
    pub(super) fn new(series: Series, filters: &[String]) -> Self {
        Self {
            series,
            filters: filters.to_vec(),
            release: String::new(),
            version: String::new(),
            tally: Tally::default(),
            told: BTreeMap::new(),
            failed: Vec::new(),
            complaints: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// Of one that there was no kernel for.
    fn without_kernel(series: Series, filters: &[String], why: &Error) -> Self {
        Self { complaints: vec![format!("{why:#}")], ..Self::new(series, filters) }
    }

    /// Whether all ran and passed.
    pub(crate) fn is_good(&self) -> bool {
        self.tally.is_good() && self.tally.passed > 0 && self.complaints.is_empty()
    }

    /// The command that repeats what failed: those tests, or all that was asked for where something else did.
    pub(super) fn repeat(&self) -> String {
        let mut line = format!("cargo xtask test --kernel {}", self.series);
        let tests = if self.failed.is_empty() { &self.filters } else { &self.failed };
        if !tests.is_empty() {
            line.push_str(" -- ");
            line.push_str(&tests.join(" "));
        }
        line
    }
}

/// Machines for each processor. Their time goes by instructions, so they don't mind to share; and so the last one does not
/// have one processor while the other idles.
const MACHINES: usize = 2;

/// Runs the plan on each of the kernels, several at a time, each to its end whatever becomes of the others: one that can't be had
/// has a report too. The reports are in the kernels' order.
pub(crate) fn run_all(workspace: &Workspace, series: &[Series], plan: &Plan) -> Result<Vec<Report>> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the kernels are x86-64's, and so must the test programs be: run this on such a machine");
    }
    let suites = plan.suites()?;
    let (mut kernels, mut reports) = (Vec::new(), Vec::new());
    for &series in series {
        match kernels::find(workspace, series) {
            Ok(kernel) => {
                println!("kernel {series}: {} {}", kernel.found.package, kernel.found.version);
                kernels.push(kernel);
            }
            Err(error) => {
                println!("kernel {series}: {error:#}");
                reports.push(Report::without_kernel(series, &plan.filters, &error));
            }
        }
    }
    if !kernels.is_empty() {
        reports.extend(run_on(workspace, &kernels, &suites, &plan.filters)?);
    }
    reports.sort_by_key(|report| series.iter().position(|&wanted| wanted == report.series));
    Ok(reports)
}

/// Runs the suites on these kernels. The reports are in the order in which the lanes ended.
fn run_on(
    workspace: &Workspace,
    kernels: &[Kernel],
    suites: &[Suite],
    filters: &[String],
) -> Result<Vec<Report>> {
    print!("{}", left_out::table());
    let dir = workspace.target().join("kernels");
    let programs = programs::needed(workspace, suites)?;
    let disk = dir.join("disk");
    Stage::fill(dir.join("stage"), &programs)?.disk(&programs::commands(workspace, suites), &disk)?;
    // The newest first, and the others step back: its lane takes longest.
    let mut kernels: Vec<&Kernel> = kernels.iter().collect();
    kernels.sort_by_key(|kernel| Reverse(kernel.series));
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    let work = || {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(&kernel) = kernels.get(turn) else { break };
            let log = dir.join(kernel.series.to_string()).join("console");
            let place = Place { disk: &disk, log: &log, steps_back: turn > 0 };
            let report = run(kernel, &place, suites, filters);
            reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..MACHINES * std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    Ok(reports.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// One lane. A machine that dies before it has said a word is started once more: emulators do that now and then.
fn run(kernel: &Kernel, place: &Place, suites: &[Suite], filters: &[String]) -> Report {
    let start = Instant::now();
    let mut reading = Reading::of(Report::new(kernel.series, filters), suites);
    let mut ended = boot::run(kernel, place, |line| reading.line(line));
    if reading.report.release.is_empty() {
        reading.say("the machine did not start; once more");
        ended = boot::run(kernel, place, |line| reading.line(line));
    }
    let mut report = reading.conclude(ended, place.log);
    report.took = start.elapsed();
    let (passed, failed, took) = (report.tally.passed, report.tally.failed, report.took.as_secs());
    println!("{}: {passed} passed, {failed} failed on {} in {took} s", kernel.series, report.release);
    for complaint in &report.complaints {
        println!("{}: {complaint}", kernel.series);
    }
    if !report.is_good() {
        println!("{}: failed; to repeat: {}", kernel.series, report.repeat());
    }
    report
}
