//! `cargo xtask chaos [--runs N] [--seed SEED]`: the suite `chaos` with as many runs as one likes.

use std::ffi::OsString;

use anyhow::Result;
use clap::Args;

use super::test;
use crate::workspace::Workspace;

/// How much, and what exactly.
#[derive(Args)]
pub(crate) struct Options {
    /// Runs, each killed or not, and recovered
    #[arg(long, value_name = "N", default_value_t = 2000)]
    runs: u64,
    /// Repeat what a former call did, which printed this
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn execute(workspace: &Workspace, options: &Options) -> Result<()> {
    let runs = OsString::from(options.runs.to_string());
    let seed = options.seed.map(|seed| OsString::from(seed.to_string()));
    let mut variables = vec![("TRACER_CHAOS_RUNS", runs.as_os_str())];
    variables.extend(seed.as_deref().map(|seed| ("TRACER_CHAOS_SEED", seed)));
    test::one(workspace, "chaos", "kills_at_any_moment_leave_each_started_session_once_and_whole", &variables)
}
