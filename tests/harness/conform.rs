//! A command and its surroundings, run bare and under wrappers: [`Case`] says what, [`Seen`] is all that came of it.
//!
//! The surroundings are made by system calls between fork and exec, with no shell in between that would change them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::Weight;
use crate::place::{self, Place};
use crate::trace::ends_in_time;

/// How long a case may take, in seconds.
const DEADLINE: u64 = 60;
/// Where commands are looked for, unless a case says otherwise.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// Under what a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// Nothing.
    Nothing,
    /// `tracer run -q --`.
    Tracer,
    /// `strace -f -o /dev/null`.
    Strace,
    /// `timeout 60`.
    Timeout,
    /// `script -qec COMMAND /dev/null`.
    Script,
}

/// What it has for its standard input.
#[derive(Clone, Debug)]
enum Stdin {
    Bytes(Vec<u8>),
    /// So many MiB of [`pattern`].
    Pattern(usize),
}

type Arrange = dyn Fn() -> io::Result<()> + Send + Sync;

/// A command and its surroundings.
#[must_use]
pub struct Case {
    place: Place,
    words: Vec<OsString>,
    flags: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    stdin: Stdin,
    arrange: Arc<Arrange>,
    leads: bool,
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// What `wait` says, raw.
    pub status: i32,
    /// All that came out of stdout.
    pub stdout: Vec<u8>,
    /// All that came out of stderr.
    pub stderr: Vec<u8>,
    /// What `reveal` found.
    pub facts: BTreeMap<String, String>,
}

impl Case {
    /// Any command.
    pub fn command<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Self {
        assert!(rustix::process::geteuid().is_root(), "the live tests need root; run: cargo xtask test");
        Self {
            place: Place::new(),
            words: words.into_iter().map(|word| word.as_ref().to_owned()).collect(),
            flags: Vec::new(),
            environment: Vec::new(),
            stdin: Stdin::Bytes(Vec::new()),
            arrange: Arc::new(|| Ok(())),
            leads: true,
        }
    }

    /// A shell script.
    pub fn sh(script: &str) -> Self {
        Self::command(["sh", "-c", script])
    }

    /// A program that tells what it was given.
    pub fn reveal() -> Self {
        let mut case = Self::command([place::reveal()]);
        case.words.push(case.revealed().into());
        case
    }

