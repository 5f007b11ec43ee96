//! Where the lines of a run go: the sidecar first, then the trace file.

use std::os::unix::ffi::OsStrExt;

use jiff::Timestamp;

use super::plan::Plan;
use crate::process::member::Member;
use crate::record::enrollment::{Enrolled, Enrollment, SCHEMA_VERSION};
use crate::record::log_place::LogPlace;
use crate::record::older::{self, Older};
use crate::record::runtime;
use crate::record::trace_file::Room;
use crate::session::clock::Time;
use crate::session::recording::Recording;
use crate::session::text::Text;

/// Moves the lines to the runtime directory. `None`: there is no root, so there is nobody to enrol.
///
/// Without a sidecar there is no trace file either: nobody could tell later whose it is.
pub(super) fn enrol(
    plan: &Plan,
    place: &LogPlace,
    recording: &mut Recording,
    boot_id: &str,
) -> Result<Option<Enrolled>, String> {
    let Some(root) = recording.root() else { return Ok(None) };
    let (id, enrollment) = (root.id, enrollment(plan, place, recording, root, boot_id));
    let dir = runtime::open(&plan.tmpfs_path).map_err(|error| error.to_string())?;
    let failed = |what, error| format!("the {what} in {} can't be made ({error})", dir.path().display());
    let enrolled = Enrolled::write(&dir, &enrollment).map_err(|error| failed("enrollment sidecar", error))?;
    let name = older::name(plan.session_id.as_str(), boot_id, id);
    let older = Older { place: place.clone(), name };
    let room = Room { limit: plan.spool_limit, older };
    if let Err(error) = recording.lines.events.to_file(&dir, id, room) {
        // The warning below names the directory that fails; that the sidecar stays behind adds nothing to it.
        let _ = enrolled.withdraw();
        return Err(failed("trace file", error));
    }
    Ok(Some(enrolled))
}

fn enrollment(
    plan: &Plan,
    place: &LogPlace,
    recording: &Recording,
    root: &Member,
    boot_id: &str,
) -> Enrollment {
    let text = |bytes: &[u8]| Text(bytes).to_string();
    let log_dir = std::path::absolute(&plan.log_dir).ok();
    Enrollment {
        schema_version: SCHEMA_VERSION,
        session_id: plan.session_id.to_string(),
        pid: root.id.pid,
        boot_id: boot_id.to_owned(),
        starttime_ticks: root.id.start.0,
        comm: Some(text(root.comm())),
        enrolled_at: Time(Timestamp::now()).to_string(),
        labels: plan.labels.clone(),
        command: plan.told_command().map(|word| text(word.as_bytes())).collect(),
        log_dir: log_dir.map(|path| text(path.as_os_str().as_bytes())),
        tracer_pid: std::process::id(),
        booted_at_ns: recording.clock.boot_at_ns(),
        target: plan.wanted.name().map(text),
        reader: plan.reader.map(|reader| (reader.uid, reader.gid)),
        redact_args: plan.redact,
        thresholds: serde_json::to_value(plan.thresholds).unwrap_or_default(),
        sessions_dir: place
            .dirs()
            .and_then(|dirs| dirs.sessions.stat())
            .map(|dir| (dir.st_dev, dir.st_ino))
            .ok(),
        recovered_to: None,
        finished: false,
        unwritten: false,
        wait_status: None,
        lost_lines: 0,
    }
}
