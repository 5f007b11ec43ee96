//! The target and the evidence for it. Made by the resolver alone: nothing outside this folder has a constructor.

use std::sync::Arc;

use crate::kernel::event::{Args, Comm};
use crate::process::identity::{Identity, Ticks};

/// The workload, as opposed to its wrappers. Whoever samples or records one process takes this and not a pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceTarget {
    id: Identity,
    comm: Comm,
    args: Option<Args>,
    boot_id: Arc<str>,
    resolved_ns: u64,
    how: How,
}

impl TraceTarget {
    /// For the resolver alone.
    pub(super) fn new(
        id: Identity,
        comm: Comm,
        args: Option<Args>,
        boot_id: Arc<str>,
        resolved_ns: u64,
        how: How,
    ) -> Self {
        Self { id, comm, args, boot_id, resolved_ns, how }
    }

    /// Who it is, within this boot.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.id
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.id.pid
    }

    /// Its start, as `/proc/PID/stat` field 22 has it.
    #[must_use]
    pub fn starttime_ticks(&self) -> Ticks {
        self.id.start
    }

    /// Its comm when it was found.
    #[must_use]
    pub fn comm(&self) -> &[u8] {
        self.comm.bytes()
    }

    /// Its arguments when it was found, which may be cut; `None`: they could not be read, or its exec was not seen.
    #[must_use]
    pub fn cmdline(&self) -> Option<&Args> {
        self.args.as_ref().filter(|args| !args.unreadable)
    }

    /// This boot.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// When the event that decided it happened, nanoseconds since boot.
    #[must_use]
    pub fn resolved_at(&self) -> u64 {
        self.resolved_ns
    }

    /// Why it is this one.
    #[must_use]
    pub fn how(&self) -> &How {
        &self.how
    }
}

/// Why a process is the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct How {
    /// The rule that took it.
    pub rule: Rule,
    /// The name that the rule went by.
    pub name: Vec<u8>,
    /// When the event happened that the rule looked at, nanoseconds since boot. For [`Rule::OnlyAShell`] that is the
    /// shell's exec, long before it was taken.
    pub at_ns: u64,
    /// The wrappers on the way, from the root inwards. One process that was several, one after another, is there as often.
    pub wrappers: Vec<Wrapper>,
}

/// A rule by which a process becomes the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `--target`: the basename of the file that it executed.
    Filename,
    /// `--target`: the basename of its `argv[0]`, without a login shell's dash.
    Argv0,
    /// `--target`: the basename of the script that it runs.
    Script,
    /// `--target`: its comm.
    Comm,
    /// `--target`: a version manager's shim of that name ran it.
    Shim,
    /// It is the command itself, which is no known wrapper.
    Direct,
    /// It is the first program behind the wrappers.
    SeenThrough,
    /// It is a `sh -c` that ran no program of its own.
    OnlyAShell,
}

impl Rule {
    /// The rule's name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Filename => "filename",
            Self::Argv0 => "argv0",
            Self::Script => "script",
            Self::Comm => "comm",
            Self::Shim => "shim",
            Self::Direct => "direct",
            Self::SeenThrough => "seen_through",
            Self::OnlyAShell => "only_a_shell",
        }
    }
}

/// A wrapper that was seen through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapper {
    /// The process that ran it.
    pub id: Identity,
    /// That process's comm then.
    pub comm: Comm,
    /// The name that it is known as: `timeout`, `sh -c`, `shim python3`.
    pub name: String,
}
