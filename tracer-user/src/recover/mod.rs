//! What tracers that were killed left behind: found, judged, and made into sessions.
//!
//! ```text
//!  runtime dir ─▶ scan ─▶ claim ─▶ facts ─▶ gates ─▶ leave
//!  hostile        plain   the       /proc,   pure  ─▶ remove both files
//!  ground         files   lock      rows           ─▶ rebuild ─▶ finish ─▶ remove both files
//! ```
//!
//! - [`gates`]: the decision. [`scan`]: the ground. `turns`: the order. [`mod@claim`]: the lock. `sidecar`: what it is about.
//! - `live`: ids of runs that are on. `places`: where a session goes, and where it may be already. `older`: rows that were
//!   moved to the log directory. [`rebuild`]: the recording back from its lines. `write`: the session from that. [`report`]: what
//!   is told of each file. [`under_way`]: what is told before that.
//! - Last, sessions that are in their place without a line in the index get it, whoever left them so.
//!
//! Whatever kills a recovery, at whatever point, the next one goes on where it stopped: the session is put in its place in
//! one step, and the files go only after that, the sidecar last.

pub mod claim;
pub mod gates;
mod live;
mod older;
mod places;
pub mod rebuild;
pub mod report;
pub mod scan;
mod sidecar;
mod turns;
pub mod under_way;
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::process::identity::Identity;
use crate::process::stat::Stat;
use crate::record::dir::Dir;
use crate::record::enrollment::{self, Enrollment};
use crate::record::log_place::{Dirs, LogPlace};
use crate::record::runtime::RuntimeDirError;
use crate::record::spool;
use crate::session::finish;
use crate::session::id::SessionId;
use crate::session::text::Text;
use crate::session::unlisted::{list, unlisted};
use claim::{Claim, Intent, claim};
use gates::{Action, Boot, Decision, Enrolled, Facts, Gate, Process, Rows, Sidecar, decide};
use live::Live;
pub use report::Report;
use scan::{Found, Ground, Opened, Refused};
use turns::Turns;
use under_way::UnderWay;

/// Younger files may be live.
pub const MIN_AGE: Duration = Duration::from_secs(30);

/// Sessions that are brought to the disk together; so many locks are held.
const AT_ONCE: usize = 64;

/// The most bytes of a trace file that are read wherever they come from, without those that were moved.
const TRACE_LIMIT: u64 = 4 << 30;

/// What is to be recovered, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where the runtime directory lies.
    pub tmpfs_path: PathBuf,
    /// Where sessions go; `None`: where their tracers wanted them.
    pub log_dir: Option<PathBuf>,
    /// Where sessions go whose tracers did not say.
    pub default_log_dir: Option<PathBuf>,
    /// Younger files are left alone.
    pub min_age: Duration,
    /// Decide only.
    pub dry_run: bool,
    /// What the run has beside which this is done.
    pub reserved: Option<Reserved>,
    /// Says what it is at.
    pub under_way: UnderWay,
}

/// The id of a run that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The id.
    pub id: SessionId,
    /// Where its session will be.
    pub log_dir: PathBuf,
}

