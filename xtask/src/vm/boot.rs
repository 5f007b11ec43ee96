//! One machine: qemu with a kernel and a disk, its second serial line read as it comes.
//!
//! The disk is thrown away with the machine: what it writes goes to a temporary file in the build directory.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::kernels::Kernel;

/// Longer than any lane takes, also where others want the processors too.
const LIMIT: Duration = Duration::from_mins(40);

/// Memory of a machine: the suites take a hundredth of it at a time, and say so of a real host's.
const MEMORY: &str = "2G";

/// The machine's time goes by instructions, two nanoseconds each, and not by the host's clock: so it is a slow processor and not
/// one that is interrupted all the time, its deadlines hold whatever else the host does, and sleep costs nothing.
const PACE: &str = "shift=1,sleep=off";

/// Where a machine runs.
pub(super) struct Place<'a> {
    /// What it boots from.
    pub(super) disk: &'a Path,
    /// Gets what the kernel says.
    pub(super) log: &'a Path,
    /// It lets the other machines go first.
    pub(super) steps_back: bool,
}

/// Boots `kernel` and hands over each line. Returns when the machine is off.
pub(super) fn run(kernel: &Kernel, place: &Place, mut line: impl FnMut(&str)) -> Result<()> {
    let mut command = machine(kernel, place);
    let mut running = command.spawn().context("cannot start qemu-system-x86_64 (package qemu-system-x86)")?;
    if let Some(stdout) = running.stdout.take() {
        for text in BufReader::new(stdout).split(b'\n') {
            let text = text.context("cannot read the machine's serial line")?;
            line(String::from_utf8_lossy(&text).trim_end_matches('\r'));
        }
    }
    let status = running.wait().context("cannot wait for qemu")?;
    if status.code() == Some(124) {
        bail!("the machine was still at work after {} minutes", LIMIT.as_secs() / 60);
    }
    if !status.success() {
        bail!("qemu failed ({status}); what the kernel said last:\n{}", last_words(place.log));
    }
    Ok(())
}

/// The end of a kernel's log.
pub(super) fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// What the kernel is told. Without what costs an emulated processor most and no suite is about: guards against speculation, which
/// it does not do, and zeros in all memory that is given out.
const KERNEL: &str = "console=ttyS0 quiet panic=-1 mitigations=off init_on_alloc=0 \
    root=/dev/nvme0n1 rootfstype=ext4 rootwait ro init=/init";

fn machine(kernel: &Kernel, &Place { disk, log, steps_back }: &Place) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", if steps_back { "5" } else { "0" }]);
    // Ends with us where it can, and by itself where it can't.
    command.args(["timeout", "--foreground", "--kill-after=5", &LIMIT.as_secs().to_string()]);
    command.arg("qemu-system-x86_64");
    command.args(["-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1", "-m", MEMORY]);
    command.args(["-icount", PACE, "-rtc", "clock=vm"]);
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
    command.arg("-serial").arg(format!("file:{}", log.display())).args(["-serial", "stdio"]);
    command.arg("-drive").arg(format!("file={},format=raw,if=none,id=root,snapshot=on", disk.display()));
    command.args(["-device", "nvme,drive=root,serial=root"]).arg("-kernel").arg(&kernel.vmlinuz);
    command.args(["-append", KERNEL]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.env("TMPDIR", disk.parent().unwrap_or(Path::new(".")));
    command
}
