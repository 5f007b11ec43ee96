//! Sessions that are in their place and have no line in the index, and of which no sidecar tells: the index took none and then
//! the host was started anew, or it crashed in between. Without a line no list shows them, and retention does not count them.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, SystemTime};

use super::finish::read_summary;
use super::id::SessionId;
use super::index::{self, Whose};
use crate::record::log_place::Dirs;

/// So many at a time: each has the whole index read. The others are for the next time.
const AT_ONCE: usize = 100;

/// Those that were begun at least `age` ago. What only looks like a session (a copy under another name) is none.
pub fn unlisted(dirs: &Dirs, now: SystemTime, age: Duration) -> io::Result<Vec<SessionId>> {
    let names = dirs.sessions.names()?;
    // Afterwards: whoever gets its place and its line meanwhile is not among them.
    let listed = listed(dirs)?;
    let ids = names.iter().filter_map(|name| name.to_str()?.parse::<SessionId>().ok());
    let is_old = |id: &SessionId| {
        let dir = dirs.sessions.entry(id.as_str()).open_dir();
        dir.is_ok_and(|dir| dir.age(now).is_some_and(|since| since >= age))
    };
    let is_session = |id: &SessionId| {
        let whose = read_summary::<Whose>(&dirs.sessions.entry(id.as_str()));
        whose.is_ok_and(|whose| whose.session_id == id.as_str())
    };
    let without = ids.filter(|id| !listed.contains(id.as_str()) && is_old(id) && is_session(id));
    Ok(without.take(AT_ONCE).collect())
}

fn listed(dirs: &Dirs) -> io::Result<HashSet<String>> {
    let text = match index::read(&index::of(&dirs.log)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let lines = text.split(|byte| *byte == b'\n').map(serde_json::from_slice::<Whose>);
    Ok(lines.flatten().map(|line| line.session_id).collect())
}

/// Gives a session its line, unless somebody did so meanwhile, or removed it. Says whether it did.
pub fn list(dirs: &Dirs, id: &SessionId) -> io::Result<bool> {
    let place = dirs.sessions.entry(id.as_str());
    let is_there = || place.found().is_ok_and(|found| found.is_some());
    index::repair(&index::of(&dirs.log), id, read_summary(&place)?, is_there)
}
