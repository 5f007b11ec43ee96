//! What the lanes found, kept in the repository: `tests/KERNELS.json` for README's table, and
//! `tracer-ebpf/prebuilt/VERIFIER.json`, which the suite `kernel` holds the verifier's work against.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lane::Report;
use super::series::Series;
use super::table;
use crate::workspace::Workspace;

/// A kernel on which every test passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    /// As the command line names it.
    pub(crate) kernel: String,
    pub(crate) release: String,
    /// Debian's version of it.
    pub(crate) version: String,
    /// Number of tests.
    pub(crate) passed: u64,
    /// What it has and lacks, as the suite `kernel` tells it.
    pub(crate) facts: BTreeMap<String, Value>,
}

impl Passed {
    /// Of a lane that was good and ran all suites.
    fn of(report: &Report) -> Result<Self> {
        let facts = report.told.get("facts").cloned();
        let facts = facts.with_context(|| format!("the suites told no facts of kernel {}", report.series))?;
        Ok(Self {
            kernel: report.series.to_string(),
            release: report.release.clone(),
            version: report.version.clone(),
            passed: report.tally.passed,
            facts: serde_json::from_value(facts).context("the facts are no object")?,
        })
    }
}

/// The kernels on record, the oldest first.
pub(crate) fn kernels(workspace: &Workspace) -> Result<Vec<Passed>> {
    Ok(load(&kernels_file(workspace))?.unwrap_or_default())
}

/// Records good lanes: what they told of the verifier, and where they ran all suites the kernels, with README's table.
pub(crate) fn write(workspace: &Workspace, reports: &[Report], ran_all: bool) -> Result<()> {
    let path = workspace.prebuilt().join("VERIFIER.json");
    let known: BTreeMap<String, Value> = load(&path)?.unwrap_or_default();
    let told = reports.iter().filter_map(|report| report.told.get("verifier")?.as_object());
    let told = told.flatten().map(|(kernel, works)| (kernel.clone(), works.clone()));
    let mut verified: Vec<(Series, Value)> = Vec::new();
    for (kernel, works) in known.into_iter().chain(told).collect::<BTreeMap<_, _>>() {
        let series = kernel.parse().with_context(|| format!("{} has the kernel {kernel}", path.display()))?;
        verified.push((series, works));
    }
    verified.sort_by_key(|(series, _)| *series);
    save(&path, &Ordered(verified))?;
    if ran_all {
        let mut kernels = kernels(workspace)?;
        for report in reports {
            kernels.retain(|known| known.kernel != report.series.to_string());
            kernels.push(Passed::of(report)?);
        }
        kernels.sort_by_key(|known| known.kernel.parse::<Series>().ok());
        save(&kernels_file(workspace), &kernels)?;
        table::write(workspace, &kernels)?;
    }
    Ok(())
}

/// What a lane told that is not what is on record of its kernel.
pub(crate) fn difference(workspace: &Workspace, report: &Report) -> Result<Option<String>> {
    let kernels = kernels(workspace)?;
    let Some(known) = kernels.iter().find(|known| known.kernel == report.series.to_string()) else {
        return Ok(None);
    };
    let now = Passed::of(report)?.facts;
    Ok((now != known.facts).then(|| {
        format!(
            "kernel {} has {now:?}, but on record is {:?}: run it with --record",
            report.series, known.facts
        )
    }))
}

fn kernels_file(workspace: &Workspace) -> PathBuf {
    workspace.root().join("tests/KERNELS.json")
}

fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("{} does not parse", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn save<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// An object whose members are in the kernels' order: 6.12 after 6.1.
struct Ordered(Vec<(Series, Value)>);

impl Serialize for Ordered {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(series, value)| (series.to_string(), value)))
    }
}