/// Why nothing was recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The runtime directory is not to be touched.
    #[error(transparent)]
    RuntimeDir(#[from] RuntimeDirError),
    /// It can't be read.
    #[error("the runtime directory {path} can't be read ({why})")]
    Read {
        /// The directory.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

/// Goes through the runtime directory, and hands on what became of each file. Stops early, between two files, once `stop` is set.
pub fn recover(
    request: &Request,
    stop: &AtomicBool,
    mut report: impl FnMut(Report),
) -> Result<(), RecoverError> {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let (boot_id, now) = (boot_id.trim(), SystemTime::now());
    sweep(request, boot_id, now, &mut report);
    let ground = Ground::open(&request.tmpfs_path)?;
    // A dry run adds no line, so what it tells of by a sidecar would be among them afterwards too.
    let mut lacking = if request.dry_run { without_line(request, now) } else { Vec::new() };
    let mut tell = |told: Report| {
        lacking.retain(|(_, id)| told.session_id.as_deref() != Some(id.as_str()));
        report(told);
    };
    let walked = ground.map_or(Ok(()), |ground| {
        let live = Live::new(&ground, request.reserved.as_ref());
        walk(&Recovery { request, ground: &ground, live, boot_id, now }, stop, &mut tell)
    });
    if !stop.load(Ordering::Relaxed) {
        // Those of which a sidecar tells have their lines by now.
        let lacking = if request.dry_run { lacking } else { without_line(request, now) };
        list_unlisted(request, &lacking, &mut report);
    }
    walked
}

fn walk(
    recovery: &Recovery<'_>,
    stop: &AtomicBool,
    report: &mut impl FnMut(Report),
) -> Result<(), RecoverError> {
    let ground = recovery.ground;
    let mut turns = Turns::new();
    let walked = ground.names(|name| {
        let now = turns.take(recovery.turn(name), name.to_owned());
        if !now.is_empty() {
            recovery.all(&now, stop, report);
        }
    });
    recovery.all(&turns.rest(), stop, report);
    walked.map_err(|why| RecoverError::Read { path: ground.path().to_owned(), why })
}

/// What is left in log directories by tracers of which no file tells any more.
fn sweep(request: &Request, boot_id: &str, now: SystemTime, report: &mut impl FnMut(Report)) {
    let dirs = [&request.log_dir, &request.default_log_dir].into_iter().flatten();
    for dir in dirs.filter(|_| !boot_id.is_empty()) {
        older::left_behind(dir, boot_id, now, |entry, reason| {
            let decision = Decision { gate: Gate::G2, action: Action::Remove, reason };
            let path = entry.path();
            let mut told = Report::new(Text(path.as_os_str().as_bytes()).to_string(), decision);
            if !request.dry_run {
                told.error = entry.remove_tree().err().map(|error| error.to_string());
            }
            report(told);
        });
    }
}

/// Sessions that are in their place, without a line in the index.
fn without_line(request: &Request, now: SystemTime) -> Vec<(Dirs, SessionId)> {
    let dirs = [&request.log_dir, &request.default_log_dir].into_iter().flatten();
    let (mut seen, mut lacking): (Vec<PathBuf>, Vec<_>) = (Vec::new(), Vec::new());
    for dirs in dirs.filter_map(|dir| LogPlace::existing(dir).and_then(|place| place.dirs()).ok()) {
        let sessions = dirs.sessions.path().to_owned();
        if seen.contains(&sessions) {
            continue;
        }
        seen.push(sessions);
        let unlisted = unlisted(&dirs, now, request.min_age).unwrap_or_else(|error| {
            // Whoever has a session to write there says so.
            log::info!("{} can't be read ({error})", dirs.log.path().display());
            Vec::new()
        });
        lacking.extend(unlisted.into_iter().map(|id| (dirs.clone(), id)));
    }
    lacking
}

/// They get it.
fn list_unlisted(request: &Request, lacking: &[(Dirs, SessionId)], report: &mut impl FnMut(Report)) {
    for (dirs, id) in lacking {
        let reason = "it had no line in the index";
        let place = dirs.sessions.entry(id.as_str()).path().to_owned();
        let decision = Decision { gate: Gate::G5, action: Action::Finish, reason };
        let mut told = Report::new(Text(place.as_os_str().as_bytes()).to_string(), decision);
        told.session_id = Some(id.to_string());
        if !request.dry_run {
            let error = list(dirs, id).err();
            told.error = error.map(|error| format!("it has no line in the index ({error})"));
            told.session = told.error.is_none().then_some(place);
        }
        report(told);
    }
}

/// What became of a name.
enum Told {
    /// All that was to be done is.
    Done(Box<Report>),
    /// Its session is in its place, and maybe not on the disk yet.
    Written(Box<Written>),
}

impl Told {
    fn done(report: Report) -> Self {
        Self::Done(Box::new(report))
    }
}

/// A session in its place, and what it was made of.
struct Written {
    report: Report,
    enrollment: Enrollment,
    /// Where it was put, held open since before that.
    sessions: Option<Dir>,
    /// Nobody else works on it meanwhile.
    _lock: Opened,
}

struct Recovery<'a> {
    request: &'a Request,
    ground: &'a Ground,
    live: Live<'a>,
    boot_id: &'a str,
    now: SystemTime,
}

impl Recovery<'_> {
    /// When it is a name's turn, beside others.
    fn turn(&self, name: &[u8]) -> u64 {
        // What was left of a sidecar goes with its session, if there is one.
        let small = || u64::from(scan::kind(name) == Found::NewSidecar);
        self.ground.size(name).and_then(Turns::of_size).unwrap_or_else(small)
    }

    /// Decides about names and does what was decided.
    fn all(&self, names: &[Vec<u8>], stop: &AtomicBool, report: &mut impl FnMut(Report)) {
        let mut written = Vec::new();
        for name in names {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            match self.name(name) {
                None => {}
                Some(Told::Done(found)) => report(*found),
                Some(Told::Written(found)) => written.push(*found),
            }
            if written.len() == AT_ONCE {
                self.clear_away(&mut written, report);
            }
        }
        self.clear_away(&mut written, report);
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
        match report.decision.action {
            Action::Finish if self.request.dry_run => {
                report.error = write::look(self.request, &enrollment, trace).err();
            }
            _ if self.request.dry_run => {}
            Action::Leave => {}
            Action::Remove => {
                places::clear_begun(self.request, &enrollment);
                let listed = places::listed(self.request, &enrollment);
                report.error = listed.and_then(|()| self.remove(&enrollment)).err();
            }
            Action::Finish => match write::write(self, (&mut enrollment, &mut lock), trace) {
                Ok(write::Written { place: None, .. }) => report.error = self.remove(&enrollment).err(),
                Ok(written) => {
                    report.session = written.place;
                    let id = report.session_id.replace(written.id.to_string());
                    report.enrolled_id = id.filter(|id| id != written.id.as_str());
                    report.damaged_lines = written.damaged;
                    report.lost_bytes = written.lost_bytes;
                    return Told::Written(Box::new(Written {
                        report,
                        enrollment: enrollment.for_removal(),
                        sessions: written.sessions,
                        _lock: lock,
                    }));
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

    /// Brings sessions to the disk, and only then removes what they were made of.
    fn clear_away(&self, written: &mut Vec<Written>, report: &mut impl FnMut(Report)) {
        let in_dir = |report: &Report| {
            report.session.as_deref().and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
        };
        // The first that was opened: what failed to be written before a descriptor was, syncfs(2) does not tell through it.
        let mut held = BTreeMap::new();
        for Written { report, sessions, .. } in &mut *written {
            if let Some(sessions) = sessions.take() {
                held.entry(in_dir(report)).or_insert(sessions);
            }
        }
        let mut synced = BTreeMap::new();
        for Written { report: mut told, enrollment, sessions: _, _lock } in written.drain(..) {
            let on_disk = synced.entry(in_dir(&told)).or_insert_with_key(|sessions| {
                let not_yet =
                    |error| format!("{} can't be brought to the disk ({error})", sessions.display());
                let held = held.get(sessions).filter(|held| !held.is_removed());
                held.map_or_else(|| finish::sync(sessions), Dir::sync_file_system).map_err(not_yet)
            });
            told.error = on_disk.clone().and_then(|()| self.remove(&enrollment)).err();
            report(told);
        }
    }

    /// Removes what a session was made of. The sidecar last: without it nobody would know whose the other files are.
    fn remove(&self, enrollment: &Enrollment) -> Result<(), String> {
        older::remove(enrollment);
        let root = enrollment.root();
        let new = self.ground.remove_rewritten(root);
        new.map_err(|error| format!("what is left of its sidecar can't be removed ({error})"))?;
        for name in [spool::name(root), enrollment::name(root)] {
            self.ground.remove(&name).map_err(|error| format!("{name} can't be removed ({error})"))?;
        }
        Ok(())
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

/// Whether it is large without having been written: it costs whoever made it nothing, and whoever reads it much. What was
/// moved is a hole too, however large.
fn is_too_large(trace: &File) -> bool {
    let moved = crate::record::older::moved(trace);
    let found = trace.metadata();
    matches!((found, moved), (Ok(found), Ok(moved)) if is_blown_up(found.len() - moved, found.blocks() * 512))
}

fn is_blown_up(held: u64, on_disk: u64) -> bool {
    held > TRACE_LIMIT && on_disk < held
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

#[cfg(test)]
mod tests;
