//! Recovery in the place of a run.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::faults::Spooled;
use crate::session::{files_below, is_hidden};
use crate::{Outcome, Session, faults, machine, place, schema};

/// What `tracer recover --json` said.
#[derive(Debug)]
pub struct Recovered {
    /// Its exit status.
    pub code: Option<i32>,
    /// A report a file.
    pub reports: Vec<Value>,
}

impl Recovered {
    fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let reports: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        schema::assert_shapes("recover", &reports);
        Self { code: output.status.code(), reports }
    }

    /// The reports of an action.
    #[must_use]
    pub fn with(&self, action: &str) -> Vec<&Value> {
        self.reports.iter().filter(|report| report["action"] == action).collect()
    }
}

impl Outcome {
    /// Begins a recovery of all that a killed tracer left here, however young.
    #[must_use]
    pub fn start_recovery<const N: usize>(&self, flags: [&str; N]) -> Child {
        let mut command = Command::new(place::tracer());
        command.args(["recover", "--json", "--min-age", "0s", "--tmpfs-path"]).arg(self.place.runtime());
        // Sessions go where their sidecars say, whatever the environment of the tests says.
        command.args(flags).env("TRACER_TEST", "1").env_remove("TRACER_LOG_DIR");
        command.stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Recovers.
    #[must_use]
    pub fn recover<const N: usize>(&self, flags: [&str; N]) -> Recovered {
        Recovered::of(self.start_recovery(flags))
    }

    /// Recovers as often as that, all at once.
    #[must_use]
    pub fn recover_at_once(&self, times: usize) -> Vec<Recovered> {
        let started: Vec<Child> = (0..times).map(|_| self.start_recovery([])).collect();
        started.into_iter().map(Recovered::of).collect()
    }

    /// Waits until nothing that was traced here runs any more.
    ///
    /// # Panics
    /// If something does after ten seconds.
    pub fn await_ends(&self) -> &Self {
        let deadline = Instant::now() + machine::slowed(Duration::from_secs(10));
        loop {
            let seen = self.recover(["--dry-run"]);
            if seen.reports.iter().all(|report| report["gate"] != "G3") {
                return self;
            }
            assert!(Instant::now() < deadline, "still running: {:?}", seen.reports);
            thread::yield_now();
        }
    }

    /// The files in the runtime directory.
    #[must_use]
    pub fn left(&self) -> Vec<PathBuf> {
        files_below(&self.place.runtime())
    }

    /// The runtime directory itself.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.place.runtime().join("tracer-0")
    }

    /// The log directory.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.place.log()
    }

    /// The lines of the index.
    #[must_use]
    pub fn index(&self) -> Vec<Value> {
        crate::session::lines(&self.place.log().join("sessions.jsonl"))
    }

    /// Starts another run here.
    #[must_use]
    pub fn start_run<const N: usize>(&self, id: &str, command: [&str; N]) -> Child {
        let mut run = Command::new(place::tracer());
        run.args(["run", "-q", "--session-id", id, "--log-dir"]).arg(self.place.log());
        run.arg("--tmpfs-path").arg(self.place.runtime()).arg("--").args(command);
        run.env("TRACER_TEST", "1").current_dir(self.place.cwd()).spawn().unwrap()
    }

    /// `tracer recover` of all that is left here, however young.
    #[must_use]
    pub fn recovery(&self) -> Vec<OsString> {
        let mut words = words(["recover", "--json", "--min-age", "0s", "--tmpfs-path"]);
        words.push(self.place.runtime().into());
        words
    }

    /// `tracer run` of a shell that does nothing.
    #[must_use]
    pub fn run<const N: usize>(&self, id: &str, flags: [&str; N]) -> Vec<OsString> {
        let mut words = words(["run", "-q", "--session-id", id, "--log-dir"]);
        words.extend([self.place.log().into(), "--tmpfs-path".into(), self.place.runtime().into()]);
        words.extend(flags.map(OsString::from));
        words.extend(["--", "sh", "-c", "true; true"].map(OsString::from));
        words
    }

    /// `tracer clear`.
    #[must_use]
    pub fn clear(&self) -> Vec<OsString> {
        vec!["clear".into(), "--log-dir".into(), self.place.log().into()]
    }

    /// Runs a script, its rows moving to the log directory often, killed at the `nth` of these system calls of one of tracer's
    /// threads.
    #[must_use]
    pub fn spooling_is_killed_at(&self, call: &str, nth: u32, script: &str) -> Spooled {
        let mut words = words(["run", "-q", "--spool-limit", "64K", "--log-dir"]);
        words.extend([self.place.log().into(), "--tmpfs-path".into(), self.place.runtime().into()]);
        words.extend(["--", "sh", "-c", script].map(OsString::from));
        faults::spooling_is_killed_at(&words, (call, nth))
    }

    /// The names in the directory of sessions, of finished ones and others.
    #[must_use]
    pub fn session_names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.place.log().join("sessions")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Asserts that every file of every session, and the index, has its published shape.
    pub fn assert_readable(&self) {
        let files = files_below(&self.place.log());
        files.iter().filter(|path| !is_hidden(path)).for_each(|path| schema::assert_file(path));
    }

    /// Makes all that is left look a minute old.
    pub fn age(&self) {
        for path in self.left() {
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_mins(1)).unwrap();
        }
    }

    /// The one session that is there by now.
    #[must_use]
    pub fn session(self) -> Session {
        Session::load(self)
    }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
    words.map(OsString::from).into()
}
