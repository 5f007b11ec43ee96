//! One process's snapshot: its files in an order that proves whose they are.
//!
//! 1. The directory is opened once, and everything is read through it (see [`super::dir`]).
//! 2. `stat` comes first: identity, name, state and CPU times in one read. Somebody else's start time: no row.
//! 3. `prlimit` takes a bare pid. It stands between `stat` and
//! 4. `status`: as that can still be read, the process was there all along, and its pid was nobody else's.
//! 5. `wchan` and `io` come last, and only if the process ran since the row before. Most of a large tree sleeps, and these
//!    two are a quarter of what a row costs.
//! 6. Where a file was not there in the end, `stat` is asked once more: is it the file or the process that is missing?
//!
//! So a pid that is reused half-way gives no row. What fails otherwise is `None` with a reason.
//!
//! Budget: 1.25 times the bare system calls, which are 22: one open and close of the directory, three for each of six
//! files, one for the limit, one for the descriptors. Six fewer for a process that slept.

use std::io;

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::dir::{Counting, ProcessDir};
use super::limits;
use super::look::Look;
use super::symbols::Symbols;
use super::unread::{Reason, Unread};
use crate::kernel::event::Comm;
use crate::process::identity::Identity;
use crate::process::last_row::LastRow;
use crate::process::snapshot::Values;
use crate::process::stat::StatLine;

/// Enough for `status` of a process with few groups on a machine with few processors; it grows where it is not.
const BUFFER: usize = 8 << 10;

/// The soft limit of descriptors of a pid.
type LimitOf = Box<dyn FnMut(u32) -> Result<u64, Errno> + Send>;

/// Reads snapshots. Holds `/proc` open, and one buffer.
pub struct Reader {
    proc: OwnedFd,
    counting: Counting,
    limit: LimitOf,
    buffer: Vec<u8>,
    symbols: Symbols,
    /// What was missing in the row at hand: it counts only if the row comes to be.
    missing: Unread,
}

/// What was read of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Its name, from the read that showed its identity.
    pub comm: Comm,
    /// The rest.
    pub values: Values,
}

/// Why there is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRow {
    /// The process is gone, or `/proc` is mounted so that it does not show it (`hidepid=invisible`).
    #[error("the process is gone")]
    Gone,
    /// Its pid is another process's now.
    #[error("the pid is that of {0} now")]
    Reused(Identity),
    /// Whose it would be can't be read.
    #[error("can't read /proc/PID/stat: {0}")]
    Unreadable(Errno),
    /// `stat` makes no sense.
    #[error("/proc/PID/stat makes no sense")]
    Malformed,
}

impl NoRow {
    /// The reason as the summary counts it; `None` for a process that is simply not there any more.
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Gone | Self::Reused(_) => None,
            Self::Unreadable(errno) => Some(Reason::Refused(errno)),
            Self::Malformed => Some(Reason::Malformed),
        }
    }
}

impl Reader {
    /// On this machine's `/proc`.
    ///
    /// # Errors
    /// If `/proc` can't be opened.
    pub fn new() -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = openat(CWD, c"/proc", flags, Mode::empty())?;
        let counting = Counting::detect(&proc);
        Ok(Self::on(proc, counting, limits::of_pid))
    }

    /// On a directory that looks like `/proc`, and with another way to ask for limits.
    pub fn on(
        proc: OwnedFd,
        counting: Counting,
        limit: impl FnMut(u32) -> Result<u64, Errno> + Send + 'static,
    ) -> Self {
        Self {
            proc,
            counting,
            limit: Box::new(limit),
            buffer: vec![0; BUFFER],
            symbols: Symbols::default(),
            missing: Unread::default(),
        }
    }

    /// Reads one process. What can't be read of it goes to `unread`, if there is a row at all.
    ///
    /// # Errors
    /// Why there is no row.
    pub fn read(&mut self, id: Identity, unread: &mut Unread) -> Result<Reading, NoRow> {
        self.read_after(None, id, unread)
    }

    /// The same, given the last row of the same process: what can't have changed since is not read again.
    ///
    /// # Errors
    /// Why there is no row.
    pub fn read_after(
        &mut self,
        before: Option<&LastRow>,
        id: Identity,
        unread: &mut Unread,
    ) -> Result<Reading, NoRow> {
        let dir = ProcessDir::open(&self.proc, id.pid).map_err(no_row)?;
        let (comm, mut values) = stat(&dir, &mut self.buffer, id)?;
        self.missing.clear();
        let mut look = Look::new(&dir, &mut self.buffer, &mut self.missing, values.state);
        look.limit((self.limit)(id.pid), &mut values);
        look.descriptors(self.counting, &mut values);
        look.oom(&mut values);
        look.status(&mut values)?;
        let before = look.slept(before, &values);
        look.wchan(before, &mut self.symbols, &mut values);
        look.io(before, &mut values);
        look.is_still_there()?;
        unread.add(&self.missing);
        Ok(Reading { comm, values })
    }
}

/// The first read: who it is, and what the same line says.
fn stat(dir: &ProcessDir, buffer: &mut Vec<u8>, id: Identity) -> Result<(Comm, Values), NoRow> {
    let line = StatLine::parse(dir.file(c"stat", buffer).map_err(no_row)?).ok_or(NoRow::Malformed)?;
    if line.identity() != id {
        return Err(NoRow::Reused(line.identity()));
    }
    if line.threads == 0 {
        return Err(NoRow::Gone);
    }
    let values = Values {
        state: Some(line.state),
        threads: Some(line.threads),
        utime_ticks: Some(line.utime),
        stime_ticks: Some(line.stime),
        ..Values::default()
    };
    Ok((Comm::cut(line.comm), values))
}

/// Why there is no row, where the directory, `stat` or `status` can't be read.
pub(super) fn no_row(errno: Errno) -> NoRow {
    match errno {
        Errno::NOENT | Errno::SRCH => NoRow::Gone,
        other => NoRow::Unreadable(other),
    }
}
