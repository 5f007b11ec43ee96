//! What is in log directories of which no file in the runtime directory tells: what was left behind goes, and a session without
//! a line in the index gets it.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::SystemTime;

use super::gates::{Action, Decision, Gate};
use super::{Report, Request, older};
use crate::record::log_place::{Dirs, LogPlace};
use crate::session::id::SessionId;
use crate::session::text::Text;
use crate::session::unlisted::{list, unlisted};

/// What is left in log directories by tracers of which no file tells any more.
pub(super) fn sweep(request: &Request, boot_id: &str, now: SystemTime, report: &mut impl FnMut(Report)) {
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
pub(super) fn without_line(request: &Request, now: SystemTime) -> Vec<(Dirs, SessionId)> {
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

/// They get it. One that has it by now is not told of.
pub(super) fn list_unlisted(
    request: &Request,
    lacking: &[(Dirs, SessionId)],
    report: &mut impl FnMut(Report),
) {
    for (dirs, id) in lacking {
        let reason = "it had no line in the index";
        let place = dirs.sessions.entry(id.as_str()).path().to_owned();
        let decision = Decision { gate: Gate::G5, action: Action::Finish, reason };
        let mut told = Report::new(Text(place.as_os_str().as_bytes()).to_string(), decision);
        told.session_id = Some(id.to_string());
        if !request.dry_run {
            match list(dirs, id) {
                Ok(true) => told.session = Some(place),
                // Whoever made the session, or another recovery, was faster.
                Ok(false) => continue,
                Err(error) => told.error = Some(format!("it has no line in the index ({error})")),
            }
        }
        report(told);
    }
}
