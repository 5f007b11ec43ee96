//! The files of one process after `stat`, each into its fields of the row.
//!
//! A file that is not there is either missing in this kernel or gone with its process. What is read after it tells which.

use std::ffi::CStr;

use rustix::io::Errno;

use super::dir::{Counting, ProcessDir};
use super::io::Io;
use super::limits;
use super::number::{lone, lone_signed};
use super::reader::{NoRow, no_row};
use super::status::Status;
use super::symbols::Symbols;
use super::unread::{Field, Reason, Unread};
use crate::process::last_row::LastRow;
use crate::process::snapshot::Values;

/// A process being read.
pub(super) struct Look<'r> {
    dir: &'r ProcessDir,
    buffer: &'r mut Vec<u8>,
    missing: &'r mut Unread,
    /// Its main thread has ended: it has no memory and no descriptors of its own any more, and the kernel says 0 or
    /// nothing about them.
    zombie: bool,
    /// The last file that was asked for was not there.
    doubt: bool,
    /// It runs, as `status` has it: `stat` is a little older.
    runs: bool,
}

impl<'r> Look<'r> {
    pub(super) fn new(
        dir: &'r ProcessDir,
        buffer: &'r mut Vec<u8>,
        missing: &'r mut Unread,
        state: Option<u8>,
    ) -> Self {
        Self { dir, buffer, missing, zombie: is_zombie(state), doubt: false, runs: true }
    }

    pub(super) fn limit(&mut self, asked: Result<u64, Errno>, values: &mut Values) {
        values.fd_soft_limit = match asked {
            Ok(limit) => Some(limit),
            Err(_) => self.one(Field::FdSoftLimit, c"limits", limits::parse),
        };
    }

    pub(super) fn descriptors(&mut self, counting: Counting, values: &mut Values) {
        let count =
            if self.zombie { Err(Reason::Ended) } else { self.dir.descriptors(counting).map_err(refused) };
        values.fd_count = self.missing.value(Field::FdCount, count);
    }

    pub(super) fn oom(&mut self, values: &mut Values) {
        values.oom_score = if self.zombie {
            self.missing.value(Field::OomScore, Err(Reason::Ended))
        } else {
            self.one(Field::OomScore, c"oom_score", lone)
        };
        values.oom_score_adj = self.one(Field::OomScoreAdj, c"oom_score_adj", lone_signed);
    }

    pub(super) fn wchan(&mut self, before: Option<&LastRow>, symbols: &mut Symbols, values: &mut Values) {
        values.wchan = match before.and_then(|before| before.wchan.clone()) {
            Some(same) => Some(same),
            None => self.one(Field::Wchan, c"wchan", |name| Some(symbols.named(name))).flatten(),
        };
    }

    pub(super) fn io(&mut self, before: Option<&LastRow>, values: &mut Values) {
        if let Some((read, written)) = before.and_then(|before| before.io) {
            (values.read_bytes, values.write_bytes) = (Some(read), Some(written));
            return;
        }
        let found = self.file(c"io").map(Io::parse);
        let read = found.and_then(|io| io.read_bytes.ok_or(Reason::NotGiven));
        let written = found.and_then(|io| io.write_bytes.ok_or(Reason::NotGiven));
        values.read_bytes = self.missing.value(Field::ReadBytes, read);
        values.write_bytes = self.missing.value(Field::WriteBytes, written);
    }

    /// If it can be read, the process was there all the time.
    pub(super) fn status(&mut self, values: &mut Values) -> Result<(), NoRow> {
        self.doubt = false;
        let status = Status::parse(self.dir.file(c"status", self.buffer).map_err(no_row)?);
        self.runs = matches!(status.state, Some(b'R') | None);
        let missing = if self.zombie || is_zombie(status.state) { Reason::Ended } else { Reason::NotGiven };
        let mut take = |field, value: Option<u64>| self.missing.value(field, value.ok_or(missing));
        values.vm_rss_kb = take(Field::VmRssKb, status.vm_rss_kb);
        values.vm_hwm_kb = take(Field::VmHwmKb, status.vm_hwm_kb);
        values.vm_swap_kb = take(Field::VmSwapKb, status.vm_swap_kb);
        values.sig_pnd = take(Field::SigPnd, status.pending());
        values.sig_blk = take(Field::SigBlk, status.blocked);
        values.sig_cgt = take(Field::SigCgt, status.caught);
        values.ctx_switches_voluntary = take(Field::CtxSwitchesVoluntary, status.voluntary);
        values.ctx_switches_involuntary = take(Field::CtxSwitchesInvoluntary, status.involuntary);
        Ok(())
    }

    /// `before`, if the process surely did not run since.
    pub(super) fn slept<'b>(&self, before: Option<&'b LastRow>, values: &Values) -> Option<&'b LastRow> {
        before.filter(|before| !self.runs && before.slept_until(values))
    }

    /// The end: whether the process is still there, if the last files leave that open.
    pub(super) fn is_still_there(&mut self) -> Result<(), NoRow> {
        if self.doubt { self.dir.file(c"stat", self.buffer).map(drop).map_err(no_row) } else { Ok(()) }
    }

    fn one<T>(&mut self, field: Field, name: &CStr, parse: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let value = self.file(name).and_then(|file| parse(file).ok_or(Reason::Malformed));
        self.missing.value(field, value)
    }

    fn file(&mut self, name: &CStr) -> Result<&[u8], Reason> {
        self.dir.file(name, self.buffer).map_err(|errno| {
            self.doubt |= matches!(errno, Errno::NOENT | Errno::SRCH);
            refused(errno)
        })
    }
}

fn is_zombie(state: Option<u8>) -> bool {
    matches!(state, Some(b'Z' | b'X'))
}

/// A file that is not there is one that this kernel does not have, once it is clear that the process is there.
fn refused(errno: Errno) -> Reason {
    if errno == Errno::NOENT { Reason::NotGiven } else { Reason::Refused(errno) }
}
