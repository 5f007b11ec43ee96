//! Where things are in this repository.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository's root and the paths that the commands need under it.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Finds the repository from what cargo says of the package it runs, not from where xtask was compiled: two
    /// clones may share a target directory.
    pub(crate) fn find() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .context("CARGO_MANIFEST_DIR is not set: start this as `cargo xtask`")?;
        let package = PathBuf::from(package);
        let root = package
            .parent()
            .with_context(|| format!("{} has no parent to be the repository", package.display()))?;
        let root = root
            .canonicalize()
            .with_context(|| format!("cannot resolve the repository's root {}", root.display()))?;
        Ok(Self { root })
    }

    /// The repository's root, without symbolic links.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds to.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), |dir| self.root.join(dir))
    }

    /// tracer, as `cargo build --release` leaves it.
    pub(crate) fn tracer(&self) -> PathBuf {
        self.target().join("release/tracer")
    }

    /// The package of the programs.
    pub(crate) fn ebpf(&self) -> PathBuf {
        self.root.join("tracer-ebpf")
    }

    /// The committed object and its manifest.
    pub(crate) fn prebuilt(&self) -> PathBuf {
        self.ebpf().join("prebuilt")
    }
}

/// A directory for one test, where cargo builds to, removed with the value.
#[cfg(test)]
pub(crate) fn scratch() -> tempfile::TempDir {
    let scratch = Workspace::find().unwrap().target().join("scratch");
    std::fs::create_dir_all(&scratch).unwrap();
    tempfile::tempdir_in(scratch).unwrap()
}
