//! The one way in which the object is built.
//!
//! Everything that shapes the bytes is a flag here and nowhere else: the profile is given on the command line, not in
//! `Cargo.toml`, and the environment that cargo and rustup left is dropped. Paths of this machine are remapped, so
//! that two clones in two places give the same bytes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::Metadata;

use super::strip;
use super::toolchain::Toolchain;
use crate::child;
use crate::workspace::Workspace;

const TARGET: &str = "bpfel-unknown-none";
const BIN: &str = "tracer-programs";

/// What cargo builds, and how. Debug information is what BTF is made of; [`strip`] drops it afterwards.
pub(crate) const CARGO_FLAGS: [&str; 15] = [
    "--package=tracer-ebpf",
    "--bin=tracer-programs",
    "--no-default-features",
    "--features=programs",
    "--release",
    "-Zbuild-std=core",
    "--target=bpfel-unknown-none",
    "--config=profile.release.opt-level=3",
    "--config=profile.release.codegen-units=1",
    "--config=profile.release.lto=false",
    "--config=profile.release.debug=2",
    "--config=profile.release.strip='none'",
    "--config=profile.release.panic='abort'",
    "--config=profile.release.debug-assertions=false",
    "--config=profile.release.overflow-checks=false",
];

/// What rustc gets for the BPF target. No program reads `pt_regs`, so the architecture named here is of no
/// consequence, but aya-ebpf's bindings want one.
pub(crate) const RUSTC_FLAGS: [&str; 2] = ["--cfg=bpf_target_arch=\"x86_64\"", "-Clink-arg=--btf"];

/// Compiles the programs in `target` and returns the stripped object.
pub(crate) fn compile(workspace: &Workspace, toolchain: &Toolchain, target: &Path) -> Result<Vec<u8>> {
    let flags = RUSTC_FLAGS.iter().map(OsString::from).chain(remaps(workspace, toolchain)?);
    let flags = flags.collect::<Vec<_>>().join(OsString::from("\x1f").as_os_str());
    let mut command = cargo(workspace, toolchain);
    command.arg("build").args(CARGO_FLAGS).arg("--target-dir").arg(target);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags);
    command.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &toolchain.linker.path);
    child::run(&mut command)?;
    let object = target.join(TARGET).join("release").join(BIN);
    let bytes = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    strip::strip(&bytes).with_context(|| format!("cannot strip {}", object.display()))
}

/// The toolchain's cargo, in an environment of its own.
pub(crate) fn cargo(workspace: &Workspace, toolchain: &Toolchain) -> Command {
    let mut command = Command::new(&toolchain.cargo);
    command.current_dir(workspace.root());
    child::forget_toolchain(&mut command);
    command.env("RUSTC", &toolchain.rustc);
    if toolchain.bootstrap {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    command
}

/// Names for this machine's directories: the workspace, each registry's sources, and the standard library's, also
/// where its path is a link, as Debian's is.
fn remaps(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<OsString>> {
    let mut names: Vec<(PathBuf, &str)> = vec![(workspace.root().to_owned(), "/tracer")];
    names.extend(registries(workspace, toolchain)?.into_iter().map(|dir| (dir, "/crates")));
    let real = toolchain.library.canonicalize();
    let real = real.with_context(|| format!("cannot resolve {}", toolchain.library.display()))?;
    names.extend([(toolchain.library.clone(), "/rust/library"), (real, "/rust/library")]);
    Ok(names.into_iter().map(|(from, to)| remap(&from, to)).collect())
}

fn remap(from: &Path, to: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(from);
    flag.push("=");
    flag.push(to);
    flag
}

/// The directories in which cargo keeps the sources of registry crates. Asked of the toolchain's own cargo, which
/// also fetches what is missing: the directory's name depends on cargo's version and on the mirror in use.
fn registries(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<PathBuf>> {
    let mut command = cargo(workspace, toolchain);
    command.args(["metadata", "--format-version=1", "--filter-platform", TARGET]);
    let metadata: Metadata =
        serde_json::from_str(&child::output(&mut command)?).context("cannot read `cargo metadata`")?;
    let sources = metadata.packages.iter().filter(|package| package.source.is_some());
    let mut dirs: Vec<PathBuf> = sources
        .filter_map(|package| package.manifest_path.parent()?.parent())
        .map(|dir| dir.as_std_path().to_owned())
        .collect();
    dirs.sort();
    dirs.dedup();
    Ok(dirs)
}
