//! Which sessions stay: at most so many, of so many bytes, for so long. The oldest go first, whole (W6).
//!
//! Only what has a line in the index can go, so a session that is being written never does. Under the lock of the index, the one
//! that is to be comes first, under another name, then the directories are put aside, then it takes its place. So whoever
//! is killed in between leaves that name behind, and the next round, whatever it is to keep, finishes what is half removed.
//! What was put aside is removed without the lock, which others wait for.
//!
//! An id may have several lines: somebody removed its directory by hand, and it was given again. The directory is that of one
//! of them, by its summary, and goes with no other. One that is nobody's is that of a session which has no line yet, or somebody
//! who may write to it has changed its summary (W8): the last line of its id waits for a day, and then both go.
//!
//! [`Keep`]: what stays, the decision. The rest is how it is done.

mod keep;

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustix::fs::{AtFlags, OFlags, statat};
use serde::Deserialize;

use super::finish::{LogDir, read_summary};
use super::id::SessionId;
use super::index::{self, Whose};
use crate::record::dir::{Dir, Entry};
use crate::record::enrollment::is_full;
pub use keep::{Keep, Known};

/// How a session's directory is called while it is removed: no session id ends like that and begins with a dot.
const REMOVED: &str = ".removed";

/// How the index is called that is to be.
const NEW_INDEX: &str = ".sessions.jsonl.new";

/// How long a session may lack its line.
const LACKS_LINE: Duration = Duration::from_hours(24);

/// Of a line of the index, what matters here.
#[derive(Deserialize)]
struct Line {
    #[serde(flatten)]
    whose: Whose,
    ended_at: Option<String>,
    /// Whether no later line has its id.
    #[serde(skip)]
    is_last: bool,
}

/// Removes what is not to be kept, and says how many sessions went.
pub fn apply(log_dir: &LogDir, keep: &Keep) -> io::Result<usize> {
    apply_at(log_dir, keep, SystemTime::now())
}

fn apply_at(log_dir: &LogDir, keep: &Keep, now: SystemTime) -> io::Result<usize> {
    let dirs = log_dir.place().dirs()?;
    let (path, new, sessions) = (index::of(&dirs.log), dirs.log.entry(NEW_INDEX), &dirs.sessions);
    let was_killed = || new.found().is_ok_and(|found| found.is_some());
    // Without the lock: most of the time there is nothing to do, and then nobody is to wait for that.
    let text = match index::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        read => read?,
    };
    let fits = || memchr::memchr_iter(b'\n', &text).count() <= keep.sessions;
    if keep.bytes.is_none() && keep.age.is_none() && fits() && !was_killed() {
        clear_away(sessions)?;
        return Ok(0);
    }
    let lock = index::locked(&path)?;
    let text = index::read(&path)?;
    let mut lines: Vec<(&[u8], Line)> = index::lines(&path, &text);
    mark_last(&mut lines);
    let was_killed = was_killed();
    if was_killed {
        // A session is in its place before it has a line, so these were removed.
        let there: Vec<bool> =
            lines.iter().map(|(_, line)| directory(sessions, line, &lines).is_some()).collect();
        let mut there = there.into_iter();
        lines.retain(|_| there.next().unwrap_or(true));
    }
    let known: Vec<Known> = lines.iter().map(|(_, line)| known(sessions, line, keep)).collect();
    let at = Timestamp::try_from(now).unwrap_or_else(|_| Timestamp::now());
    let mut goes = keep.surplus(&known, at);
    for (goes, (_, line)) in goes.iter_mut().zip(&lines).filter(|(goes, _)| **goes) {
        *goes = directory(sessions, line, &lines).is_none_or(|dir| dir.may_go(sessions, now));
    }
    let surplus = goes.iter().filter(|goes| **goes).count();
    if surplus == 0 && !was_killed {
        drop(lock);
        clear_away(sessions)?;
        return Ok(0);
    }
    let of =
        |going: bool| lines.iter().zip(&goes).filter(move |(_, goes)| **goes == going).map(|(line, _)| line);
    let rest: Vec<&[u8]> = of(false).map(|(text, _)| *text).collect();
    let put_aside = || {
        let mut there = of(true).filter_map(|(_, line)| directory(sessions, line, &lines));
        there.try_for_each(|dir| put_aside(sessions, &dir.id))
    };
    match write_index(&new, &rest) {
        // On a full disk there is room for it only afterwards. Lines without a directory are of no harm meanwhile.
        Err(error) if is_full(&error) => {
            put_aside()?;
            clear_away(sessions)?;
            write_index(&new, &rest)?;
        }
        written => written.and_then(|()| put_aside())?,
    }
    new.rename(&path)?;
    // Nobody has to wait for the rest.
    drop(lock);
    clear_away(sessions)?;
    Ok(surplus)
}

