//! Finds what compiles for `bpfel-unknown-none`: a rustc that has the standard library's source, and a bpf-linker
//! with the same major version of LLVM.
//!
//! A rustup nightly with rust-src comes first, then the distribution's rustc with its source package, which needs
//! `RUSTC_BOOTSTRAP=1` for `-Z build-std`. The toolchain that built the committed object goes before both, so that
//! a rebuild compares equal.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::linker::{self, Linker};
use super::manifest::Recorded;
use crate::child;

const INSTALL: &str = "\
install one of these:
  Debian 12, as root:  cargo xtask setup-ebpf
                       (apt-get install rustc-web cargo-web rust-web-src llvm-22-dev, then bpf-linker)
  rustup, anywhere:    rustup toolchain install nightly --component rust-src";

/// The rustc and the cargo of the distribution's packages.
pub(crate) const DISTRIBUTION: (&str, &str) = ("/usr/bin/rustc", "/usr/bin/cargo");

/// What `rustc -vV` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// The first line, `rustc 1.96.0 (ac68faa20 2026-05-25)`.
    pub(crate) name: String,
    /// `commit-hash`; distributions without git say `unknown`.
    pub(crate) commit: String,
    /// `LLVM version`.
    pub(crate) llvm: String,
}

impl Version {
    /// Reads the output of `rustc -vV`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        Some(Self {
            name: text.lines().next().filter(|line| line.starts_with("rustc "))?.trim().to_owned(),
            commit: field("commit-hash:")?.to_owned(),
            llvm: field("LLVM version:")?.to_owned(),
        })
    }
}

/// A rustc with its cargo, its source and a linker.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) rustc: PathBuf,
    pub(crate) cargo: PathBuf,
    pub(crate) version: Version,
    /// The directory with the standard library's workspace, as rustc names it (links not resolved).
    pub(crate) library: PathBuf,
    /// Not a nightly: unstable options need `RUSTC_BOOTSTRAP=1`.
    pub(crate) bootstrap: bool,
    pub(crate) linker: Linker,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", Recorded::of(self), self.rustc.display())
    }
}

/// The recorded toolchain if it is on this machine, else the first that can build.
pub(crate) fn find(recorded: Option<&Recorded>) -> Result<Toolchain> {
    let linker = linker::find()?;
    let mut refused = Vec::new();
    let mut found = Vec::new();
    for (rustc, cargo) in candidates() {
        match examine(&rustc, cargo, &linker) {
            Ok(toolchain) => found.push(toolchain),
            Err(error) => refused.push(format!("  {}: {error:#}", rustc.display())),
        }
    }
    let same = found.iter().position(|toolchain| recorded == Some(&Recorded::of(toolchain)));
    let chosen = same.unwrap_or(0);
    if chosen >= found.len() {
        let refused = refused.join("\n");
        bail!("no Rust toolchain here can build for bpfel-unknown-none\n{refused}\n{INSTALL}");
    }
    Ok(found.swap_remove(chosen))
}

/// Pairs of rustc and cargo worth a look: rustup's nightly, then the distribution's.
fn candidates() -> Vec<(PathBuf, PathBuf)> {
    let nightly = rustup_which("rustc").zip(rustup_which("cargo"));
    let distribution = (PathBuf::from(DISTRIBUTION.0), PathBuf::from(DISTRIBUTION.1));
    nightly
        .into_iter()
        .chain(Some(distribution).filter(|(rustc, cargo)| rustc.exists() && cargo.exists()))
        .collect()
}

/// The path of a nightly's tool; none where there is no rustup or no nightly.
fn rustup_which(tool: &str) -> Option<PathBuf> {
    let mut command = Command::new("rustup");
    command.args(["which", "--toolchain", "nightly", tool]).stderr(Stdio::null());
    child::forget_toolchain(&mut command);
    // To look for one is not to install it.
    command.env("RUSTUP_AUTO_INSTALL", "0");
    let output = command.output().ok().filter(|output| output.status.success())?;
    let path = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(path.trim())).filter(|path| path.exists())
}

/// Whether this rustc can build the programs, and if not, why.
fn examine(rustc: &Path, cargo: PathBuf, linker: &Linker) -> Result<Toolchain> {
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(rustc);
        command.args(arguments);
        child::forget_toolchain(&mut command);
        child::output(&mut command)
    };
    let version = Version::parse(&ask(&["-vV"])?).context("`rustc -vV` names no commit or no LLVM")?;
    let library = Path::new(ask(&["--print", "sysroot"])?.trim()).join("lib/rustlib/src/rust/library");
    if !library.join("Cargo.lock").exists() {
        bail!("has no source of the standard library ({} is missing)", library.join("Cargo.lock").display());
    }
    if linker.llvm.as_deref().is_some_and(|llvm| major(llvm) != major(&version.llvm)) {
        let (ours, theirs) = (&version.llvm, linker.llvm.as_deref().unwrap_or_default());
        let path = linker.path.display();
        bail!("has LLVM {ours}, but {path} has LLVM {theirs}: {}", linker::how_to_install(major(ours)));
    }
    let bootstrap = !version.name.contains("-nightly");
    Ok(Toolchain { rustc: rustc.to_owned(), cargo, version, library, bootstrap, linker: linker.clone() })
}

/// `22` of `22.1.8`.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
        commit-hash: ac68faa20c58cbccd01ee7208bf3b6e93a7d7f96\ncommit-date: 2026-05-25\n\
        host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    #[test]
    fn a_version_has_the_commit_and_the_llvm() {
        let version = Version::parse(DEBIAN).unwrap();
        assert_eq!(version.name, "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)");
        assert_eq!(version.commit, "ac68faa20c58cbccd01ee7208bf3b6e93a7d7f96");
        assert_eq!((version.llvm.as_str(), major(&version.llvm)), ("22.1.8", "22"));
    }

    #[test]
    fn a_text_that_is_no_version_gives_none() {
        assert_eq!(Version::parse(""), None);
        assert_eq!(Version::parse("rustc 1.96.0\nrelease: 1.96.0\n"), None);
        assert_eq!(Version::parse(&DEBIAN.replace("rustc 1.96.0", "gcc 12")), None);
    }
}
