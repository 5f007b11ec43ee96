//! `cargo xtask run [TRACER OPTIONS] -- CMD ARG…`: builds tracer as whoever calls, then becomes `tracer run`, as root.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{child, privileged};

/// Replaces this process by tracer: exit status, signals and the terminal are CMD's own, nothing is passed on by hand.
/// Returns only when that failed.
pub(crate) fn execute(workspace: &Workspace) -> Result<()> {
    let words = tracer_words(env::args_os())?;
    let tracer = workspace.tracer();
    let mut build = child::cargo();
    build.current_dir(workspace.root()).args(["build", "--release", "--package=tracer"]);
    if tracer.exists() {
        build.arg("--quiet");
    }
    child::run(&mut build)?;
    let mut command = privileged::command(&tracer, &[])?;
    command.arg("run").args(words);
    Err(command.exec()).with_context(|| format!("cannot start {}", tracer.display()))
}

/// What follows `xtask run`, the `--` before CMD included. Read from the raw arguments, since a parser drops the first
/// `--` and with it the border between tracer's options and CMD's.
fn tracer_words(arguments: impl Iterator<Item = OsString>) -> Result<Vec<OsString>> {
    let words: Vec<OsString> = arguments.skip(2).collect();
    let border = words.iter().position(|word| word == "--");
    if border.is_none_or(|at| at + 1 == words.len()) {
        bail!("no command to run: write `cargo xtask run [TRACER OPTIONS] -- CMD [ARG…]`");
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<OsString>> {
        tracer_words(line.split(' ').map(OsString::from))
    }

    #[test]
    fn options_and_both_borders_reach_tracer_as_they_were_written() {
        assert_eq!(
            words("xtask run --timeout 5 -- env -- true").unwrap().join(" ".as_ref()),
            "--timeout 5 -- env -- true"
        );
        assert_eq!(words("xtask run -- true").unwrap().join(" ".as_ref()), "-- true");
    }

    #[test]
    fn without_a_command_the_error_shows_how_to_give_one() {
        for line in ["xtask run", "xtask run --", "xtask run true"] {
            assert!(words(line).unwrap_err().to_string().contains("-- CMD"), "{line}");
        }
    }
}
