//! Tracer, killed on the way into each of its system calls in turn (strace(1), `inject`).
//!
//! Which calls there are is seen in a run that nobody kills, so a call that is added tomorrow is among them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::place;

/// Calls that change a file or a directory, or who may: names or beginnings of names.
const CHANGES: [&str; 18] = [
    "mkdir",
    "rmdir",
    "rename",
    "unlink",
    "link",
    "symlink",
    "mknod",
    "open",
    "creat",
    "write",
    "pwrite",
    "truncate",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "flock",
    "sendfile",
];
/// The same with other letters before them.
const OWNERS: [&str; 4] = ["chown", "chmod", "copy_file_range", "utime"];

/// Calls that wait for somebody: how often there is something to wait for differs from run to run, and nothing is changed
/// within. A kill there is one at the next call.
const WAITS: [&str; 5] = ["futex", "epoll_wait", "epoll_pwait", "poll", "wait4"];

/// The system calls of tracer's main thread in a run that nobody kills.
#[derive(Clone, Debug)]
pub struct Calls(Vec<(String, String)>);

/// A place to kill at: a call, and how often it was entered by then (from 1).
pub type At<'a> = (&'a str, u32);

impl Calls {
    /// Those of `tracer` with these words, which must succeed.
    ///
    /// # Panics
    /// If it fails, or strace can't be run.
    #[must_use]
    pub fn of(words: &[OsString]) -> Self {
        let log = tempfile::NamedTempFile::new_in(place::scratch()).unwrap();
        let mut strace = Command::new("strace");
        strace.arg("-o").arg(log.path()).arg(place::tracer()).args(words).env("TRACER_TEST", "1");
        let status = strace.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.expect("strace can be run; on Debian: apt-get install strace").success());
        let text = std::fs::read_to_string(log.path()).unwrap();
        let call = |line: &str| line.split_once('(').map(|(name, rest)| (name.to_owned(), rest.to_owned()));
        // The first is strace's own: it becomes tracer.
        Self(text.lines().skip(1).filter_map(call).collect())
    }

    /// From the first call of that name whose arguments hold `text`.
    #[must_use]
    pub fn from(&self, name: &str, text: &str) -> usize {
        let is_it = |(called, rest): &(String, String)| called == name && rest.contains(text);
        self.0.iter().position(is_it).unwrap_or_else(|| panic!("no {name} of {text} in {self:?}"))
    }

    /// How often each call was made up to that one, and how often in all.
    fn counts(&self, from: usize) -> BTreeMap<&str, (u32, u32)> {
        let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for (at, (name, _)) in self.0.iter().enumerate() {
            let (before, all) = counts.entry(name).or_default();
            *before += u32::from(at < from);
            *all += 1;
        }
        counts.retain(|_, (before, all)| before < all);
        counts
    }

    /// The arguments of each call of that name, from the one numbered `from` on.
    fn arguments(&self, from: usize, name: &str) -> Vec<String> {
        let of_name = self.0[from..].iter().filter(|(called, _)| called == name);
        of_name.map(|(_, arguments)| arguments.clone()).collect()
    }

    /// Kills at every call from the one numbered `from` on, those of the names that `wanted` likes, until it is not reached
    /// any more. How many places there were.
    ///
    /// # Panics
    /// If a name has fewer places than it had calls.
    pub fn kill_at_each(
        &self,
        from: usize,
        wanted: impl Fn(&str) -> bool,
        mut kill_at: impl FnMut(At<'_>) -> Killed,
    ) -> u32 {
        let mut places = 0;
        for (name, (before, all)) in self.counts(from) {
            if name == "execve" || WAITS.contains(&name) || !wanted(name) {
                continue;
            }
            let mut sweep = |first: u32| (first..).map_while(|nth| kill_at((name, nth))).collect::<Vec<_>>();
            // How often memory is asked for, a pipe is read, or a file of /proc is opened, differs with what else the machine does.
            let killed = if is_open(name) {
                let mut missing = Made::of(&self.arguments(from, name));
                let mut killed = Vec::new();
                for _ in 0..ROUNDS {
                    let round = sweep(before.saturating_sub(SLACK) + 1);
                    missing.take_away(&round);
                    killed.extend(round);
                    if missing.0.is_empty() {
                        break;
                    }
                }
                assert!(missing.0.is_empty(), "{name}: never killed where these are made: {missing:?}");
                killed.len()
            } else {
                sweep(before + 1).len()
            };
            let (killed, all) = (u32::try_from(killed).unwrap(), all - before);
            assert!(
                !changes(name) || is_open(name) || killed >= all.saturating_sub(2).max(1),
                "{name}: {killed} places of {all}"
            );
            places += killed;
        }
        places
    }
}

/// By how many files of /proc two runs differ.
const SLACK: u32 = 5;
/// So many times is gone through the calls that open files: in each run another one may be the nth.
const ROUNDS: usize = 12;

/// The files that calls make: their names without their numbers, and how often.
#[derive(Debug)]
struct Made(BTreeMap<String, usize>);

