//! `cargo xtask readme`: runs every command that README.md shows. Its table of kernels must be what is on record.
//!
//! A command is a line that starts with `$ ` in a fenced block marked `console`; a backslash at its end continues it on
//! the next line; the block's other lines are output, and not compared. Commands run in order, each by `sh -c` in the
//! repository's root, and must exit with 0. A comment at the end says otherwise:
//!
//! ```console
//! $ tracer run -- sh -c 'exit 3'   # exit 3
//! $ tracer run -- sh -c 'kill $$'  # exit 143
//! ```
//!
//! Death by signal N counts as exit 128+N, as a shell shows it. `TRACER_LOG_DIR` and `TRACER_TMPFS_PATH` lead to a
//! scratch directory, so sessions of one command are there for the next (a real sudo forgets them, `cargo xtask run`
//! does not). As root on a machine without sudo, `sudo CMD`
//! runs CMD. Whoever has run some of the commands already names them in `XTASK_RAN`, separated by commas, and they
//! are left out (`XTASK_RAN='cargo xtask test' cargo xtask readme`); `cargo xtask readme` itself always is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, iter};

use anyhow::{Context, Result, bail};

use crate::vm::table;
use crate::workspace::Workspace;
use crate::{child, privileged};

/// No command of a README takes longer.
const LIMIT: Duration = Duration::from_mins(15);

/// A sudo for root on a machine that has none: drops its own flags, and runs the rest.
const SUDO: &str = "#!/bin/sh\nwhile :; do case $1 in --) shift; break;; -*) shift;; *) break;; esac; done\nexec env \"$@\"\n";

/// A command of the README, and how it must end.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    line: usize,
    text: String,
    exit: i32,
}

pub(crate) fn execute(workspace: &Workspace) -> Result<()> {
    let path = workspace.root().join("README.md");
    let readme = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    table::check(workspace, &readme)?;
    let examples = examples(&readme)?;
    if examples.is_empty() {
        bail!("{} has no command in a `console` block", path.display());
    }
    let scratch = tempfile::tempdir().context("cannot make a scratch directory")?;
    let skipped = env::var("XTASK_RAN").unwrap_or_default();
    let mut ran = 0_usize;
    for example in &examples {
        if iter::once("cargo xtask readme").chain(skipped.split(',')).any(|text| text.trim() == example.text)
        {
            eprintln!("README.md:{}: $ {} (left out: it has run)", example.line, example.text);
            continue;
        }
        run(workspace, example, scratch.path())?;
        ran += 1;
    }
    println!("xtask readme: {ran} of {} commands run, all as README.md says", examples.len());
    Ok(())
}

/// Runs one example; an end that differs from what README.md promises is an error.
fn run(workspace: &Workspace, example: &Example, scratch: &Path) -> Result<()> {
    eprintln!("README.md:{}: $ {}", example.line, example.text);
    let mut command = Command::new("timeout");
    command.arg("--foreground").arg(LIMIT.as_secs().to_string()).args(["sh", "-c", &example.text]);
    command.current_dir(workspace.root()).stdin(Stdio::null());
    // The log directory is made by tracer: root does not write into somebody else's.
    let tmpfs = scratch.join("tmpfs");
    fs::create_dir_all(&tmpfs).with_context(|| format!("cannot make {}", tmpfs.display()))?;
    command.env("TRACER_LOG_DIR", scratch.join("log")).env("TRACER_TMPFS_PATH", tmpfs);
    if privileged::is_root()? && child::find("sudo").is_none() {
        let mut path = stand_in_sudo(scratch)?.into_os_string();
        path.push(":");
        path.push(env::var_os("PATH").unwrap_or_default());
        command.env("PATH", path);
    }
    let start = Instant::now();
    let status = command.status().context("cannot start `timeout` (coreutils)")?;
    let ended = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    let after = start.elapsed().as_secs();
    if ended != Some(example.exit) {
        let Example { line, text, exit } = example;
        bail!("README.md:{line}: `{text}` should exit with {exit}, but: {status} after {after} s");
    }
    eprintln!("README.md:{}: took {after} s", example.line);
    Ok(())
}