fn mark_last(lines: &mut [(&[u8], Line)]) {
    let mut later = HashSet::new();
    for (_, line) in lines.iter_mut().rev() {
        line.is_last = later.insert(line.whose.session_id.clone());
    }
}

/// A directory that goes with a line.
struct Directory {
    id: SessionId,
    /// Its summary is that of no line.
    is_nobodys: bool,
}

impl Directory {
    /// Whether it may go now: it is not that of a session which gets its line in a moment.
    fn may_go(&self, sessions: &Dir, now: SystemTime) -> bool {
        let age = || sessions.entry(self.id.as_str()).open_dir().ok()?.age(now);
        !self.is_nobodys || age().is_none_or(|age| age >= LACKS_LINE)
    }
}

/// The directory of a line's session. What names no session has none. One whose summary can't be read, or is that of no line,
/// is the last line's.
fn directory(sessions: &Dir, line: &Line, lines: &[(&[u8], Line)]) -> Option<Directory> {
    let id: SessionId = line.whose.session_id.parse().ok()?;
    let place = sessions.entry(id.as_str());
    if place.found().is_ok_and(|found| found.is_none()) {
        return None;
    }
    let Ok(whose) = read_summary::<Whose>(&place) else {
        return line.is_last.then_some(Directory { id, is_nobodys: false });
    };
    if whose == line.whose {
        return Some(Directory { id, is_nobodys: false });
    }
    let is_anothers =
        || whose.session_id == line.whose.session_id && lines.iter().any(|(_, other)| other.whose == whose);
    (line.is_last && !is_anothers()).then_some(Directory { id, is_nobodys: true })
}

fn known(sessions: &Dir, line: &Line, keep: &Keep) -> Known {
    let size = |id: &SessionId| -> Option<u64> {
        let dir = sessions.entry(id.as_str()).open_dir().ok()?;
        let size = |name| u64::try_from(statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?.st_size).ok();
        Some(dir.names().ok()?.iter().filter_map(size).sum())
    };
    let asked = keep.bytes.filter(|_| line.is_last).and_then(|_| line.whose.session_id.parse().ok());
    Known {
        ended_at: line.ended_at.as_ref().and_then(|at| at.parse().ok()),
        bytes: asked.as_ref().and_then(size).unwrap_or(0),
    }
}

/// Out of the readers' sight, so that nobody sees half of it. Another session of the same id may be on its way out still.
fn put_aside(sessions: &Dir, id: &SessionId) -> io::Result<()> {
    let aside = sessions.entry(format!(".{id}.{}{REMOVED}", std::process::id()));
    match sessions.entry(id.as_str()).rename(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what was put aside, by this round, by one that was killed, or by one that is at it too.
fn clear_away(sessions: &Dir) -> io::Result<()> {
    let mut removed = Ok(());
    for name in sessions.names()? {
        if name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(REMOVED)) {
            match sessions.entry(&name).remove_tree() {
                Err(error) if error.kind() != io::ErrorKind::NotFound => removed = Err(error),
                _ => {}
            }
        }
    }
    removed
}

/// Writes the index that is to be. One that is there was left by somebody who was killed, for only who has the lock comes
/// here; it never goes before the work is done, since it says that there is some.
fn write_index(new: &Entry, lines: &[&[u8]]) -> io::Result<()> {
    let mut file = new.plain_file(OFlags::WRONLY | OFlags::CREATE)?;
    file.set_len(0)?;
    file.write_all(&lines.concat())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
