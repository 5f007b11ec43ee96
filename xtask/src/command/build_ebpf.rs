//! `cargo xtask build-ebpf`: sources -> `tracer-ebpf/prebuilt/tracer.bpf.o` and its manifest.

use std::fs;

use anyhow::{Context, Result};

use crate::ebpf::manifest::{Manifest, Recorded};
use crate::ebpf::{self, compile, toolchain};
use crate::workspace::Workspace;

pub(crate) fn execute(workspace: &Workspace) -> Result<()> {
    let recorded = Manifest::load(workspace)?;
    let toolchain = toolchain::find(recorded.as_ref().map(|manifest| &manifest.toolchain))?;
    eprintln!("xtask: building with {toolchain}");
    if recorded.is_some_and(|manifest| manifest.toolchain != Recorded::of(&toolchain)) {
        eprintln!("xtask: that is not the recorded toolchain; the manifest will name the new one");
    }
    let object = compile::compile(workspace, &toolchain, &workspace.target().join("ebpf"))?;
    let manifest = Manifest::of(workspace, &toolchain, &object)?;
    let path = workspace.prebuilt().join(ebpf::OBJECT);
    fs::create_dir_all(workspace.prebuilt())
        .and_then(|()| fs::write(&path, &object))
        .with_context(|| format!("cannot write {}", path.display()))?;
    manifest.save(workspace)?;
    eprintln!("xtask: wrote {} ({} bytes, sha256 {})", path.display(), object.len(), manifest.object_sha256);
    Ok(())
}
