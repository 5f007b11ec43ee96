//! `MANIFEST.json`: what the committed object is, and what it was made from and with.

use std::{fmt, fs};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::toolchain::Toolchain;
use super::{MANIFEST, compile, sources};
use crate::workspace::Workspace;

/// The manifest of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) object_sha256: String,
    /// See [`sources::hash`].
    pub(crate) sources_sha256: String,
    pub(crate) toolchain: Recorded,
    pub(crate) cargo_flags: Vec<String>,
    /// Remapped paths left out: they are this machine's.
    pub(crate) rustc_flags: Vec<String>,
}

/// The toolchain, as far as it decides the bytes. Equal ones give equal objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) rustc: String,
    pub(crate) commit: String,
    pub(crate) rustc_llvm: String,
    pub(crate) linker: String,
    /// Null where LLVM is linked into the linker.
    pub(crate) linker_llvm: Option<String>,
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rustc, rustc_llvm, linker, linker_llvm, .. } = self;
        let linker_llvm = linker_llvm.as_deref().unwrap_or("of its own");
        write!(f, "{rustc} with LLVM {rustc_llvm}, {linker} with LLVM {linker_llvm}")
    }
}

impl Recorded {
    /// What is recorded of a toolchain on this machine.
    pub(crate) fn of(toolchain: &Toolchain) -> Self {
        Self {
            rustc: toolchain.version.name.clone(),
            commit: toolchain.version.commit.clone(),
            rustc_llvm: toolchain.version.llvm.clone(),
            linker: toolchain.linker.version.clone(),
            linker_llvm: toolchain.linker.llvm.clone(),
        }
    }
}

impl Manifest {
    /// The manifest of `object`, just built with `toolchain`.
    pub(crate) fn of(workspace: &Workspace, toolchain: &Toolchain, object: &[u8]) -> Result<Self> {
        Ok(Self {
            object_sha256: sources::sha256(object),
            sources_sha256: sources::hash(workspace, toolchain)?,
            toolchain: Recorded::of(toolchain),
            cargo_flags: compile::CARGO_FLAGS.map(str::to_owned).to_vec(),
            rustc_flags: compile::RUSTC_FLAGS.map(str::to_owned).to_vec(),
        })
    }

    /// The committed manifest; none where nothing was built yet.
    pub(crate) fn load(workspace: &Workspace) -> Result<Option<Self>> {
        let path = workspace.prebuilt().join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let manifest = serde_json::from_slice(&text);
        let advice = || format!("{} does not parse: run `cargo xtask build-ebpf`", path.display());
        manifest.map(Some).with_context(advice)
    }

    /// Why this manifest is not that of the object and the sources that are here; `now` is what theirs would be. The
    /// toolchain is left out: another one is no error.
    pub(crate) fn stale(&self, now: &Self) -> Vec<String> {
        let pairs = [
            ("object_sha256", self.object_sha256.clone(), now.object_sha256.clone()),
            ("sources_sha256", self.sources_sha256.clone(), now.sources_sha256.clone()),
            ("cargo_flags", self.cargo_flags.join(" "), now.cargo_flags.join(" ")),
            ("rustc_flags", self.rustc_flags.join(" "), now.rustc_flags.join(" ")),
        ];
        let changed = pairs.into_iter().filter(|(_, recorded, now)| recorded != now);
        changed.map(|(name, recorded, now)| format!("{name} is {recorded}, but here it is {now}")).collect()
    }

    /// Writes the manifest beside the object.
    pub(crate) fn save(&self, workspace: &Workspace) -> Result<()> {
        let path = workspace.prebuilt().join(MANIFEST);
        let mut text = serde_json::to_string_pretty(self).context("cannot write the manifest as JSON")?;
        text.push('\n');
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            object_sha256: "a".to_owned(),
            sources_sha256: "b".to_owned(),
            toolchain: Recorded {
                rustc: "rustc 1.96.0".to_owned(),
                commit: "c".to_owned(),
                rustc_llvm: "22.1.8".to_owned(),
                linker: "bpf-linker 0.13.0".to_owned(),
                linker_llvm: None,
            },
            cargo_flags: vec!["--release".to_owned()],
            rustc_flags: vec![],
        }
    }

    #[test]
    fn a_manifest_survives_json() {
        let text = serde_json::to_string(&manifest()).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest());
    }

    #[test]
    fn changed_sources_and_flags_are_stale_and_named() {
        let now =
            Manifest { sources_sha256: "x".to_owned(), rustc_flags: vec!["-C".to_owned()], ..manifest() };
        let lines = manifest().stale(&now);
        assert_eq!(lines, ["sources_sha256 is b, but here it is x", "rustc_flags is , but here it is -C"]);
    }

    #[test]
    fn another_toolchain_is_not_stale() {
        let mut now = manifest();
        now.toolchain.rustc_llvm = "23.0.0".to_owned();
        assert_eq!(manifest().stale(&now), Vec::<String>::new());
    }
}
