//! bpf-linker, and which LLVM it has: it reads rustc's bitcode, so both must have the same major version.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::child;

/// The release that is installed.
pub(crate) const VERSION: &str = "0.13.0";

/// A bpf-linker.
#[derive(Clone, Debug)]
pub(crate) struct Linker {
    /// The executable.
    pub(crate) path: PathBuf,
    /// What `--version` says.
    pub(crate) version: String,
    /// Version of the LLVM library that it loads; none where LLVM is linked into it.
    pub(crate) llvm: Option<String>,
}

/// How to get a bpf-linker for LLVM `major`.
pub(crate) fn how_to_install(major: &str) -> String {
    format!(
        "LLVM_PREFIX=/usr/lib/llvm-{major} cargo install bpf-linker --version {VERSION} \
         --no-default-features --features llvm-{major}"
    )
}

/// The bpf-linker in `PATH`, else in the directory to which `cargo install` writes.
pub(crate) fn find() -> Result<Linker> {
    let installed = cargo_bin().map(|dir| dir.join("bpf-linker")).filter(|path| path.exists());
    let Some(path) = child::find("bpf-linker").or(installed) else {
        bail!(
            "bpf-linker is not installed; install it with the LLVM that your rustc has, \
             `apt-get install llvm-22-dev` and:\n  {}\nor all of it, on Debian 12 as root: cargo xtask setup-ebpf",
            how_to_install("22")
        );
    };
    let mut command = Command::new(&path);
    command.arg("--version");
    let version = child::output(&mut command)?.trim().to_owned();
    let llvm = linked_llvm(&path);
    Ok(Linker { path, version, llvm })
}

/// Where `cargo install` puts executables.
fn cargo_bin() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    Some(home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))?.join("bin"))
}

/// The version of the LLVM library that `program` loads: exact where LLVM's own `llvm-config` stands beside the
/// library, else what the library's name says.
fn linked_llvm(program: &Path) -> Option<String> {
    let libraries = child::output(Command::new("ldd").arg(program)).ok()?;
    let library = libraries.lines().find_map(llvm_library)?;
    let named = library.file_name()?.to_str()?.strip_prefix("libLLVM.so.")?.to_owned();
    let config = library.parent()?.parent()?.join("bin/llvm-config");
    let exact = Command::new(config).arg("--version").output().ok().filter(|output| output.status.success());
    Some(exact.map_or(named, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}

/// The path in a line of `ldd` for libLLVM: `libLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x…)`.
fn llvm_library(line: &str) -> Option<PathBuf> {
    let (name, rest) = line.trim().split_once(" => ")?;
    name.starts_with("libLLVM").then(|| rest.split_whitespace().next().map(PathBuf::from)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_library_is_read_from_ldd() {
        let line = "\tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x00007f845ac00000)";
        assert_eq!(llvm_library(line), Some(PathBuf::from("/usr/lib/llvm-22/lib/libLLVM.so.22.1")));
        assert_eq!(llvm_library("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f845aa1e000)"), None);
    }
}
