//! A trace file and its sidecar -> the recording that they were written from, as far as they go.
//!
//! Every line goes through the same fold as when it was recorded. A line that is damaged, most likely the torn tail, is
//! passed over alone, and its number is kept so that the session does not get it either.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use serde::Deserialize;

use super::gates::Rows;
use crate::kernel::event::Status;
use crate::kernel::loss::Loss;
use crate::process::target::unresolved::After;
use crate::process::target::{Resolver, Wanted};

use crate::record::enrollment::Enrollment;
use crate::record::log_place::LogPlace;
use crate::record::spool::Spool;
use crate::record::trace_file::TraceFile;
use crate::session::anomaly::thresholds::Thresholds;
use crate::session::clock::Clock;
use crate::session::lines::{EVENT, SNAPSHOT};
use crate::session::recording::Recording;
use crate::session::text::decode;
use crate::session::{replay, snapshot_row};

/// The most bytes that a line of tracer's has: the largest exec record, each byte escaped.
const LINE_MAX: u64 = 4 << 20;

/// Damaged lines that are put up with. A crash leaves one.
const DAMAGED_MAX: usize = 10_000;

/// What was left of a recording.
pub struct Rebuilt {
    /// The recording, settled with `/proc`.
    pub recording: Recording,
    /// When the last line was written, nanoseconds since boot.
    pub last_ns: u64,
    /// Lines that were passed over.
    pub damaged: usize,
}

/// Why there is nothing to rebuild.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The file can't be read.
    #[error("it can't be read ({0})")]
    Read(#[from] io::Error),
    /// It is not what tracer wrote.
    #[error("more than {DAMAGED_MAX} of its lines are damaged")]
    Damaged,
}

/// Rebuilds the recording of `enrollment`; without a trace file it has no lines. `now` is on both clocks, and
/// `scratch` is where a file for what is too much for memory is made.
pub fn rebuild(
    enrollment: &Enrollment,
    trace: Option<TraceFile>,
    now: (jiff::Timestamp, u64),
    scratch: Option<LogPlace>,
) -> Result<Rebuilt, RebuildError> {
    let (calendar, now_ns) = now;
    let clock = enrollment.booted_at_ns.map_or_else(|| Clock::new(calendar, now_ns), Clock::booted_at);
    let wanted = enrollment.target.as_deref().and_then(|name| Wanted::named(&decode(name)).ok());
    let resolver =
        Resolver::new(wanted.unwrap_or(Wanted::BehindWrappers), Arc::from(enrollment.boot_id.as_str()));
    let thresholds = Thresholds::deserialize(&enrollment.thresholds).unwrap_or_default();
    let recording = Recording::new(clock, resolver, thresholds, enrollment.redact_args, scratch);
    let mut rebuilt = Rebuilt { recording, last_ns: 0, damaged: 0 };
    if let Some(mut file) = trace {
        let damaged = rebuilt.replay(file.rows()?)?;
        rebuilt.damaged = damaged.len();
        rebuilt.recording.lines.events = Spool::left(file, damaged);
    }
    // Without a target the session has lineage only; the verdict is then about the root.
    let _ = rebuilt.recording.give_up(After::RootEnded, rebuilt.last_ns);
    // Ends since the tracer died were seen by nobody.
    let unseen = Loss { gaps: 1, ..Loss::default() };
    rebuilt.recording.settle(now_ns, enrollment.wait_status.map(Status), &unseen);
    rebuilt.recording.conclude(&Loss::default(), now_ns);
    Ok(rebuilt)
}

impl Rebuilt {
    fn replay(&mut self, rows: impl Read) -> Result<BTreeSet<u64>, RebuildError> {
        let (mut from, mut line) = (BufReader::with_capacity(64 << 10, rows), Vec::new());
        let mut damaged = BTreeSet::new();
        for number in 0.. {
            let whole = match next_line(&mut from, &mut line)? {
                Next::End => break,
                Next::Whole => self.take(&line),
                Next::Damaged => false,
            };
            if !whole {
                damaged.insert(number);
            }
            if damaged.len() > DAMAGED_MAX {
                return Err(RebuildError::Damaged);
            }
        }
        Ok(damaged)
    }

    /// Takes a line; says whether it was one.
    fn take(&mut self, line: &[u8]) -> bool {
        if line.starts_with(EVENT) {
            let event = std::str::from_utf8(line).ok().and_then(|line| replay::event_and_cwd(line).ok());
            let Some((event, cwd)) = event else { return false };
            self.last_ns = self.last_ns.max(event.ktime_ns);
            self.recording.replay(event, cwd);
            return true;
        }
        let row = line.starts_with(SNAPSHOT).then(|| snapshot_row::parse(line).ok()).flatten();
        let Some(row) = row else { return false };
        self.last_ns = self.last_ns.max(self.recording.clock.boot_ns_of(row.captured_at));
        self.recording.replay_snapshot(&row);
        true
    }
}

enum Next {
    Whole,
    Damaged,
    End,
}

/// Reads a line, of which no more is held than tracer writes. Only a newline makes it whole.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Next> {
    line.clear();
    if from.by_ref().take(LINE_MAX).read_until(b'\n', line)? == 0 {
        return Ok(Next::End);
    }
    if line.ends_with(b"\n") {
        return Ok(Next::Whole);
    }
    from.skip_until(b'\n')?;
    Ok(Next::Damaged)
}

/// What every row says of its process.
#[derive(Deserialize)]
struct Row {
    pid: u32,
    starttime_ticks: u64,
    comm: String,
    old_comm: Option<String>,
}

/// Whose the first row of a trace file is.
pub fn first_row(enrollment: &Enrollment, trace: &mut TraceFile) -> io::Result<Rows> {
    let Some(enrolled) = &enrollment.comm else { return Ok(Rows::NotAsked) };
    let (mut from, mut line) = (BufReader::with_capacity(64 << 10, trace.rows()?), Vec::new());
    let mut first: Option<String> = None;
    loop {
        match next_line(&mut from, &mut line)? {
            Next::End => break,
            Next::Damaged => continue,
            Next::Whole => {}
        }
        let Ok(row) = serde_json::from_slice::<Row>(&line) else { continue };
        let comm = first.get_or_insert_with(|| row.comm.clone());
        if comm == enrolled {
            return Ok(Rows::Named);
        }
        let same = (row.pid, row.starttime_ticks) == (enrollment.pid, enrollment.starttime_ticks);
        let given = row.comm == *comm || row.old_comm.as_ref() == Some(comm);
        if same && given && line.starts_with(EVENT) {
            return Ok(Rows::Named);
        }
    }
    Ok(if first.is_some() { Rows::Alien } else { Rows::None })
}

#[cfg(test)]
mod tests;