impl Made {
    fn of(calls: &[String]) -> Self {
        let mut made = BTreeMap::new();
        names_made(calls).for_each(|name| *made.entry(name).or_default() += 1);
        Self(made)
    }

    fn take_away(&mut self, calls: &[String]) {
        for name in names_made(calls) {
            if let Some(left) = self.0.get_mut(&name) {
                *left -= 1;
                self.0.retain(|_, left| *left > 0);
            }
        }
    }
}

fn names_made(calls: &[String]) -> impl Iterator<Item = String> {
    let makes = |call: &&String| ["O_CREAT", "O_TMPFILE"].iter().any(|flag| call.contains(flag));
    calls.iter().filter(makes).map(|call| {
        let name = call.split('"').nth(1).unwrap_or_default().rsplit('/').next().unwrap_or_default();
        name.chars().filter(|letter| !letter.is_ascii_digit()).collect()
    })
}

/// Whether a call opens files.
fn is_open(name: &str) -> bool {
    name.starts_with("open")
}

/// Whether a call may change a file or a directory.
#[must_use]
pub fn changes(name: &str) -> bool {
    CHANGES.iter().any(|call| name.starts_with(call)) || OWNERS.iter().any(|call| name.contains(call))
}

/// The call within which a tracer was killed; `None`: it did not come that far.
pub type Killed = Option<String>;

/// Runs `tracer` with these words, killed there.
///
/// # Panics
/// If it ended in another way.
#[must_use]
pub fn killed_at(words: &[OsString], at: At<'_>) -> Killed {
    let log = tempfile::NamedTempFile::new_in(place::scratch()).unwrap();
    let path = log.path().to_str().unwrap();
    let is_killed = is_killed(words, at, "", &["-o", path]);
    let text = std::fs::read_to_string(path).unwrap();
    let last = text.lines().rfind(|line| line.starts_with(at.0)).unwrap_or_default();
    is_killed.then(|| last.to_owned())
}

/// Calls of a thread that change something, and how often it made each; without those that any program makes (`open`, `write`).
///
/// # Panics
/// If no thread has that name, or tracer fails.
#[must_use]
pub fn changes_of_thread(words: &[OsString], thread: &str) -> BTreeMap<String, u32> {
    let log = tempfile::NamedTempFile::new_in(place::scratch()).unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(log.path()).arg(place::tracer()).args(words).env("TRACER_TEST", "1");
    let status = strace.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
    let text = std::fs::read_to_string(log.path()).unwrap();
    let named = text.lines().find(|line| line.contains("PR_SET_NAME") && line.contains(thread)).unwrap();
    let tid = named.split_once(' ').unwrap().0;
    let calls = text.lines().filter_map(|line| line.strip_prefix(tid)?.trim_start().split_once('('));
    let mut counts = BTreeMap::new();
    for (name, _) in calls.filter(|(name, _)| changes(name) && !is_open(name) && *name != "write") {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// Whether `tracer` with these words was killed at the `nth` of these calls of any of its threads.
///
/// # Panics
/// If it ended in another way.
#[must_use]
pub fn killed_in_a_thread_at(words: &[OsString], at: At<'_>) -> bool {
    is_killed(words, at, "", &["-f", "-o", "/dev/null"])
}

/// What a tracer wrote into its trace file before it was killed, as the kernel saw it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spooled {
    /// It was killed.
    pub is_killed: bool,
    /// Lines that were written.
    pub rows: usize,
    /// Their bytes.
    pub bytes: u64,
    /// It was killed within a write of one more: that may be there or not.
    pub one_more: bool,
}

/// The same, with the calls of each thread counted by itself, and what was spooled.
///
/// # Panics
/// If it ended in another way.
#[must_use]
pub fn spooling_is_killed_at(words: &[OsString], at: At<'_>) -> Spooled {
    let logs = tempfile::tempdir_in(place::scratch()).unwrap();
    let to = logs.path().join("calls").into_os_string().into_string().unwrap();
    // A file a thread, so that no call is torn in two.
    let is_killed = is_killed(words, at, ",write", &["-ff", "-y", "-s", "0", "-o", &to]);
    let mut spooled = Spooled { is_killed, ..Spooled::default() };
    for log in std::fs::read_dir(logs.path()).unwrap() {
        let text = std::fs::read_to_string(log.unwrap().path()).unwrap();
        let is_row = |line: &&str| line.starts_with("write(") && line.contains("/tracer_trace_");
        for line in text.lines().filter(is_row) {
            match line.rsplit_once("= ").and_then(|(_, written)| written.parse::<u64>().ok()) {
                Some(written) => {
                    spooled.rows += 1;
                    spooled.bytes += written;
                }
                None => spooled.one_more = true,
            }
        }
    }
    spooled
}

fn is_killed(words: &[OsString], (call, nth): At<'_>, also: &str, flags: &[&str]) -> bool {
    let mut strace = Command::new("strace");
    strace.arg("-e").arg(format!("trace={call}{also}"));
    strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={nth}")).args(flags);
    strace.env("TRACER_TEST", "1").stdout(Stdio::null()).stderr(Stdio::null());
    // strace ends in the way of the program that it ran.
    let status = strace.arg(place::tracer()).args(words).status().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}