/// A directory with [`SUDO`] in it.
fn stand_in_sudo(scratch: &Path) -> Result<PathBuf> {
    let dir = scratch.join("bin");
    let sudo = dir.join("sudo");
    fs::create_dir_all(&dir)
        .and_then(|()| fs::write(&sudo, SUDO))
        .and_then(|()| fs::set_permissions(&sudo, Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot write {}", sudo.display()))?;
    Ok(dir)
}

/// The commands of a README in their order.
fn examples(readme: &str) -> Result<Vec<Example>> {
    let mut examples = Vec::new();
    let mut lines = readme.lines().zip(1..);
    let mut fence: Option<bool> = None;
    while let Some((text, line)) = lines.next() {
        if let Some(mark) = text.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(mark.trim() == "console") };
        } else if fence == Some(true)
            && let Some(command) = text.trim_start().strip_prefix("$ ")
        {
            let mut command = command.trim_end().to_owned();
            while let Some(start) = command.strip_suffix('\\') {
                let (next, _) =
                    lines.next().with_context(|| format!("README.md:{line}: ends in a backslash"))?;
                command = format!("{}{}", start, next.trim());
            }
            examples.push(example(line, &command)?);
        }
    }
    Ok(examples)
}

/// Splits off the comment with the exit status. Any other comment is the shell's to drop.
fn example(line: usize, command: &str) -> Result<Example> {
    let Some((text, exit)) = command.rsplit_once("# exit ") else {
        return Ok(Example { line, text: command.to_owned(), exit: 0 });
    };
    let exit = exit.trim().parse().with_context(|| format!("README.md:{line}: `# exit` wants a number"))?;
    Ok(Example { line, text: text.trim_end().to_owned(), exit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(readme: &str) -> Vec<(usize, String, i32)> {
        examples(readme).unwrap().into_iter().map(|each| (each.line, each.text, each.exit)).collect()
    }

    #[test]
    fn commands_are_taken_from_console_blocks_only() {
        let readme = "$ no\n```sh\n$ no\n```\n```console\n$ yes --now\noutput\n$ again\n```\n$ no\n";
        assert_eq!(found(readme), [(6, "yes --now".to_owned(), 0), (8, "again".to_owned(), 0)]);
    }

    #[test]
    fn a_comment_gives_the_exit_status() {
        assert_eq!(
            found("```console\n$ sh -c 'exit 3'   # exit 3\n```"),
            [(2, "sh -c 'exit 3'".to_owned(), 3)]
        );
        assert_eq!(found("```console\n$ ls # all of it\n```"), [(2, "ls # all of it".to_owned(), 0)]);
        assert!(examples("```console\n$ ls # exit soon\n```").is_err());
    }

    #[test]
    fn a_backslash_continues_a_command() {
        assert_eq!(found("```console\n$ a \\\n    b \\\n    c\n```"), [(2, "a b c".to_owned(), 0)]);
        assert!(examples("```console\n$ a \\").is_err());
    }

    #[test]
    fn an_unexpected_end_is_an_error_that_names_the_line() {
        let scratch = crate::workspace::scratch();
        let workspace = Workspace::find().unwrap();
        let example = |text: &str, exit| Example { line: 7, text: text.to_owned(), exit };
        run(&workspace, &example("kill -9 $$", 137), scratch.path()).unwrap();
        let error = run(&workspace, &example("exit 3", 0), scratch.path()).unwrap_err();
        assert!(error.to_string().starts_with("README.md:7: `exit 3`"), "{error}");
    }

    #[test]
    fn the_stand_in_for_sudo_drops_flags_and_passes_the_rest() {
        let scratch = crate::workspace::scratch();
        let sudo = stand_in_sudo(scratch.path()).unwrap().join("sudo");
        let mut command = Command::new(sudo);
        command.args(["-n", "--", "A=1", "sh", "-c", "echo $A-$0", "x"]);
        assert_eq!(child::output(&mut command).unwrap(), "1-x\n");
    }
}
