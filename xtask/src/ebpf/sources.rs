//! One hash over all that goes into the object: the package's files, and the crates that it resolves to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::compile;
use super::toolchain::Toolchain;
use crate::child;
use crate::workspace::Workspace;

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of `tracer-ebpf/Cargo.toml`, every file under `tracer-ebpf/src`, and the name and version of every crate
/// that the programs are built from, macros and build scripts included.
pub(crate) fn hash(workspace: &Workspace, toolchain: &Toolchain) -> Result<String> {
    let package = workspace.ebpf();
    let mut files = BTreeSet::from([package.join("Cargo.toml")]);
    collect(&package.join("src"), &mut files)?;
    let mut hash = Sha256::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(&package).unwrap_or(&file).to_string_lossy();
        add(&mut hash, &name, &bytes);
    }
    for entry in crates(workspace, toolchain)? {
        add(&mut hash, "crate", entry.as_bytes());
    }
    Ok(hex(&hash.finalize()))
}

/// Adds one named item; lengths keep neighbours apart.
fn add(hash: &mut Sha256, name: &str, bytes: &[u8]) {
    hash.update(format!("{name} {}\n", bytes.len()));
    hash.update(bytes);
}

fn collect(dir: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", dir.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

/// `name vX.Y.Z` of every crate in the programs' dependency tree, as Cargo.lock resolves it.
fn crates(workspace: &Workspace, toolchain: &Toolchain) -> Result<BTreeSet<String>> {
    let mut command = compile::cargo(workspace, toolchain);
    command.args(["tree", "--package=tracer-ebpf", "--no-default-features", "--features=programs"]);
    command.args(["--target=bpfel-unknown-none", "--edges=normal,build", "--prefix=none"]);
    let tree = child::output(&mut command)?;
    Ok(tree.lines().filter_map(name_and_version).collect())
}

/// `aya-ebpf v0.2.1` of a line of `cargo tree`; what follows is a path or a mark, which differ between machines.
fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    Some(format!("{} {}", words.next()?, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_or_a_mark_in_cargo_tree_does_not_count() {
        let entry = Some("tracer-ebpf v0.1.0".to_owned());
        assert_eq!(name_and_version("tracer-ebpf v0.1.0 (/somewhere/else)"), entry);
        assert_eq!(name_and_version("tracer-ebpf v0.1.0 (*)"), entry);
        assert_eq!(name_and_version(""), None);
    }

    #[test]
    fn bytes_that_move_from_one_item_to_the_next_change_the_hash() {
        let hash = |items: [(&str, &[u8]); 2]| {
            let mut hash = Sha256::new();
            items.iter().for_each(|(name, bytes)| add(&mut hash, name, bytes));
            hash.finalize()
        };
        assert_ne!(hash([("a", b"xy"), ("b", b"z")]), hash([("a", b"x"), ("b", b"yz")]));
    }
}
