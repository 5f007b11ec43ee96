//! The project's own commands, `cargo xtask COMMAND`. One file a command in `command/`; what they share stands beside it.

mod bench;
mod child;
mod command;
mod ebpf;
mod privileged;
mod shm;
mod suite;
mod vm;
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
    let command = Args::parse().command;
    let failure = command.failure_code();
    match command.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(failure)
        }
    }
}
