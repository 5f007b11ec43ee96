//! The disk: the test programs where they are on the host, and those of the host's programs that they run.
//!
//! Built from the host's own installed packages, so a lane runs the same shell, sudo and libc as the suites do here, and the
//! same test executables; nothing is compiled for it. The kernels have a driver for NVMe disks and ext4 built in, so they
//! boot from it without modules and without an initramfs.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{child, privileged};

/// What has to be installed on the host: the emulator, and what makes the disk.
const TOOLS: [(&str, &str); 2] = [("qemu-system-x86_64", "qemu-system-x86"), ("mkfs.ext4", "e2fsprogs")];

/// Packages whose programs the suites run, with all that they depend on.
const PACKAGES: [&str; 20] = [
    "bash",
    "bsdutils",
    "coreutils",
    "dash",
    "dbus-daemon",
    "dumb-init",
    "expect",
    "findutils",
    "grep",
    "libc-bin",
    "login",
    "mount",
    "procps",
    "sed",
    "strace",
    "sudo",
    "tini",
    "util-linux",
    "xauth",
    "xvfb",
];

/// Parts of packages that nothing runs.
const UNUSED: [&str; 4] = ["/usr/share/doc/", "/usr/share/locale/", "/usr/share/man/", "/usr/share/info/"];

/// A directory that becomes disks.
pub(super) struct Stage {
    dir: PathBuf,
}

impl Stage {
    /// Fills `dir` with the packages' files and these others.
    pub(super) fn fill(dir: PathBuf, others: &[PathBuf]) -> Result<Self> {
        let installed = installed()?;
        let missing = missing(&installed);
        if !missing.is_empty() {
            bail!(
                "a lane needs packages that are not installed: apt-get install --no-install-recommends {missing}"
            );
        }
        let mut files = files_of(&closure(&installed)?)?;
        files.extend(
            fs::read_dir("/etc/alternatives").into_iter().flatten().flatten().map(|entry| entry.path()),
        );
        files.extend(fs::read_dir("/etc/pam.d").into_iter().flatten().flatten().map(|entry| entry.path()));
        files.extend(["/etc/ld.so.cache", "/etc/nsswitch.conf"].map(PathBuf::from));
        files.extend(others.iter().cloned());
        let list: Vec<_> = files.iter().map(|path| path.as_os_str().as_encoded_bytes()).collect();
        script(include_str!("stage.sh"), &[dir.as_os_str()], &list.join(&b'\n'))?;
        script("cat >\"$1/init\" && chmod 755 \"$1/init\"", &[dir.as_os_str()], include_bytes!("init.sh"))?;
        Ok(Self { dir })
    }

    /// Writes a disk that runs these commands.
    pub(super) fn disk(&self, commands: &str, to: &Path) -> Result<()> {
        script(include_str!("disk.sh"), &[self.dir.as_os_str(), to.as_os_str()], commands.as_bytes())
    }
}

/// Runs a shell script as root with this on its stdin.
fn script(text: &str, arguments: &[&OsStr], stdin: &[u8]) -> Result<()> {
    let mut command = privileged::command(Path::new("sh"), &[])?;
    command.args(["-c", text, "sh"]).args(arguments).stdin(Stdio::piped());
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let what =
        || format!("cannot prepare a disk in {}", arguments.first().unwrap_or(&OsStr::new("?")).display());
    let mut running = command.spawn().with_context(what)?;
    let written = running.stdin.take().map(|mut pipe| pipe.write_all(stdin));
    let status = running.wait().with_context(what)?;
    if !status.success() {
        bail!("{} ({status}); what it said is above", what());
    }
    written.transpose().map(drop).with_context(what)
}

/// The names of the packages that this host has.
fn installed() -> Result<BTreeSet<String>> {
    if child::find("dpkg-query").is_none() {
        bail!("a lane is made of Debian's packages, and this is no Debian: dpkg-query is missing");
    }
    let format = "--showformat=${Package} ${db:Status-Status}\n";
    let told = child::output(Command::new("dpkg-query").args(["--show", format]))?;
    Ok(told.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect())
}

/// The packages that are needed and not installed.
fn missing(installed: &BTreeSet<String>) -> String {
    let has = |program: &str| child::find(program).is_some() || Path::new("/usr/sbin").join(program).exists();
    let packages = PACKAGES.into_iter().filter(|package| !installed.contains(*package));
    let tools = TOOLS.iter().filter(|(program, _)| !has(program)).map(|(_, package)| *package);
    packages.chain(tools).collect::<Vec<_>>().join(" ")
}

/// The packages, and all that they depend on, as installed here.
fn closure(installed: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut command = Command::new("apt-cache");
    command.args(["depends", "--recurse", "--installed"]);
    command.args(
        ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"]
            .map(|kind| format!("--no-{kind}")),
    );
    let told = child::output(command.args(PACKAGES))?;
    // Packages stand at the start of a line; what they depend on, and virtual ones, do not.
    Ok(told.lines().filter(|line| installed.contains(*line)).map(str::to_owned).collect())
}

/// The packages' files and links, directories left out.
fn files_of(packages: &BTreeSet<String>) -> Result<BTreeSet<PathBuf>> {
    let told = child::output(Command::new("dpkg-query").arg("--listfiles").args(packages))?;
    let paths = told
        .lines()
        .filter(|line| line.starts_with('/') && !UNUSED.iter().any(|part| line.starts_with(part)));
    // `/bin` and the like are links to directories, made beforehand.
    let is_file = |path: &PathBuf| {
        path.components().count() > 2 && path.symlink_metadata().is_ok_and(|meta| !meta.is_dir())
    };
    Ok(paths.map(PathBuf::from).filter(is_file).collect())
}
