//! The session of a crash, by the same way as any other.

use std::fs::File;
use std::path::PathBuf;

use jiff::Timestamp;

use super::rebuild::{Rebuilt, rebuild};
use super::{Request, older};
use crate::kernel::events::boot_ns;
use crate::process::member::Member;
use crate::record::enrollment::Enrollment;
use crate::session::finish::{FinishError, LogDir, Reader, finish};
use crate::session::id::SessionId;
use crate::session::recording::NOBODY;
use crate::session::sum_up::{Ending, sum_up};
use crate::session::summary::{Completeness, Reason, Subtype};
use crate::session::text::{Text, decode};
use crate::session::verdict::Verdict;

/// A session in its place.
pub(super) struct Written {
    pub(super) place: PathBuf,
    pub(super) damaged: usize,
}

/// Writes the session of `enrollment`. If its tracer, or a recovery, died right after it did that, it is there already.
pub(super) fn write(
    request: &Request,
    enrollment: &Enrollment,
    trace: Option<File>,
) -> Result<Written, String> {
    let id: SessionId =
        enrollment.session_id.parse().map_err(|error: crate::session::id::BadSessionId| error.to_string())?;
    // Before anything is made there: where its log directory is missing, older rows may be too.
    let trace = trace.map(|trace| older::whole(enrollment, trace)).transpose()?;
    let log_dir = match LogDir::open(&log_dir(request, enrollment)?, &id) {
        Ok(log_dir) => {
            log_dir.read_by(enrollment.reader.map(|(uid, gid)| Reader { uid, gid })).synced_later()
        }
        Err(FinishError::Exists { id, path }) => {
            let place = LogDir::holding(&path, &id, enrollment.root(), &enrollment.boot_id);
            return place.map(|place| Written { place, damaged: 0 }).map_err(|error| error.to_string());
        }
        Err(error) => return Err(error.to_string()),
    };
    log_dir.clear_staging(&id);
    trace.iter().for_each(|trace| older::tell_what_is_missing(enrollment, trace));
    let rebuilt = rebuild(enrollment, trace, (Timestamp::now(), boot_ns()), log_dir.sessions().ok());
    let rebuilt = rebuilt.map_err(|error| error.to_string())?;
    let damaged = rebuilt.damaged;
    let place = conclude(&log_dir, &id, enrollment, rebuilt).map_err(|error| error.to_string())?;
    Ok(Written { place, damaged })
}

fn log_dir(request: &Request, enrollment: &Enrollment) -> Result<PathBuf, String> {
    let log_dir = request
        .log_dir
        .clone()
        .or_else(|| older::log_dir(enrollment))
        .or_else(|| request.default_log_dir.clone());
    log_dir.ok_or_else(|| "nobody says where its session goes; give --log-dir".to_owned())
}

fn conclude(
    log_dir: &LogDir,
    id: &SessionId,
    enrollment: &Enrollment,
    rebuilt: Rebuilt,
) -> Result<PathBuf, FinishError> {
    let Rebuilt { mut recording, last_ns, .. } = rebuilt;
    let (lines, told) = recording.parts();
    let unseen = || Member::new(enrollment.root(), NOBODY, 0);
    let root = told.figures.root.clone().unwrap_or_else(unseen);
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
        verdict: Verdict::of_crash(told.figures.target.as_ref().unwrap_or(&root)),
        root: &root,
        ended_ns: if last_ns == 0 { enrolled_ns } else { last_ns },
        boot_id: &enrollment.boot_id,
        kernel: &kernel,
        waited_cpu_us: None,
        completeness: Completeness::CRASHED,
    };
    let summary = sum_up(&told, ending);
    finish(log_dir, &summary, lines)
}
