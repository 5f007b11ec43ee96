//! `cargo xtask setup-ebpf`: what build-ebpf needs, installed on Debian 12 as root.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::ebpf::linker;
use crate::ebpf::toolchain::{self, Version};
use crate::{child, privileged};

const RUST: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

pub(crate) fn execute() -> Result<()> {
    if let Ok(toolchain) = toolchain::find(None) {
        eprintln!("xtask: nothing to install, found {toolchain}");
        return Ok(());
    }
    apt(&["update", "--quiet=2"])?;
    install(&RUST)?;
    let (rustc, cargo) = toolchain::DISTRIBUTION;
    let version = child::output(Command::new(rustc).arg("-vV"))?;
    let version = Version::parse(&version).with_context(|| format!("cannot read the version of {rustc}"))?;
    let major = version.llvm.split('.').next().unwrap_or(&version.llvm);
    install(&[&format!("llvm-{major}-dev"), "build-essential", "zlib1g-dev", "libzstd-dev"])?;
    // Both by name: rustup's stand-ins would go by the toolchain files that crates bring along, and fetch what those ask for.
    let mut command = Command::new(cargo);
    child::forget_toolchain(&mut command);
    command.env("RUSTC", rustc);
    command.args(["install", "--force", "--locked", "bpf-linker", "--version", linker::VERSION]);
    command.args(["--no-default-features", "--features", &format!("llvm-{major}")]);
    command.env("LLVM_PREFIX", format!("/usr/lib/llvm-{major}"));
    // The work is done by LLVM's library: optimizing what calls it takes a minute and saves none.
    command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_LTO", "off");
    child::run(&mut command)?;
    eprintln!("xtask: installed {}", toolchain::find(None)?);
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> Result<()> {
    let Some(apt) = child::find("apt-get") else {
        bail!(
            "this is no Debian (apt-get is missing): install a rustup nightly with rust-src, and bpf-linker"
        );
    };
    let mut command =
        privileged::command(Path::new(&apt), &[("DEBIAN_FRONTEND", "noninteractive".as_ref())])?;
    child::run(command.args(arguments))
}