    /// Adds words to the command.
    pub fn args<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Adds flags of `tracer run`.
    pub fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(OsString::from));
        self
    }

    /// Adds a variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// What it reads.
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Stdin::Bytes(bytes);
        self
    }

    /// It reads so many MiB of [`pattern`].
    pub fn stdin_mib(mut self, mib: usize) -> Self {
        self.stdin = Stdin::Pattern(mib);
        self
    }

    /// The surroundings, after the streams are in place. Only system calls: it runs between fork and exec.
    pub fn given(mut self, arrange: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.arrange = Arc::new(arrange);
        self
    }

    /// It has no process group of its own yet, so it can begin a session.
    pub fn with_no_group(mut self) -> Self {
        self.leads = false;
        self
    }

    /// Puts a file into the working directory.
    pub fn file(self, name: &str, mode: u32, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        place::open_to_all(&path, mode);
        self
    }

    /// A path in the working directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.cwd().join(name)
    }

    fn revealed(&self) -> PathBuf {
        self.path("revealed.json")
    }

    /// Runs it.
    ///
    /// # Panics
    /// If it takes longer than a minute; it is killed then.
    #[must_use]
    pub fn run(&self, under: Under) -> Seen {
        let mut child = self.prepared(under).spawn().unwrap_or_else(|error| panic!("{under:?}: {error}"));
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let writer = self.writer(&mut child);
        let (stdout, stderr) = (collect(stdout), collect(stderr));
        let in_time = ends_in_time(&child, DEADLINE, &mut Weight::default());
        let status = child.wait().unwrap().into_raw();
        // A command that reads nothing closes the pipe early; that is no failure of the run.
        drop(writer.join().unwrap());
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        assert!(in_time, "{under:?} was killed after {DEADLINE} s: {}", stderr.escape_ascii());
        let facts = self.facts(child.id());
        Seen { status, stdout, stderr, facts }
    }

    /// Runs it bare and under tracer, which must make no difference but that there is a parent in between.
    ///
    /// # Panics
    /// If it does.
    #[track_caller]
    pub fn assert_unnoticed(&self) -> Seen {
        self.assert_unnoticed_but(|_| false)
    }

    /// The same, where some facts are new in every run.
    ///
    /// # Panics
    /// If any other fact differs.
    #[track_caller]
    pub fn assert_unnoticed_but(&self, new: impl Fn(&str) -> bool) -> Seen {
        let (bare, traced) = (self.run(Under::Nothing), self.run(Under::Tracer));
        assert_eq!(bare.status, traced.status, "status; stderr: {}", traced.stderr.escape_ascii());
        assert!(bare.stdout == traced.stdout, "stdout: {}", told(&bare.stdout, &traced.stdout));
        assert!(bare.stderr == traced.stderr, "stderr: {}", told(&bare.stderr, &traced.stderr));
        let mut noticed = differences(&bare, &traced);
        noticed.retain(|name| !new(name));
        let told = noticed.iter().map(|name| (name, bare.facts.get(name), traced.facts.get(name)));
        assert!(noticed.is_empty(), "bare and traced differ in: {:#?}", told.collect::<Vec<_>>());
        bare
    }

    fn prepared(&self, under: Under) -> Command {
        let mut words = self.wrapper(under);
        if under == Under::Script {
            words.extend(["-qec".into(), quoted(&self.words), "/dev/null".into()]);
        } else {
            words.extend(self.words.iter().cloned());
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("TRACER_TEST", "1").env("PATH", PATH);
        command.envs(self.environment.iter().cloned());
        command.current_dir(self.place.cwd());
        if self.leads {
            command.process_group(0);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let arrange = Arc::clone(&self.arrange);
        // SAFETY: the tests' arrangements make system calls only.
        unsafe { command.pre_exec(move || arrange()) };
        command
    }

    fn wrapper(&self, under: Under) -> Vec<OsString> {
        let words: &[&str] = match under {
            Under::Nothing => &[],
            Under::Strace => &["strace", "-f", "-o", "/dev/null"],
            Under::Timeout => &["timeout", "60"],
            Under::Script => &["script"],
            Under::Tracer => {
                let mut words = tracer_words(&self.place);
                words.extend(self.flags.iter().cloned());
                words.push("--".into());
                return words;
            }
        };
        words.iter().map(OsString::from).collect()
    }

    fn writer(&self, child: &mut Child) -> JoinHandle<io::Result<()>> {
        let (mut to, stdin) = (child.stdin.take().unwrap(), self.stdin.clone());
        thread::spawn(move || match stdin {
            Stdin::Bytes(bytes) => to.write_all(&bytes),
            Stdin::Pattern(mib) => (0..mib).try_for_each(|number| to.write_all(&pattern(number))),
        })
    }

    /// What `reveal` wrote, with process ids in words.
    fn facts(&self, started: u32) -> BTreeMap<String, String> {
        let Ok(text) = fs::read(self.revealed()) else { return BTreeMap::new() };
        fs::remove_file(self.revealed()).unwrap();
        let mut facts: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap();
        facts.remove("pid");
        let (started, me) = (started.to_string(), std::process::id().to_string());
        for name in ["parent", "process group", "session", "foreground group"] {
            let value = facts.get_mut(name).unwrap();
            if *value == started {
                *value = "of whom the caller started".to_owned();
            } else if *value == me {
                *value = "the caller".to_owned();
            }
        }
        facts
    }
}

/// `tracer run -q` in a place, up to its command.
pub(crate) fn tracer_words(place: &Place) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec![place::tracer().into(), "run".into(), "-q".into()];
    words.extend(["--log-dir".into(), place.log().into(), "--tmpfs-path".into(), place.runtime().into()]);
    words
}

/// The names of what a command was given in another way, `parent` left out: some parent there is.
#[must_use]
pub fn differences(bare: &Seen, wrapped: &Seen) -> Vec<String> {
    let names = bare.facts.keys().chain(wrapped.facts.keys().filter(|name| !bare.facts.contains_key(*name)));
    let differs = |name: &&String| *name != "parent" && bare.facts.get(*name) != wrapped.facts.get(*name);
    names.filter(differs).cloned().collect()
}

/// A MiB of bytes without an order, each number's its own.
#[must_use]
pub fn pattern(number: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (number as u64) << 20;
    let mut bytes = Vec::with_capacity(1 << 20);
    while bytes.len() < 1 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// One shell word a word.
fn quoted(words: &[OsString]) -> OsString {
    let mut line = OsString::new();
    for word in words {
        line.push("'");
        line.push(word.to_str().unwrap().replace('\'', r"'\''"));
        line.push("' ");
    }
    line
}

fn told(bare: &[u8], traced: &[u8]) -> String {
    let beginning = |bytes: &[u8]| bytes[..bytes.len().min(2000)].escape_ascii().to_string();
    format!("{} bytes bare, {} traced\n{}\n{}", bare.len(), traced.len(), beginning(bare), beginning(traced))
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    })
}
