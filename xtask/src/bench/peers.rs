//! Other tracers, to be measured beside tracer in the same run where they are installed.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use super::ground::command;
use crate::child;

/// Another tracer.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: &'static str,
    install: &'static str,
    pub(crate) how: How,
}

/// How it watches a command.
pub(crate) enum How {
    /// It starts it: from where it is and the command's words, the whole.
    Around(fn(OsString, &[OsString]) -> Vec<OsString>),
    /// It watches the whole host meanwhile, and writes a line as soon as it does.
    Beside(&'static [&'static str]),
}

/// All that know what a command's children do.
const PEERS: [Peer; 7] = [
    Peer {
        name: "strace -f",
        program: "strace",
        install: "apt-get install strace",
        how: How::Around(|program, words| prefixed(program, &["-f", "-o", "/dev/null"], words)),
    },
    Peer {
        name: "perf trace",
        program: "perf",
        install: "apt-get install linux-perf",
        how: How::Around(|program, words| {
            with_tracefs(&prefixed(program, &["trace", "-o", "/dev/null", "--"], words))
        }),
    },
    Peer {
        name: "perf record",
        program: "perf",
        install: "apt-get install linux-perf",
        how: How::Around(|program, words| {
            prefixed(program, &["record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "--"], words)
        }),
    },
    Peer {
        name: "bpftrace",
        program: "bpftrace",
        install: "apt-get install bpftrace",
        how: How::Around(|program, words| {
            let line = [words.join(" ".as_ref())];
            with_tracefs(&prefixed(program, &["-q", "-o", "/dev/null", "-e", EXECSNOOP, "-c"], &line))
        }),
    },
    Peer {
        name: "tracexec",
        program: "tracexec",
        install: "apt-get install clang libelf-dev libseccomp-dev zlib1g-dev; cargo install --locked tracexec",
        how: How::Around(|program, words| prefixed(program, &["log", "--output", "/dev/null", "--"], words)),
    },
    Peer {
        name: "psrecord (polls each 50 ms)",
        program: "psrecord",
        install: "pip install psrecord",
        how: How::Around(|program, words| {
            // It talks on stdout, where a worker answers: so the command gets that as its stderr.
            let mut line = words.join(" ".as_ref());
            line.push(" 1>&2");
            prefixed("sh".into(), &["-c", PSRECORD], &[program, line])
        }),
    },
    Peer {
        name: "forkstat (of the whole host)",
        program: "forkstat",
        install: "apt-get install forkstat",
        how: How::Beside(&["-l", "-e", "fork,exec,exit,comm"]),
    },
];

/// Forks, execs and exits, one line each: as much as tracer itself sees.
const EXECSNOOP: &str = "tracepoint:sched:sched_process_fork { printf(\"%d %d\\n\", args->parent_pid, args->child_pid) } \
     tracepoint:sched:sched_process_exec { printf(\"%d %s\\n\", pid, str(args->filename)) } \
     tracepoint:sched:sched_process_exit { printf(\"%d %s\\n\", pid, comm) }";

const PSRECORD: &str =
    "exec \"$0\" --include-children --interval 0.05 --log /dev/null \"$1\" 2>&1 >/dev/null";

/// All of them.
pub(crate) fn all() -> Vec<&'static Peer> {
    PEERS.iter().collect()
}

/// Those that start the command themselves.
pub(crate) fn that_start_it() -> Vec<&'static Peer> {
    PEERS.iter().filter(|peer| matches!(peer.how, How::Around(_))).collect()
}

impl Peer {
    /// Where it is.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        child::find(self.program)
    }

    /// What to say where it is missing.
    pub(crate) fn missing(&self) -> String {
        format!("not installed ({})", self.install)
    }
}

fn prefixed(program: OsString, prefix: &[&str], words: &[OsString]) -> Vec<OsString> {
    let prefix = prefix.iter().map(OsString::from);
    std::iter::once(program).chain(prefix).chain(words.iter().cloned()).collect()
}

/// For who needs tracefs, where it is not mounted: in a mount namespace of its own.
fn with_tracefs(words: &[OsString]) -> Vec<OsString> {
    const MOUNTED: &str = "test -e /sys/kernel/tracing/events || mount -t tracefs tracefs /sys/kernel/tracing; exec \"$0\" \"$@\"";
    prefixed("unshare".into(), &["--mount", "--", "sh", "-c", MOUNTED], words)
}

/// A peer at work beside what it watches; ended when dropped.
pub(crate) struct Beside(Child);

impl Beside {
    /// Starts it, and waits until it says something. What it says after that is read and forgotten.
    pub(crate) fn start(words: &[OsString]) -> Result<Self> {
        let mut watcher = command(words);
        let line = child::line(&watcher);
        watcher.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = watcher.spawn().with_context(|| format!("cannot start `{line}`"))?;
        let stdout = running.stdout.take();
        let beside = Self(running);
        let mut said = BufReader::new(stdout.with_context(|| format!("`{line}` has no stdout"))?);
        if said.read_line(&mut String::new()).with_context(|| format!("cannot read what `{line}` says"))? == 0
        {
            bail!("`{line}` ended and said nothing");
        }
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(beside)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn who_watches_is_gone_when_it_is_not_needed_any_more() {
        let watcher = Beside::start(&words(&["sh", "-c", "echo ready; exec sleep 600"])).unwrap();
        let own = format!("/proc/{}/stat", watcher.0.id());
        assert!(std::fs::exists(&own).unwrap());
        drop(watcher);
        assert!(!std::fs::exists(&own).unwrap());
    }

    #[test]
    fn who_says_nothing_watches_nothing() {
        assert!(Beside::start(&words(&["true"])).is_err());
    }

    #[test]
    fn each_peer_keeps_the_commands_words() {
        for peer in PEERS {
            if let How::Around(wrap) = peer.how {
                let whole = wrap("peer".into(), &words(&["worker", "fork", "3"])).join(" ".as_ref());
                assert!(whole.to_string_lossy().contains("worker fork 3"), "{}: {whole:?}", peer.name);
            }
        }
    }
}
