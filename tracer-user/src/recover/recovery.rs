//! The way of each file: opened, claimed, judged, and what was decided is done.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::begun::Begun;
use super::claim::{Claim, Intent, claim};
use super::gates::{Action, Boot, Decision, Enrolled, Facts, Gate, Process, Rows, Sidecar, decide};
use super::live::Live;
use super::on_disk::Settled;
use super::scan::{self, Found, Ground, Opened, Refused};
use super::size::is_too_large;
use super::turns::Turns;
use super::{MIN_AGE, Report, Request, older, places, rebuild, write};
use crate::process::identity::Identity;
use crate::process::stat::Stat;
use crate::record::dir::Dir;
use crate::record::enrollment::{self, Enrollment};
use crate::record::spool;
use crate::session::text::Text;

/// Sessions that are brought to the disk together; so many locks are held.
const AT_ONCE: usize = 64;

/// What became of a name.
enum Told {
    /// All that was to be done is.
    Done(Box<Report>),
    /// Its session is in its place, and maybe not on the disk yet; or there is to be none. Its files are to go.
    Settled(Box<Settled>),
}

impl Told {
    fn done(report: Report) -> Self {
        Self::Done(Box::new(report))
    }

    fn settled(
        report: Report,
        enrollment: Enrollment,
        begun: Vec<PathBuf>,
        sessions: Option<Dir>,
        lock: Opened,
    ) -> Self {
        Self::Settled(Box::new(Settled {
            report,
            enrollment: enrollment.for_removal(),
            begun,
            sessions,
            lock,
        }))
    }
}

/// A recovery of what is in a runtime directory.
pub(super) struct Recovery<'a> {
    pub(super) request: &'a Request,
    pub(super) ground: &'a Ground,
    pub(super) live: Live<'a>,
    pub(super) begun: Begun,
    pub(super) boot_id: &'a str,
    pub(super) now: SystemTime,
}

