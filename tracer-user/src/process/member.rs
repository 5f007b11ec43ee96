//! What the tree keeps of one process.

use crate::kernel::event::{Args, Comm, Directory, NamespacePid, Sender, Status, Totals};

use super::identity::Identity;

/// Names that are kept of one process. Some programs show their progress in their name.
const NAMES: usize = 256;

/// One process of the tree, as far as its events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub id: Identity,
    /// Who forked it, whoever adopted it since.
    pub parent: Identity,
    /// Generations below the root.
    pub depth: u16,
    /// Every name it had, in order, without immediate repetitions; of very many the first ones and the last.
    pub comms: Vec<Comm>,
    /// Names that are not among them.
    pub comms_dropped: u64,
    /// What it runs; `None`: still its parent's image.
    pub image: Option<Box<Image>>,
    /// Real user id.
    pub uid: Option<u32>,
    /// cgroup v2 id.
    pub cgroup_id: Option<u64>,
    /// Its place in pid namespaces.
    pub namespace: Option<NamespacePid>,
    /// When it was forked, nanoseconds since boot; `None`: the fork was not seen.
    pub started_ns: Option<u64>,
    /// When it ended, nanoseconds since boot; `None`: it has not, as far as is known.
    pub ended_ns: Option<u64>,
    /// How it ended; `None` also if that was not seen.
    pub end: Option<Box<End>>,
    /// Its end was not seen; `/proc` showed later that it is gone.
    pub end_lost: bool,
    /// When the OOM killer chose it, nanoseconds since boot.
    pub oom_ns: Option<u64>,
    /// The latest signal of each number that was sent to it.
    pub signals: Vec<SignalSeen>,
    /// It outlived the root.
    pub orphaned: bool,
    /// Who adopted it, where it is an orphan.
    pub adopter: Option<Adopter>,
}

/// What a process runs, since its last exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The file as it was named to exec.
    pub filename: bytes::Bytes,
    /// The interpreter, where the file is a script.
    pub interp: Option<bytes::Bytes>,
    /// The arguments.
    pub args: Args,
    /// The working directory.
    pub cwd: Option<Directory>,
}

/// A signal that was sent to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalSeen {
    /// Its number.
    pub signal: u8,
    /// When, nanoseconds since boot.
    pub at_ns: u64,
    /// Who sent it; `None`: the kernel itself.
    pub sender: Option<Sender>,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Its wait status.
    pub status: Status,
    /// What it used; `None`: only its status is known, from `wait`.
    pub totals: Option<Totals>,
}

/// Who adopted an orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopter {
    /// The process.
    pub id: Identity,
    /// Its name.
    pub comm: Vec<u8>,
}

impl Member {
    /// A process of which nothing is known but its place.
    #[must_use]
    pub fn new(id: Identity, parent: Identity, depth: u16) -> Self {
        Self {
            id,
            parent,
            depth,
            comms: Vec::new(),
            comms_dropped: 0,
            image: None,
            uid: None,
            cgroup_id: None,
            namespace: None,
            started_ns: None,
            ended_ns: None,
            end: None,
            end_lost: false,
            oom_ns: None,
            signals: Vec::new(),
            orphaned: false,
            adopter: None,
        }
    }

    /// Takes note of a name.
    pub fn named(&mut self, comm: Comm) {
        if self.comms.last() == Some(&comm) {
            return;
        }
        if self.comms.len() == NAMES {
            self.comms.remove(NAMES - 1);
            self.comms_dropped += 1;
        }
        if self.comms.is_empty() {
            // Most have one name or two.
            self.comms.reserve_exact(2);
        }
        self.comms.push(comm);
    }

    /// Its present name.
    #[must_use]
    pub fn comm(&self) -> &[u8] {
        self.comms.last().map_or(b"", Comm::bytes)
    }

    /// The signal that ended it.
    #[must_use]
    pub fn exit_signal(&self) -> Option<u8> {
        self.end.as_ref()?.status.exit_signal()
    }

    /// Whether its end is certain but was not seen yet: nothing outlives SIGKILL.
    #[must_use]
    pub fn is_dying(&self) -> bool {
        self.end.is_none() && self.signals.iter().any(|seen| seen.signal == 9)
    }

    /// Whether the OOM killer ended it, and not something else before.
    #[must_use]
    pub fn was_oom_killed(&self) -> bool {
        self.oom_ns.is_some() && self.exit_signal() == Some(9)
    }

    /// The signal event that ended it, if one did and it was seen.
    #[must_use]
    pub fn fatal_signal(&self) -> Option<&SignalSeen> {
        let signal = self.exit_signal()?;
        self.signals.iter().find(|seen| seen.signal == signal)
    }

    /// Who sent the signal that ended it; `None` if none did, or the kernel itself.
    #[must_use]
    pub fn killed_by(&self) -> Option<&Sender> {
        self.fatal_signal()?.sender.as_ref()
    }
}
