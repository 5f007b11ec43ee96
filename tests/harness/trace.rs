//! Runs tracer once: [`Trace`] says on what, [`Outcome`] is what came of it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::place::Place;
use crate::{Ledger, Session, Weight, machine, place};

/// How long a run may take on real hardware before it is killed, in seconds, unless told otherwise. Each workload ends
/// itself after 30.
const DEADLINE: u64 = 60;

/// How long tracer looks for the target unless told otherwise, in seconds.
const RESOLVE: u32 = 10;

/// A run of tracer that has not started yet.
#[derive(Debug)]
#[must_use]
pub struct Trace {
    place: Place,
    flags: Vec<OsString>,
    command: Vec<OsString>,
    stdin: Vec<u8>,
    prelude: String,
    uid: u32,
    deadline: u64,
}

impl Trace {
    /// Traces any command.
    pub fn command<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Self {
        assert!(rustix::process::geteuid().is_root(), "the live tests need root; run: cargo xtask test");
        let command = command.into_iter().map(|word| word.as_ref().to_owned()).collect();
        Self {
            place: Place::new(),
            flags: Vec::new(),
            command,
            stdin: Vec::new(),
            prelude: String::new(),
            uid: 0,
            deadline: DEADLINE,
        }
    }

    /// Traces a shell script.
    pub fn sh(script: &str) -> Self {
        Self::command(["sh", "-c", script])
    }

    /// Runs a script in a mount namespace of its own, in which `$0` is tracer and `$1` the workload binary: what it mounts is
    /// gone with it. The directories of the run are `../log` and `../run`.
    #[must_use]
    pub fn inside(script: &str) -> Outcome {
        let words = ["unshare", "-m", "sh", "-c", script].map(OsString::from);
        let binaries = [place::tracer(), place::workload()].map(std::path::PathBuf::into_os_string);
        Self::command(words.into_iter().chain(binaries)).without_tracer()
    }

    /// Traces a case of the workload binary, which is then the root.
    pub fn case<const N: usize>(case: [&str; N]) -> Self {
        let workload = place::workload().into_os_string();
        Self::command([workload].into_iter().chain(case.map(OsString::from)))
    }

    /// Traces a parent (the root) that runs a case as its child and writes down how it ended.
    pub fn observed<const N: usize>(case: [&str; N]) -> Self {
        let mut trace = Self::case(["observe", "--"]);
        trace.command.extend(case.map(OsString::from));
        trace
    }

    /// Adds flags of `tracer run`.
    pub fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(OsString::from));
        self
    }

    /// What tracer, and so the command, reads.
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = bytes;
        self
    }

    /// Shell commands that change what tracer, and so the command, inherits.
    pub fn after(mut self, prelude: &str) -> Self {
        prelude.clone_into(&mut self.prelude);
        self
    }

    /// Runs tracer as another user, who owns the directory of the run.
    pub fn user(mut self, uid: u32) -> Self {
        self.place.give_to(uid);
        self.uid = uid;
        self
    }

    /// Lets it take longer than a minute.
    pub fn within(mut self, seconds: u64) -> Self {
        self.deadline = seconds;
        self
    }

    /// A path in the command's working directory.
    #[must_use]
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.place.cwd().join(name)
    }

    /// Puts an executable script below the command's working directory.
    pub fn script(self, name: &str, text: &str) -> Self {
        let path = self.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Puts the workload binary there under another name.
    pub fn workload_as(self, name: &str) -> Self {
        symlink(place::workload(), self.file(name)).unwrap();
        self
    }

    /// Adds words to the command.
    pub fn args<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Runs it to its end, which must leave a whole session.
    pub fn run(self) -> Session {
        Session::load(self.outcome())
    }

    /// Runs it to its end, which must leave a whole session, of any size.
    pub fn count(self) -> Ledger {
        Ledger::read(self.outcome())
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it takes longer than a minute; it is killed then.
    pub fn outcome(self) -> Outcome {
        let mut words = vec![place::tracer().into_os_string(), "run".into()];
        words.extend(["--log-dir".into(), self.place.log().into(), "--tmpfs-path".into()]);
        words.push(self.place.runtime().into());
        words.extend(self.flags.iter().cloned());
        if machine::slowness() > 1 && !self.flags.iter().any(|flag| flag == "--resolve-timeout") {
            words.extend(["--resolve-timeout".into(), format!("{}s", RESOLVE * machine::slowness()).into()]);
        }
        words.push("--".into());
        words.extend(self.command.iter().cloned());
        self.end_of(&words)
    }

    /// Runs the command itself in the same way, to compare.
    pub fn without_tracer(self) -> Outcome {
        let words = self.command.clone();
        self.end_of(&words)
    }

    fn end_of(self, words: &[OsString]) -> Outcome {
        let mut child = self.prepared(words).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || stdin.write_all(&self.stdin));
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let mut weight = Weight::default();
        let seconds = self.deadline * u64::from(machine::slowness());
        let in_time = ends_in_time(&child, seconds, &mut weight);
        let status = child.wait().unwrap();
        // A command that reads nothing closes the pipe early; that is no failure of the run.
        drop(writer.join().unwrap());
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert!(in_time, "tracer was killed after {seconds} s; stderr:\n{stderr}");
        Outcome { status, stdout, stderr, weight, place: self.place }
    }

    fn prepared(&self, words: &[OsString]) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{}\nexec \"$@\"", self.prelude)).arg("sh").args(words);
        command
            .env("TRACER_TEST", "1")
            .env(crate::truth::FILE, self.place.truth())
            .current_dir(self.place.cwd());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if self.uid != 0 {
            command.uid(self.uid).gid(self.uid);
        }
        command
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Status of tracer itself.
    pub status: ExitStatus,
    /// All that came out of its stdout.
    pub stdout: Vec<u8>,
    /// All that came out of its stderr.
    pub stderr: String,
    /// What tracer weighed meanwhile.
    pub weight: Weight,
    pub(crate) place: Place,
}

impl Outcome {
    /// A file in the command's working directory.
    #[must_use]
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.place.cwd().join(name)
    }

    /// Number of session directories.
    #[must_use]
    pub fn session_count(&self) -> usize {
        fs::read_dir(self.place.log().join("sessions")).map_or(0, Iterator::count)
    }
}

fn collect(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// How often tracer is weighed.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for the child's end. At the deadline kills the process group, which is its own.
pub(crate) fn ends_in_time(child: &Child, seconds: u64, weight: &mut Weight) -> bool {
    let pid = Pid::from_child(child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let look = Timespec::try_from(LOOK).unwrap();
    while poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&look)).unwrap() == 0 {
        weight.look(child.id());
        if Instant::now() > deadline {
            kill_process_group(pid, Signal::KILL).unwrap();
            return false;
        }
    }
    true
}
