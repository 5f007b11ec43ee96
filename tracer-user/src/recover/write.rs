//! The session of a crash, by the same way as any other.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use jiff::Timestamp;

use super::rebuild::{Rebuilt, rebuild};
use super::recovery::Recovery;
use super::scan::Opened;
use super::{Request, older, places};
use crate::kernel::events::boot_ns;
use crate::process::member::Member;
use crate::record::dir::Dir;
use crate::record::enrollment::Enrollment;
use crate::session::finish::{FinishError, LogDir, Name, Placed, Reader, finish};
use crate::session::id::{BadSessionId, SessionId};
use crate::session::recording::NOBODY;
use crate::session::sum_up::{Ending, sum_up};
use crate::session::summary::{Completeness, Reason, Subtype};
use crate::session::text::{Text, decode};
use crate::session::verdict::{Verdict, of_unwritten};

/// A session in its place.
pub(super) struct Written {
    /// `None`: it was there, and somebody removed it.
    pub(super) place: Option<PathBuf>,
    /// The directory of sessions, held open since before anything was written there.
    pub(super) sessions: Option<Dir>,
    /// Its id, which may be one beside that which it was enrolled under.
    pub(super) id: SessionId,
    pub(super) damaged: usize,
    /// Bytes of older rows that are gone.
    pub(super) lost_bytes: u64,
}

/// Writes the session of a sidecar that is locked. If its tracer, or a recovery, died right after it did that, it is there
/// already, wherever that was.
pub(super) fn write(
    recovery: &Recovery<'_>,
    (enrollment, lock): (&mut Enrollment, &mut Opened),
    trace: Option<File>,
) -> Result<Written, String> {
    let id = id(enrollment)?;
    let wanted = places::wanted(recovery.request, enrollment)?;
    if let Some(places::Found { place, id }) = places::found(recovery.request, enrollment, &id)? {
        return Ok(Written { place: Some(place), sessions: None, id, damaged: 0, lost_bytes: 0 });
    }
    if enrollment.finished {
        places::that_it_was_removed(enrollment)?;
        return Ok(Written { place: None, sessions: None, id, damaged: 0, lost_bytes: 0 });
    }
    // Before anything is made there: where its log directory is missing, older rows may be too.
    let trace = trace.map(|trace| older::whole(enrollment, trace)).transpose()?;
    let log_dir = LogDir::at(&wanted).map_err(|error| error.to_string())?;
    let log_dir = log_dir.read_by(enrollment.reader.map(|(uid, gid)| Reader { uid, gid })).synced_later();
    let sessions = log_dir.sessions().map_err(|error| error.to_string())?;
    recovery.begun.clear(&places::begun(recovery.request, enrollment), enrollment);
    trace.iter().for_each(|trace| older::tell_what_is_missing(enrollment, trace));
    let lost_bytes = trace.as_ref().map_or(0, |trace| trace.lost().unwrap_or(0));
    if places::is_to_be_noted(enrollment, &wanted) {
        enrollment.recovered_to = Some(Text(wanted.as_os_str().as_bytes()).to_string());
        let rewritten = recovery.ground.rewrite(enrollment, lock);
        rewritten.map_err(|error| format!("its sidecar can't be written again ({error})"))?;
    }
    let rebuilt = rebuild(enrollment, trace, (Timestamp::now(), boot_ns()), Some(log_dir.place().clone()));
    let rebuilt = rebuilt.map_err(|error| error.to_string())?;
    let damaged = rebuilt.damaged;
    let name = if recovery.live.has(&id, enrollment.root(), &wanted) { Name::Reserved } else { Name::Own };
    let placed = conclude(&log_dir, (&id, name), enrollment, rebuilt);
    let (placed, id) = placed.map_err(|error| error.to_string())?;
    // The next recovery finds it there, and adds its line.
    match placed.unindexed {
        None => {
            let (place, sessions) = (Some(placed.path), Some(sessions));
            Ok(Written { place, sessions, id, damaged, lost_bytes })
        }
        Some(why) => Err(why),
    }
}

/// Whether it could be, as far as that is seen without doing anything.
pub(super) fn look(request: &Request, enrollment: &Enrollment, trace: Option<File>) -> Result<(), String> {
    let (id, wanted) = (id(enrollment)?, places::wanted(request, enrollment)?);
    if places::found(request, enrollment, &id)?.is_some() {
        return Ok(());
    }
    if enrollment.finished {
        return places::that_it_was_removed(enrollment);
    }
    trace.map(|trace| older::whole(enrollment, trace)).transpose()?;
    LogDir::can_be_at(&wanted).map_err(|error| error.to_string())
}

fn id(enrollment: &Enrollment) -> Result<SessionId, String> {
    enrollment.session_id.parse().map_err(|error: BadSessionId| error.to_string())
}

fn conclude(
    log_dir: &LogDir,
    (id, name): (&SessionId, Name),
    enrollment: &Enrollment,
    rebuilt: Rebuilt,
) -> Result<(Placed, SessionId), FinishError> {
    let Rebuilt { mut recording, last_ns, .. } = rebuilt;
    let (lines, told) = recording.parts();
    let unseen = || Member::new(enrollment.root(), NOBODY, 0);
    let root = told.figures.root.clone().unwrap_or_else(unseen);
    let member = told.figures.target.as_ref().unwrap_or(&root);
    let command: Vec<Vec<u8>> = enrollment.command.iter().map(|word| decode(word)).collect();
    let uname = rustix::system::uname();
    let kernel = uname.release().to_string_lossy();
    let enrolled_ns = enrollment.enrolled_at.parse().map_or(0, |at| told.clock.boot_ns_of(at));
    let ending = Ending {
        session_id: id,
        labels: &enrollment.labels,
        command: command.iter().map(|word| Text(word)).collect(),
        subtype: Subtype::Crashed,
        exit_code: Some(-1),
        exit_signal: None,
        reason: Reason::Crashed,
        verdict: match enrollment.unwritten {
            true => of_unwritten(member, enrollment.lost_lines),
            false => Verdict::of_crash(member),
        },
        root: &root,
        ended_ns: if last_ns == 0 { enrolled_ns } else { last_ns },
        boot_id: &enrollment.boot_id,
        kernel: &kernel,
        waited_cpu_us: None,
        completeness: Completeness::CRASHED,
    };
    let mut summary = sum_up(&told, ending);
    // No mark: that the session is on the disk is seen to later, and what it was made of stays until then.
    let placed = finish(log_dir, &mut summary, lines, name, || {})?;
    Ok((placed, summary.session_id))
}
