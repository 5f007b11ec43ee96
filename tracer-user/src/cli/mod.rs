//! The command line: one file a subcommand, from parsed flags to checked settings to one call into the library.
//!
//! stdout is for results, stderr for talk; tracer's own words begin with `tracer: `.

mod bounded;
mod clear;
mod endings;
mod ground;
mod logger;
mod recover;
mod report;
mod run;
mod size;
mod span;
mod summary_json;
mod words;

use std::os::fd::{AsRawFd, IntoRawFd};

use clap::{Parser, Subcommand};
use rustix::fs::{Mode, OFlags};

use crate::run::outcome::FAILED;
use crate::run::signals::Inherited;

/// What exactly ran, what it cost, and why it died.
#[derive(Debug, Parser)]
#[command(name = "tracer", version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Recover(recover::Recover),
    Clear(clear::Clear),
}

/// Parses the arguments, does what they say, and returns the exit status. Call it before anything else. A bug in tracer
/// is tracer's own failure, not the command's.
#[must_use]
pub fn main() -> u8 {
    let inherited = match Inherited::capture() {
        Ok(inherited) => inherited,
        Err(error) => {
            report::say(&error.to_string());
            words::finish();
            return FAILED;
        }
    };
    reserve_standard_streams();
    let status = std::panic::catch_unwind(|| dispatch(&inherited)).unwrap_or(FAILED);
    words::finish();
    status
}

/// Keeps tracer's own descriptors off 0 to 2 where the caller closed them. The command finds them closed again.
fn reserve_standard_streams() {
    while let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        if null.as_raw_fd() > 2 {
            return;
        }
        // It stays open until exec, or this process's end, closes it.
        let _placeholder = null.into_raw_fd();
    }
}

fn dispatch(inherited: &Inherited) -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.command {
        Command::Run(run) => run.main(inherited),
        Command::Recover(recover) => recover.main(),
        Command::Clear(clear) => clear.main(),
    }
}

/// Help goes to stdout as it is; an error to stderr, in tracer's voice.
fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // Nothing can be done about a closed stream that the help goes to.
        let _ = error.print();
        return 0;
    }
    let text = error.to_string();
    report::say(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    FAILED
}
