//! Starting a program as root: as it is when we are root, through `sudo` when not.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;

/// Whether this process is root: it owns its own entry in `/proc`.
pub(crate) fn is_root() -> Result<bool> {
    let me = Path::new("/proc/self").metadata().context("cannot read /proc/self: is /proc mounted?")?;
    Ok(me.uid() == 0)
}

/// A command that runs `program` as root with `variables` in its environment. sudo gives its child an environment of
/// its own, so these and our own `TRACER_*` go through `env`.
pub(crate) fn command(program: &Path, variables: &[(&str, &OsStr)]) -> Result<Command> {
    if is_root()? {
        let mut command = Command::new(program);
        command.envs(variables.iter().copied());
        return Ok(command);
    }
    let Some(sudo) = child::find("sudo") else {
        bail!(
            "{} must run as root, and sudo is not installed: install sudo, or become root",
            program.display()
        );
    };
    let mut command = Command::new(sudo);
    command.arg("--").arg("env").args(assignments(env::vars_os(), variables)).arg(program);
    Ok(command)
}

/// `NAME=VALUE` of every `TRACER_*` in `environment`, then of `variables`, which win.
fn assignments(
    environment: impl Iterator<Item = (OsString, OsString)>,
    variables: &[(&str, &OsStr)],
) -> Vec<OsString> {
    let own = environment.filter(|(name, _)| name.to_string_lossy().starts_with("TRACER_"));
    let given = variables.iter().map(|(name, value)| (OsString::from(name), (*value).to_owned()));
    own.chain(given)
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_passes_on_what_is_tracers_and_what_is_given() {
        let environment =
            [("HOME", "/root"), ("TRACER_LOG_DIR", "/a b")].map(|(name, value)| (name.into(), value.into()));
        let passed = assignments(environment.into_iter(), &[("TRACER_TEST", OsStr::new("1"))]);
        assert_eq!(passed, ["TRACER_LOG_DIR=/a b", "TRACER_TEST=1"]);
    }
}
