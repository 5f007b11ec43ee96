//! The command line: one file a subcommand, from parsed flags to checked settings to one call into the library.
//!
//! stdout is for results, stderr for talk; tracer's own words begin with `tracer: `.

mod logger;
mod report;
mod run;
mod size;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// tracer's own failure, as `env` and `timeout` have it.
const FAILED: u8 = 125;

/// What exactly ran, what it cost, and why it died.
#[derive(Debug, Parser)]
#[command(name = "tracer", version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
}

/// Parses the arguments, does what they say, and returns the exit status.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed stream that the help goes to.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILED } else { 0 });
        }
    };
    match cli.command {
        Command::Run(run) => run.main(),
    }
}
