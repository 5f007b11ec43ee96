//! The subcommands.

mod bench;
mod build_ebpf;
mod chaos;
mod check_ebpf;
mod readme;
mod run;
mod setup_ebpf;
mod test;

use anyhow::Result;
use clap::Subcommand;

use crate::vm::series::Series;
use crate::workspace::Workspace;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build tracer and run a command under it, as root
    #[command(override_usage = "cargo xtask run [TRACER OPTIONS] -- CMD [ARG…]")]
    Run {
        /// Options of `tracer run`, then `--`, then the command
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// Run the unit tests, then the live suites as root
    Test {
        /// Run the live suites alone, on these kernels: series of Debian's, as in `5.10,6.1`, or `newest`
        #[arg(long, value_delimiter = ',', value_name = "LIST")]
        kernel: Vec<Series>,
        /// Write what comes of it into README's table of kernels, and what the verifier says into its record
        #[arg(long, requires = "kernel")]
        record: bool,
        /// Run the tests with one of these in their names
        filters: Vec<String>,
    },
    /// Kill tracers and recoveries at random moments, as root
    Chaos(chaos::Options),
    /// Measure what tracer costs, each figure beside its budget and its peers, as root
    Bench(bench::Options),
    /// Compile the eBPF programs into tracer-ebpf/prebuilt/
    BuildEbpf,
    /// Rebuild the eBPF programs and compare them with the committed object
    CheckEbpf,
    /// Install what build-ebpf needs, on Debian as root
    SetupEbpf,
    /// Run every command of README.md
    Readme,
}

impl Command {
    /// What a failure of the command itself ends with: `run` keeps clear of CMD's codes, as env(1) does.
    pub(crate) fn failure_code(&self) -> u8 {
        if matches!(self, Self::Run { .. }) { 125 } else { 1 }
    }

    /// Runs the command. To be called while there is one thread.
    pub(crate) fn execute(self) -> Result<()> {
        if !matches!(self, Self::Run { .. } | Self::Readme) {
            forget_places();
        }
        let workspace = Workspace::find()?;
        match self {
            Self::Run { .. } => run::execute(&workspace),
            Self::Test { kernel, filters, .. } if kernel.is_empty() => test::execute(&workspace, &filters),
            Self::Test { kernel, record, filters } => test::on_kernels(&workspace, &kernel, &filters, record),
            Self::Chaos(options) => chaos::execute(&workspace, &options),
            Self::Bench(options) => bench::execute(&workspace, &options),
            Self::BuildEbpf => build_ebpf::execute(&workspace),
            Self::CheckEbpf => check_ebpf::execute(&workspace),
            Self::SetupEbpf => setup_ebpf::execute(),
            Self::Readme => readme::execute(&workspace),
        }
    }
}

/// Where somebody has his own sessions: tests and benches have other places, and some of what they start has none from them.
fn forget_places() {
    for name in ["TRACER_LOG_DIR", "TRACER_TMPFS_PATH"] {
        // SAFETY: nobody else reads the environment: there is no other thread yet.
        unsafe { std::env::remove_var(name) };
    }
}
