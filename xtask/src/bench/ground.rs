//! Where the bench happens: the programs, a directory that goes away again, and the commands to compare.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::private;
use crate::workspace::Workspace;

/// What a spawned process does: nothing, without even a C library to start.
const NOOP: &str = r#"
void _start(void) {
#if defined(__x86_64__)
    __asm__ volatile("mov $60, %eax\n xor %edi, %edi\n syscall");
#elif defined(__aarch64__)
    __asm__ volatile("mov x8, #93\n mov x0, #0\n svc #0");
#endif
    __builtin_unreachable();
}
"#;

/// The bench's ground.
pub(crate) struct Ground {
    dir: TempDir,
    tracer: PathBuf,
    workload: PathBuf,
    /// [`Test`]s, by their numbers.
    tests: [PathBuf; 2],
    /// Fewer repetitions.
    quick: bool,
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Err(error) = private::unmount(&self.runtime()) {
            eprintln!("xtask: {} can't be unmounted ({error}) and is left", self.runtime().display());
        }
    }
}

impl Ground {
    /// Makes the directory, and the no-op in it. After [`private::mounts`].
    pub(crate) fn new(workspace: &Workspace, quick: bool) -> Result<Self> {
        let base = workspace.target().join("bench");
        fs::create_dir_all(&base).with_context(|| format!("cannot make {}", base.display()))?;
        let dir = tempfile::tempdir_in(&base).with_context(|| format!("cannot use {}", base.display()))?;
        let workload = profile(workspace, quick).join("workload");
        let tests = [Test::Cost, Test::Load].map(|test| test.executable(workspace, quick));
        let ground = Self { dir, tracer: workspace.tracer(), workload, tests, quick };
        fs::create_dir(ground.runtime()).context("cannot make the runtime directory")?;
        private::tmpfs(&ground.runtime())?;
        compile(NOOP, &ground.noop())?;
        Ok(ground)
    }

    /// How often to repeat what is repeated `full` times in a whole bench.
    pub(crate) fn repetitions(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(5) } else { full }
    }

    /// Whether figures are for show only.
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// A test that [`crate::command`] has built for the bench.
    pub(crate) fn test(&self, test: Test) -> &Path {
        &self.tests[test as usize]
    }

    /// A path in the bench's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The tracer under test.
    pub(crate) fn tracer(&self) -> &Path {
        &self.tracer
    }

    /// `--log-dir`.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// A static program that does nothing.
    pub(crate) fn noop(&self) -> PathBuf {
        self.dir.path().join("noop")
    }

    /// The directory of everything; it goes away with this.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `--tmpfs-path`.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The words of a worker that does this case on demand.
    pub(crate) fn on_demand<S: AsRef<OsStr>>(&self, case: impl IntoIterator<Item = S>) -> Vec<OsString> {
        let mut words = vec![self.workload.clone().into_os_string(), "on-demand".into()];
        words.extend(case.into_iter().map(|word| word.as_ref().to_owned()));
        words
    }

    /// The words of a worker that spawns the no-op so often, with arguments as a compiler might get.
    pub(crate) fn spawner(&self, count: u32) -> Vec<OsString> {
        let mut case: Vec<OsString> = vec!["spawn".into(), count.to_string().into(), self.noop().into()];
        case.extend(["-c", "-O2", "-o", "build/object/file.o", "source/file.c"].map(OsString::from));
        self.on_demand(case)
    }

    /// The words of a process that has so many children which stand still, and goes on as this worker.
    pub(crate) fn in_a_crowd(&self, count: &str, worker: &[OsString]) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![self.workload.clone().into(), "in-crowd".into(), count.into()];
        words.extend(worker.iter().skip(1).cloned());
        words
    }

    /// `tracer run` of these words, with all that it writes in the bench's directory.
    pub(crate) fn traced(&self, words: &[OsString]) -> Command {
        let mut command = self.tracer_run();
        command.arg("--").args(words);
        command
    }

    /// The same, with a session that can be found again.
    pub(crate) fn traced_as(&self, session: &str, words: &[OsString]) -> Command {
        self.traced_with(&["--session-id", session], words)
    }

    /// The same, with these flags.
    pub(crate) fn traced_with(&self, flags: &[&str], words: &[OsString]) -> Command {
        let mut command = self.tracer_run();
        command.args(flags).arg("--").args(words);
        command
    }

    fn tracer_run(&self) -> Command {
        let mut command = Command::new(&self.tracer);
        command.args(["run", "--quiet", "--log-dir"]).arg(self.log());
        command.arg("--tmpfs-path").arg(self.runtime()).env("TRACER_TEST", "1");
        command
    }
}

/// Tests that measure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    /// Tracer's unit tests, optimised: `session::tests`, which measure.
    Cost,
    /// The live suite `load`, with the workload beside it.
    Load,
}

impl Test {
    /// Where the bench has it: beside the one that cargo built, under a name that does not change.
    pub(crate) fn executable(self, workspace: &Workspace, quick: bool) -> PathBuf {
        match self {
            Self::Cost => workspace.target().join("release/deps/bench-cost"),
            Self::Load => profile(workspace, quick).join("deps/bench-load"),
        }
    }
}

/// Where the suite of storms and the workloads are.
fn profile(workspace: &Workspace, quick: bool) -> PathBuf {
    workspace.target().join(if quick { "debug" } else { "release" })
}

/// These words as a command.
pub(crate) fn command(words: &[OsString]) -> Command {
    let (program, arguments) =
        words.split_first().map_or((OsStr::new(""), words), |(p, a)| (p.as_os_str(), a));
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn compile(source: &str, to: &Path) -> Result<()> {
    let mut cc = Command::new("cc");
    cc.args(["-static", "-nostdlib", "-O2", "-x", "c", "-", "-o"]).arg(to).stdin(Stdio::piped());
    let mut running = cc.spawn().context("cannot start cc: install gcc")?;
    if let Some(mut stdin) = running.stdin.take() {
        stdin.write_all(source.as_bytes()).context("cannot hand cc its source")?;
    }
    let status = running.wait().context("cannot wait for cc")?;
    if !status.success() {
        bail!("cc cannot build a static program ({status})");
    }
    Ok(())
}
