//! Rounds of sampling: from who lives to a row each.
//!
//! It holds what a row needs of the row before (CPU time and its moment, for as long as the process is sampled), the rule of
//! `captured_at`, and what could not be read. Who is in the tree, who is the target, and what time it is come in from outside.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::io;

use jiff::Timestamp;

use super::captured::StrictlyIncreasing;
use super::identity::{Identity, Ticks};
use super::last_row::LastRow;
use super::proc::reader::{NoRow, Reader};
use super::proc::unread::{Field, Unread};
use super::snapshot::{Snapshot, Values};
use crate::kernel::events::boot_ns;

/// Ended processes that are asked for in each round: a parent that never waits keeps its children, and these show it.
const ENDED: usize = 256;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// On the calendar, as the machine has it.
    pub calendar: Timestamp,
    /// Nanoseconds since boot.
    pub boot_ns: u64,
}

impl Moment {
    /// This one.
    #[must_use]
    pub fn now() -> Self {
        Self { calendar: Timestamp::now(), boot_ns: boot_ns() }
    }
}

/// Takes snapshots.
pub struct Sampler {
    reader: Reader,
    /// Boxed: a table is half empty.
    before: HashMap<Identity, Box<Before>>,
    captured: StrictlyIncreasing,
    unread: Unread,
    /// Those that ended and may not have been waited for.
    ended: VecDeque<Identity>,
    sweep: u64,
    rows: u64,
}

/// A process's last row.
#[derive(Debug)]
struct Before {
    row: LastRow,
    boot_ns: u64,
    sweep: u64,
}

impl Sampler {
    /// On this machine's `/proc`.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn new() -> io::Result<Self> {
        Ok(Self::with(Reader::new()?))
    }

    /// With a reader of its own.
    #[must_use]
    pub fn with(reader: Reader) -> Self {
        Self {
            reader,
            before: HashMap::new(),
            captured: StrictlyIncreasing::default(),
            unread: Unread::default(),
            ended: VecDeque::new(),
            sweep: 0,
            rows: 0,
        }
    }

    /// Takes note that a process has ended. As long as nobody waits for it, it has a row (state `Z`) in each round. Only the
    /// latest few are followed.
    pub fn ended(&mut self, id: Identity) {
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }

    /// One round: a row for each member that is there, and for those that ended and are not waited for, handed to `take` at
    /// once. `now` is asked before each.
    ///
    /// # Errors
    /// The first one of `take`, which ends the round.
    pub fn sample_tree<E>(
        &mut self,
        members: impl IntoIterator<Item = Identity>,
        is_target: impl Fn(Identity) -> bool,
        mut now: impl FnMut() -> Moment,
        mut take: impl FnMut(Snapshot) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sweep += 1;
        let mut found = 0;
        for id in members {
            if let Some(row) = self.row(id, is_target(id), now()) {
                found += 1;
                take(row)?;
            }
        }
        for _ in 0..self.ended.len() {
            let Some(id) = self.ended.pop_front() else { break };
            if let Some(row) = self.row(id, is_target(id), now()) {
                self.ended.push_back(id);
                found += 1;
                take(row)?;
            }
        }
        if self.before.len() > found {
            let sweep = self.sweep;
            self.before.retain(|_, before| before.sweep == sweep);
        }
        Ok(())
    }

    /// One process alone, between the rounds: at resolution, or just before its end is awaited.
    pub fn sample_one(&mut self, id: Identity, is_target: bool, now: Moment) -> Option<Snapshot> {
        self.sweep += 1;
        self.row(id, is_target, now)
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// What could not be read so far.
    #[must_use]
    pub fn unread(&self) -> &Unread {
        &self.unread
    }

    fn row(&mut self, id: Identity, is_target: bool, now: Moment) -> Option<Snapshot> {
        let before = self.before.get(&id).map(|before| &before.row);
        let reading = match self.reader.read_after(before, id, &mut self.unread) {
            Ok(reading) => reading,
            Err(no_row) => {
                self.note(no_row);
                return None;
            }
        };
        self.rows += 1;
        let cpu_percent = self.cpu_percent(id, &reading.values, now.boot_ns);
        Some(Snapshot {
            captured_at: self.captured.next(now.calendar),
            id,
            comm: reading.comm,
            is_target,
            cpu_percent,
            values: reading.values,
            sweep: self.sweep,
        })
    }

    fn note(&mut self, no_row: NoRow) {
        if let Some(reason) = no_row.reason() {
            self.unread.note(Field::Row, reason);
        }
    }

    fn cpu_percent(&mut self, id: Identity, values: &Values, boot_ns: u64) -> Option<f64> {
        let now = Before { row: LastRow::of(values), boot_ns, sweep: self.sweep };
        let before = match self.before.entry(id) {
            Entry::Occupied(mut entry) => std::mem::replace(entry.get_mut().as_mut(), now),
            Entry::Vacant(entry) => {
                entry.insert(Box::new(now));
                return None;
            }
        };
        let ticks = values.cpu()?.0.checked_sub(before.row.cpu?.0)?;
        percent(ticks, boot_ns.checked_sub(before.boot_ns)?)
    }
}

/// Ticks of CPU time within so many nanoseconds, in percent of one processor, to the hundredth.
fn percent(ticks: u64, ns: u64) -> Option<f64> {
    if ns == 0 {
        return None;
    }
    Some((Ticks(ticks).to_boot_ns() as f64 / ns as f64 * 10_000.0).round() / 100.0)
}

#[cfg(test)]
mod tests;
