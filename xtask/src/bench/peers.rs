//! Other tracers, to be measured beside tracer in the same run where they are installed.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::child;

/// Another tracer.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: &'static str,
    install: &'static str,
    wrap: fn(&[OsString]) -> Vec<OsString>,
}

/// Those that can follow a command's children.
pub(crate) const PEERS: [Peer; 4] = [
    Peer {
        name: "strace -f",
        program: "strace",
        install: "apt-get install strace",
        wrap: |words| prefixed(&["-f", "-o", "/dev/null"], words),
    },
    Peer {
        name: "perf trace",
        program: "perf",
        install: "apt-get install linux-perf",
        wrap: |words| prefixed(&["trace", "-o", "/dev/null", "--"], words),
    },
    Peer {
        name: "bpftrace",
        program: "bpftrace",
        install: "apt-get install bpftrace",
        wrap: |words| {
            let line = words.join(" ".as_ref());
            prefixed(&["-q", "-o", "/dev/null", "-e", EXECSNOOP, "-c"], &[line])
        },
    },
    Peer {
        name: "tracexec",
        program: "tracexec",
        install: "cargo install tracexec",
        wrap: |words| prefixed(&["log", "--output", "/dev/null", "--"], words),
    },
];

/// Forks, execs and exits, one line each: as much as tracer itself sees.
const EXECSNOOP: &str = "tracepoint:sched:sched_process_fork { printf(\"%d %d\\n\", args.parent_pid, args.child_pid) } \
     tracepoint:sched:sched_process_exec { printf(\"%d %s\\n\", pid, str(args.filename)) } \
     tracepoint:sched:sched_process_exit { printf(\"%d %s\\n\", pid, comm) }";

impl Peer {
    /// Where it is.
    pub(crate) fn find(&self) -> Option<PathBuf> {
        child::find(self.program)
    }

    /// These words under it, `program` being what [`Self::find`] gave.
    pub(crate) fn around(&self, program: PathBuf, words: &[OsString]) -> Vec<OsString> {
        let mut whole = vec![program.into_os_string()];
        whole.extend((self.wrap)(words));
        whole
    }

    /// What to say where it is missing.
    pub(crate) fn missing(&self) -> String {
        format!("not installed ({})", self.install)
    }
}

fn prefixed(prefix: &[&str], words: &[OsString]) -> Vec<OsString> {
    prefix.iter().map(OsString::from).chain(words.iter().cloned()).collect()
}
