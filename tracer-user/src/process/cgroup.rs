//! Whether the limit of a memory cgroup was behind an OOM kill: the kernel's `mark_victim` does not say, its counters do.
//!
//! A [`Watch`] notes the limit counters of a process's cgroup, and of all above it, and compares them later. A limit was
//! behind the kill if one of them rose meanwhile. The counters are each cgroup's own:
//!
//! - version 2: `oom` in `memory.events.local`: the limit was reached, and reclaiming did not help. (`oom_kill` counts
//!   victims of any kill, and `memory.events` those of every cgroup below.)
//! - version 1: `memory.failcnt` and `memory.memsw.failcnt`: the limit was reached. They count too where reclaiming helped, so
//!   a kill for want of memory in the whole system, of a process that was also often at its limit, is taken for the limit's.
//!
//! Only rises count, so a cgroup that was reached by its limit before the watch began needs to reach it again. A process that
//! moves to another cgroup later, and a cgroup that is gone at the second look, give no answer; never a wrong one.
//!
//! - [`place`]: where the cgroups lie.

pub mod place;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open, openat};

use self::place::{Place, Version};
use super::identity::Identity;
use super::proc::number::decimal;
use super::stat::Stat;

/// More than any of these files has.
const MOST: usize = 4096;

/// A limit that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitHit {
    /// The cgroup, as `/proc/PID/cgroup` names it.
    pub path: Vec<u8>,
    /// Its limit; `None`: it can't be read, or has been lifted.
    pub limit_bytes: Option<u64>,
    /// What counted: the file, and the field in it.
    pub counter: &'static str,
    /// Its value when the watch began.
    pub before: u64,
    /// Its value after the kill.
    pub after: u64,
}

/// The limit counters of one process's memory cgroup, and of those above.
#[derive(Debug)]
pub struct Watch {
    id: Identity,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    path: Vec<u8>,
    /// Held, so that another cgroup of this name is never taken for it.
    dir: OwnedFd,
    counters: Vec<(&'static Counter, u64)>,
}

#[derive(Debug)]
struct Counter {
    name: &'static str,
    file: &'static str,
    /// The field; `None`: the file is the number.
    field: Option<&'static [u8]>,
    limit: &'static str,
}

const V1: &[Counter] = &[
    Counter { name: "memory.failcnt", file: "memory.failcnt", field: None, limit: "memory.limit_in_bytes" },
    Counter {
        name: "memory.memsw.failcnt",
        file: "memory.memsw.failcnt",
        field: None,
        limit: "memory.memsw.limit_in_bytes",
    },
];

const V2: &[Counter] = &[Counter {
    name: "memory.events.local oom",
    file: "memory.events.local",
    field: Some(b"oom"),
    limit: "memory.max",
}];

impl Watch {
    /// Begins now. `None`: the process is gone, or there is no memory cgroup to be seen.
    #[must_use]
    pub fn begin(id: Identity) -> Option<Self> {
        let cgroup = std::fs::read(format!("/proc/{}/cgroup", id.pid)).ok()?;
        // Only now: if the pid is still this process's, it was so when its cgroup was read.
        Stat::read(id.pid).filter(|stat| stat.identity() == id)?;
        let mountinfo = std::fs::read("/proc/self/mountinfo").ok()?;
        Some(Self::on(id, &Place::parse(&cgroup, &mountinfo)?))
    }

    fn on(id: Identity, place: &Place) -> Self {
        let counters = match place.version {
            Version::V1 => V1,
            Version::V2 => V2,
        };
        let levels = place.levels().filter_map(|(path, dir)| Level::begin(path, &dir, counters));
        Self { id, levels: levels.collect() }
    }

    /// Whose cgroup it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.id
    }

    /// The innermost limit that was reached since the watch began.
    #[must_use]
    pub fn limit_hit(&self) -> Option<LimitHit> {
        self.levels.iter().find_map(Level::hit)
    }
}

impl Level {
    fn begin(path: Vec<u8>, dir: &Path, counters: &'static [Counter]) -> Option<Self> {
        let dir = open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let values = counters.iter().filter_map(|counter| Some((counter, counter.value(&dir)?)));
        let counters: Vec<_> = values.collect();
        (!counters.is_empty()).then_some(Self { path, dir, counters })
    }

    fn hit(&self) -> Option<LimitHit> {
        self.counters.iter().find_map(|(counter, before)| {
            let after = counter.value(&self.dir).filter(|after| after > before)?;
            Some(LimitHit {
                path: self.path.clone(),
                limit_bytes: read(&self.dir, counter.limit).ok().and_then(|text| limit(&text)),
                counter: counter.name,
                before: *before,
                after,
            })
        })
    }
}

impl Counter {
    fn value(&self, dir: &OwnedFd) -> Option<u64> {
        value(&read(dir, self.file).ok()?, self.field)
    }
}

/// The number in a text of `FIELD NUMBER` lines, or that the text is.
fn value(text: &[u8], field: Option<&[u8]>) -> Option<u64> {
    let Some(field) = field else { return decimal(text.trim_ascii()) };
    let mut lines = text.split(|byte| *byte == b'\n');
    let number = lines.find_map(|line| line.strip_prefix(field)?.strip_prefix(b" "))?;
    decimal(number.trim_ascii())
}

/// A limit in bytes. Version 2 has `max` for none, and version 1 the most that it can count: `i64::MAX`, less a part of a page.
fn limit(text: &[u8]) -> Option<u64> {
    const LARGEST_PAGE: u64 = 1 << 16;
    decimal(text.trim_ascii()).filter(|bytes| *bytes <= i64::MAX.cast_unsigned() - LARGEST_PAGE)
}

fn read(dir: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    let file = openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = vec![0; MOST];
    let len = rustix::io::read(&file, &mut text)?;
    text.truncate(len);
    Ok(text)
}

#[cfg(test)]
mod tests;
