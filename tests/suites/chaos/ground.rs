//! Where the steps happen: a runtime directory and a log directory of their own, watched.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tests::truth::{self, Row};
use tests::{Identity, Outcome, Trace};

use tests::watch::Watch;

/// The ground of some steps.
pub(crate) struct Ground {
    /// The directories.
    pub(crate) outcome: Outcome,
    /// What happens in them.
    pub(crate) watch: Watch,
    /// How long a run takes that nobody kills.
    pub(crate) life: Duration,
}

impl Ground {
    /// Makes it, and sees how long a run takes.
    pub(crate) fn new() -> Self {
        // The directories come with a run; its session goes again.
        let outcome = Trace::command(["true"]).outcome();
        fs::remove_dir_all(outcome.log()).unwrap();
        fs::create_dir_all(outcome.runtime()).unwrap();
        fs::set_permissions(outcome.runtime(), PermissionsExt::from_mode(0o700)).unwrap();
        let watch = Watch::over(&outcome.runtime(), &outcome.log());
        let mut ground = Self { outcome, watch, life: Duration::ZERO };
        let begin = Instant::now();
        assert!(ground.start("calm", false).wait().unwrap().success());
        ground.life = begin.elapsed();
        ground.watch.read();
        ground
    }

    /// Starts a run, as the leader of a process group. A loud one has more rows than its trace file may take.
    pub(crate) fn start(&self, id: &str, loud: bool) -> Child {
        File::create(self.members_file(id)).unwrap();
        let mut run = Command::new(tests::tracer());
        run.args(["run", "-q", "--interval", "10ms", "--session-id", id, "--log-dir"])
            .arg(self.outcome.log());
        run.arg("--tmpfs-path").arg(self.outcome.runtime().parent().unwrap());
        run.args(["--spool-limit", "64K", "--"]).arg(tests::workload()).arg("family");
        run.args(loud.then_some("20000")).process_group(0).stdin(Stdio::null());
        run.env("TRACER_TEST", "1").env(truth::FILE, self.members_file(id)).spawn().unwrap()
    }

    /// The processes of a command in the order of their forks, by their own account.
    pub(crate) fn members(&self, id: &str) -> Vec<Identity> {
        let rows = truth::read(&self.members_file(id)).into_iter();
        rows.map(|row| match row {
            Row::Note(note) => (note.pid.into(), note.value.cast_unsigned()),
            other => panic!("no note: {other:?}"),
        })
        .collect()
    }

    fn members_file(&self, id: &str) -> PathBuf {
        self.outcome.file(&format!("members-{id}"))
    }
}
