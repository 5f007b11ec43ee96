//! `cargo xtask check-ebpf`: whether the committed object is what its sources give.

use std::fs;

use anyhow::{Context, Result, bail};

use super::test;
use crate::ebpf::manifest::{Manifest, Recorded};
use crate::ebpf::toolchain::{self, Toolchain};
use crate::ebpf::{self, compare, compile};
use crate::workspace::Workspace;

pub(crate) fn execute(workspace: &Workspace) -> Result<()> {
    let path = workspace.prebuilt().join(ebpf::OBJECT);
    let object = fs::read(&path);
    let object =
        object.with_context(|| format!("cannot read {}: run `cargo xtask build-ebpf`", path.display()))?;
    let recorded =
        Manifest::load(workspace)?.context("there is no manifest: run `cargo xtask build-ebpf`")?;
    let toolchain = toolchain::find(Some(&recorded.toolchain))?;
    let stale = recorded.stale(&Manifest::of(workspace, &toolchain, &object)?);
    stale.iter().for_each(|line| eprintln!("xtask: MANIFEST.json: {line}"));
    if !stale.is_empty() {
        bail!(
            "the committed object is not of these sources: run `cargo xtask build-ebpf` and commit what it writes"
        );
    }
    eprintln!("xtask: rebuilding with {toolchain}");
    let scratch = tempfile::tempdir_in(workspace.target());
    let scratch = scratch.context("cannot make a scratch directory in the target directory")?;
    let rebuilt = compile::compile(workspace, &toolchain, scratch.path())?;
    if recorded.toolchain == Recorded::of(&toolchain) {
        return compare(&object, &rebuilt);
    }
    eprintln!("xtask: the committed object was built with another toolchain, {}", recorded.toolchain);
    run_instead(workspace, &toolchain, &object, &rebuilt)
}

/// The same toolchain: any difference is an error.
fn compare(committed: &[u8], rebuilt: &[u8]) -> Result<()> {
    let differences = compare::differences(committed, rebuilt)?;
    differences.iter().for_each(|line| println!("{line}"));
    if !differences.is_empty() {
        bail!("the rebuilt object differs in {} places; see above", differences.len());
    }
    if committed != rebuilt {
        bail!("the rebuilt object differs in its layout, though in no section");
    }
    println!("check-ebpf: {} bytes, rebuilt alike", committed.len());
    Ok(())
}

/// Another toolchain: bytes may differ, so the rebuilt object has to pass the live suites.
fn run_instead(workspace: &Workspace, toolchain: &Toolchain, committed: &[u8], rebuilt: &[u8]) -> Result<()> {
    let differences = compare::differences(committed, rebuilt)?;
    println!(
        "check-ebpf: {} differences with another toolchain, which may be; testing the rebuilt object",
        differences.len()
    );
    let dir = tempfile::tempdir().context("cannot make a scratch directory")?;
    let path = dir.path().join(ebpf::OBJECT);
    fs::write(&path, rebuilt).with_context(|| format!("cannot write {}", path.display()))?;
    test::live_with_object(workspace, &path)
        .with_context(|| format!("the object that {} builds does not pass", toolchain.version.name))
}
