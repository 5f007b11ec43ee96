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

    /// Kills at every call from the one numbered `from` on, those of the names that `wanted` likes, until it is not reached
    /// any more. How many places there were.
    ///
    /// # Panics
    /// If a name has fewer places than it had calls.
    pub fn kill_at_each(
        &self,
        from: usize,
        wanted: impl Fn(&str) -> bool,
        mut is_killed_at: impl FnMut(At<'_>) -> bool,
    ) -> u32 {
        let mut places = 0;
        for (name, (before, all)) in self.counts(from) {
            if name == "execve" || !wanted(name) {
                continue;
            }
            let killed = (before + 1..).take_while(|nth| is_killed_at((name, *nth))).count();
            let killed = u32::try_from(killed).unwrap();
            // How often memory is asked for, a pipe is read, or a file of /proc is opened, differs with what else the machine does.
            assert!(
                !changes(name) || name == "openat" || killed + 2 >= all - before,
                "{name}: {killed} places of {}",
                all - before
            );
            places += killed;
        }
        places
    }
}

/// Whether a call may change a file or a directory.
#[must_use]
pub fn changes(name: &str) -> bool {
    CHANGES.iter().any(|call| name.starts_with(call)) || OWNERS.iter().any(|call| name.contains(call))
}

/// Runs `tracer` with these words, killed there. Whether it came that far.
///
/// # Panics
/// If it ended in another way.
#[must_use]
pub fn is_killed_at(words: &[OsString], at: At<'_>) -> bool {
    is_killed(words, at, &[])
}

/// The same, with the calls of each thread counted by itself.
///
/// # Panics
/// If it ended in another way.
#[must_use]
pub fn thread_is_killed_at(words: &[OsString], at: At<'_>) -> bool {
    is_killed(words, at, &["-f"])
}

fn is_killed(words: &[OsString], (call, nth): At<'_>, flags: &[&str]) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
    strace.arg("-e").arg(format!("inject={call}:signal=KILL:when={nth}")).args(flags);
    strace.env("TRACER_TEST", "1").stdout(Stdio::null()).stderr(Stdio::null());
    // strace ends in the way of the program that it ran.
    let status = strace.arg(place::tracer()).args(words).status().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}