impl Recovery<'_> {
    /// When it is a name's turn, beside others.
    pub(super) fn turn(&self, name: &[u8]) -> u64 {
        // What was left of a sidecar goes with its session, if there is one.
        let small = || u64::from(scan::kind(name) == Found::NewSidecar);
        self.ground.size(name).and_then(Turns::of_size).unwrap_or_else(small)
    }

    /// Decides about names and does what was decided.
    pub(super) fn all(&self, names: &[Vec<u8>], stop: &AtomicBool, report: &mut impl FnMut(Report)) {
        let mut settled = Vec::new();
        for name in names {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            match self.name(name) {
                None => {}
                Some(Told::Done(found)) => report(*found),
                Some(Told::Settled(found)) => settled.push(*found),
            }
            if settled.len() == AT_ONCE {
                self.clear_away(&mut settled, report);
            }
        }
        self.clear_away(&mut settled, report);
    }

    /// Decides about a name and does what was decided. `None`: there is nothing to tell, or another name tells it.
    fn name(&self, name: &[u8]) -> Option<Told> {
        let done = match scan::kind(name) {
            Found::Trace(root) => return self.session(root, &spool::name(root)),
            // The trace file tells it, if there is one.
            Found::Sidecar(root) if self.ground.has(&spool::name(root)) => None,
            Found::Sidecar(root) => return self.session(root, &enrollment::name(root)),
            Found::NewSidecar => self.new_sidecar(&Text(name).to_string()),
            Found::Foreign => {
                let decision = Decision::leave(Gate::G7, "it has no name that tracer would give");
                Some(Report::new(Text(name).to_string(), decision))
            }
        };
        done.map(Told::done)
    }

    /// A session, by its trace file, or by its sidecar where it has no other file.
    fn session(&self, root: Identity, file: &str) -> Option<Told> {
        let opened = match self.ground.file(file, u64::MAX) {
            Ok(opened) if is_too_large(&opened.file) => {
                return refusal(file, &Refused::Foreign("it is too large")).map(Told::done);
            }
            Ok(opened) => opened,
            Err(refused) => return refusal(file, &refused).map(Told::done),
        };
        if opened.age(self.now) < self.request.min_age {
            let facts = Facts { young: true, sidecar: Sidecar::Missing };
            return Some(Told::done(Report::new(file, decide(facts))));
        }
        self.request.under_way.with(file, || self.old_session(root, file, opened))
    }

    /// The same, once it is old enough.
    fn old_session(&self, root: Identity, file: &str, opened: Opened) -> Option<Told> {
        let intent = if self.request.dry_run { Intent::Look } else { Intent::Work };
        let claim = claim(self.ground, root, intent);
        // Another recovery may have finished it meanwhile, and then there is nothing to tell.
        if !self.ground.is_still(file, &opened) {
            return None;
        }
        let trace = (file == spool::name(root)).then_some(opened.file);
        let sidecar = match &claim {
            Claim::Missing => Sidecar::Missing,
            Claim::Refused => Sidecar::Refused,
            Claim::Held => Sidecar::Held,
            Claim::Unreadable => Sidecar::Unreadable,
            Claim::Disagrees => Sidecar::Disagrees,
            Claim::Ours(enrollment, _) => Sidecar::Whole(self.enrolled(enrollment, trace.as_ref())),
        };
        let report = Report::new(file, decide(Facts { young: false, sidecar }));
        Some(match claim {
            Claim::Ours(enrollment, lock) => self.act(report, *enrollment, lock, trace),
            _ => Told::done(report),
        })
    }

    /// Does what was decided about a session that nobody else works on.
    fn act(
        &self,
        mut report: Report,
        mut enrollment: Enrollment,
        mut lock: Opened,
        trace: Option<File>,
    ) -> Told {
        report.session_id = Some(enrollment.session_id.clone());
        let begun = places::begun(self.request, &enrollment);
        match report.decision.action {
            Action::Finish if self.request.dry_run => {
                report.error = write::look(self.request, &enrollment, trace).err();
            }
            _ if self.request.dry_run => {}
            Action::Leave => {}
            Action::Remove => {
                self.begun.clear(&begun, &enrollment);
                match places::listed(self.request, &enrollment) {
                    Ok(()) => return Told::settled(report, enrollment, begun, None, lock),
                    Err(error) => report.error = Some(error),
                }
            }
            Action::Finish => match write::write(self, (&mut enrollment, &mut lock), trace) {
                Ok(write::Written { place: None, .. }) => report.error = self.remove(&enrollment).err(),
                Ok(written) => {
                    report.session = written.place;
                    let id = report.session_id.replace(written.id.to_string());
                    report.enrolled_id = id.filter(|id| id != written.id.as_str());
                    report.damaged_lines = written.damaged;
                    report.lost_bytes = written.lost_bytes;
                    return Told::settled(report, enrollment, begun, written.sessions, lock);
                }
                Err(error) => report.error = Some(error),
            },
        }
        Told::done(report)
    }

    fn enrolled(&self, enrollment: &Enrollment, trace: Option<&File>) -> Enrolled {
        let boot = match self.boot_id {
            "" => Boot::Unknown,
            boot if boot == enrollment.boot_id => Boot::This,
            _ => Boot::Other,
        };
        // A file that can't be read is found out when it is rebuilt, and left then.
        let whole = trace.and_then(|trace| older::whole(enrollment, trace.try_clone().ok()?).ok());
        // Where the oldest rows are missing, the first of the others may be anybody's.
        let rows = whole.and_then(|mut whole| match whole.lacks_rows() {
            true => Some(Rows::NotAsked),
            false => rebuild::first_row(enrollment, &mut whole).ok(),
        });
        Enrolled { boot, process: process(enrollment.root()), rows: rows.unwrap_or(Rows::None) }
    }

    /// A sidecar that was never put in its place: its tracer died, or is about to put it there.
    fn new_sidecar(&self, file: &str) -> Option<Report> {
        let opened = match self.ground.file(file, u64::MAX) {
            Ok(opened) => opened,
            Err(refused) => return refusal(file, &refused),
        };
        if opened.age(self.now) < self.request.min_age.max(MIN_AGE) {
            let facts = Facts { young: true, sidecar: Sidecar::Missing };
            return Some(Report::new(file, decide(facts)));
        }
        let reason = "it is a sidecar that was never whole";
        let mut report = Report::new(file, Decision { gate: Gate::G1, action: Action::Remove, reason });
        if !self.request.dry_run {
            report.error = self.ground.remove(file).err().map(|error| error.to_string());
        }
        Some(report)
    }
}

fn refusal(file: &str, refused: &Refused) -> Option<Report> {
    match refused {
        Refused::Missing => None,
        Refused::Foreign(why) => Some(Report::new(file, Decision::leave(Gate::G7, why))),
        Refused::Failed(error) => {
            let decision = Decision::leave(Gate::G7, "it can't be opened");
            Some(Report { error: Some(error.to_string()), ..Report::new(file, decision) })
        }
    }
}

/// What `/proc` says of a process.
fn process(id: Identity) -> Process {
    match std::fs::read(format!("/proc/{}/stat", id.pid)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Process::Gone,
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Process::Gone,
        Err(_) => Process::Unreadable,
        Ok(line) => match Stat::parse(&line) {
            None => Process::Unreadable,
            Some(stat) if stat.identity() != id => Process::Reused,
            Some(stat) if stat.is_over() => Process::Gone,
            Some(_) => Process::Alive,
        },
    }
}
