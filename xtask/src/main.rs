//! The project's own commands, `cargo xtask COMMAND`. One file a command in `command/`; what they share stands beside it.

mod child;
mod command;
mod ebpf;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

/// What a developer or CI does with this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    match Args::parse().command.execute() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
