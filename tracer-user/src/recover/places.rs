//! Where the session of a crash goes, and where it may be already.
//!
//! A session that was put in its place is found again by whoever comes next, so that no second one is made. Its place need
//! not be where it would go now: a recovery may have been told of another log directory, and then died before it could
//! remove what it had made the session of. So it notes in the sidecar where it is about to put it, before it does.

use std::path::{Path, PathBuf};

use super::{Request, older};
use crate::record::enrollment::Enrollment;
use crate::record::log_place::{LogPlace, sessions};
use crate::session::finish::{FinishError, Held, LogDir};
use crate::session::id::SessionId;

/// A session that is there already.
pub(super) struct Found {
    pub(super) place: PathBuf,
    pub(super) id: SessionId,
}

/// Where it goes, absolute.
pub(super) fn wanted(request: &Request, enrollment: &Enrollment) -> Result<PathBuf, String> {
    let wanted = absolute(request.log_dir.as_deref());
    let wanted = wanted
        .or_else(|| older::log_dir(enrollment))
        .or_else(|| absolute(request.default_log_dir.as_deref()));
    wanted.ok_or_else(|| "nobody says where its session goes; give --log-dir".to_owned())
}

/// Where it is. Looks wherever somebody may have put it; an error: nobody can tell.
pub(super) fn found(
    request: &Request,
    enrollment: &Enrollment,
    id: &SessionId,
) -> Result<Option<Found>, String> {
    let noted = enrollment.recovered_to.as_deref().and_then(older::absolute);
    let given = [&request.log_dir, &request.default_log_dir].map(|dir| absolute(dir.as_deref()));
    let [given, default] = given;
    let mut seen: Vec<PathBuf> = Vec::new();
    for dir in [noted.clone(), older::log_dir(enrollment), given, default].into_iter().flatten() {
        if seen.contains(&dir) {
            continue;
        }
        match found_in(&dir, enrollment, id, request.dry_run) {
            Ok(None) => {}
            Err(error)
                if older::was_never_had(enrollment)
                    && noted.as_ref() != Some(&dir)
                    && LogPlace::if_there(&dir).is_err() =>
            {
                log::info!("nobody has put the session {id} there: {error}");
            }
            found => return found,
        }
        seen.push(dir);
    }
    match noted.map(|dir| sessions(&dir)).filter(|sessions| !sessions.is_dir()) {
        None => older::is_not_elsewhere(enrollment).map(|()| None),
        Some(gone) => Err(format!(
            "a recovery may have put its session into {0}, which is not there; mount it, or if it is gone for good: mkdir -p {0}",
            gone.display()
        )),
    }
}

/// Where a log directory has it, under whatever name: its own, or one that was free.
fn found_in(
    dir: &Path,
    enrollment: &Enrollment,
    id: &SessionId,
    look: bool,
) -> Result<Option<Found>, String> {
    let (root, boot_id) = (enrollment.root(), enrollment.boot_id.as_str());
    let there = LogPlace::if_there(dir).map_err(|why| FinishError::LogDir { path: dir.to_owned(), why });
    let Some(dirs) = there.map_err(|error| error.to_string())? else { return Ok(None) };
    for (nth, name) in id.names(root.pid).enumerate() {
        match LogDir::holding(&dirs, &name, (root, boot_id), look).map_err(|error| error.to_string())? {
            Held::Yes(place) => return Ok(Some(Found { place, id: name })),
            // They are taken in order, and the first may have been kept for somebody.
            Held::Free if nth > 0 => break,
            Held::Free | Held::Another => {}
        }
    }
    Ok(None)
}

/// Where no session will be made: if it is in its place, it gets its line in the index before the sidecar goes, which may be
/// all that tells that it has none. An error: nobody can tell, or it can't have it.
pub(super) fn listed(request: &Request, enrollment: &Enrollment) -> Result<(), String> {
    let Ok(id) = enrollment.session_id.parse() else { return Ok(()) };
    match found(request, enrollment, &id) {
        Err(error) if enrollment.finished => Err(error),
        // Of a crash there need not be any.
        Err(error) => {
            log::info!("nobody can tell whether there is a session {id} ({error})");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// Whether a session that was there is not any more; an error: nobody can tell.
pub(super) fn that_it_was_removed(enrollment: &Enrollment) -> Result<(), String> {
    let sessions = older::log_dir(enrollment).map(|dir| sessions(&dir));
    match sessions.filter(|sessions| !sessions.is_dir()) {
        None => Ok(()),
        Some(gone) => Err(format!(
            "its session is in {0}, which is not there; mount it, or if it is gone for good: mkdir -p {0}",
            gone.display()
        )),
    }
}

/// Where somebody may have begun to write it.
pub(super) fn begun(request: &Request, enrollment: &Enrollment) -> Vec<PathBuf> {
    let Ok(wanted) = wanted(request, enrollment) else { return Vec::new() };
    let noted = enrollment.recovered_to.as_deref().and_then(older::absolute);
    let mut begun: Vec<PathBuf> = [noted, older::log_dir(enrollment)].into_iter().flatten().collect();
    begun.retain(|dir| *dir != wanted);
    begun.push(wanted);
    begun
}

/// Whether nobody would look there.
pub(super) fn is_to_be_noted(enrollment: &Enrollment, wanted: &Path) -> bool {
    let is_told = |dir: Option<PathBuf>| dir.is_some_and(|dir| dir == wanted);
    let noted = enrollment.recovered_to.as_deref().and_then(older::absolute);
    !is_told(noted) && (older::was_never_had(enrollment) || !is_told(older::log_dir(enrollment)))
}

fn absolute(path: Option<&Path>) -> Option<PathBuf> {
    std::path::absolute(path?).ok()
}
