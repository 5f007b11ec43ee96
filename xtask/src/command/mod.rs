//! The subcommands.

mod build_ebpf;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::workspace::Workspace;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compile the eBPF programs into tracer-ebpf/prebuilt/
    BuildEbpf,
}

impl Command {
    /// Runs the command; the code is what the process ends with.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let workspace = Workspace::find()?;
        match self {
            Self::BuildEbpf => build_ebpf::execute(&workspace)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
