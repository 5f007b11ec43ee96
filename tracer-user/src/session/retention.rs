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

/// How a session's directory is called while it is removed: no session id ends like that and begins with a dot.
const REMOVED: &str = ".removed";

/// How the index is called that is to be.
const NEW_INDEX: &str = ".sessions.jsonl.new";

/// How long a session may lack its line.
const LACKS_LINE: Duration = Duration::from_hours(24);

/// What stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// At most so many sessions.
    pub sessions: usize,
    /// Sessions of at most so many bytes together.
    pub bytes: Option<u64>,
    /// Sessions that ended less than this ago.
    pub age: Option<Duration>,
}

impl Default for Keep {
    fn default() -> Self {
        Self { sessions: 500, bytes: None, age: None }
    }
}

/// What is known of a session: in the order of the index, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// When it ended; `None`: its line does not say.
    pub ended_at: Option<Timestamp>,
    /// How large it is; only asked for where that matters.
    pub bytes: u64,
}

impl Keep {
    /// Which are to go; the latest one never is. Pure.
    ///
    /// The index is in the order in which sessions were written, which need not be that in which they ended: a clock was set
    /// back, or a crash was recovered late. So each is old by its own line alone, and of the others the first go.
    #[must_use]
    pub fn surplus(&self, sessions: &[Known], now: Timestamp) -> Vec<bool> {
        let mut goes: Vec<bool> = sessions.iter().map(|known| self.is_too_old(known, now)).collect();
        if let Some(latest) = goes.last_mut() {
            *latest = false;
        }
        let (mut others, mut bytes) = (0_usize, 0_u64);
        for (goes, known) in goes.iter_mut().zip(sessions).rev().filter(|(goes, _)| !**goes) {
            bytes = bytes.saturating_add(known.bytes);
            *goes = others > 0 && (others >= self.sessions || self.bytes.is_some_and(|most| bytes > most));
            others += 1;
        }
        goes
    }

    /// Whether it ended too long ago. What does not say when is not old, and neither is what ended in time to come: the clock
    /// was set back.
    fn is_too_old(&self, known: &Known, now: Timestamp) -> bool {
        let since = known.ended_at.and_then(|ended| Duration::try_from(now.duration_since(ended)).ok());
        self.age.zip(since).is_some_and(|(age, since)| since >= age)
    }
}

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
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use jiff::Timestamp;
    use serde_json::json;

    use super::{Keep, Known, apply, apply_at};
    use crate::record::dir::Entry;
    use crate::session::finish::LogDir;
    use crate::session::index;

    fn known(ended: i64, bytes: u64) -> Known {
        Known { ended_at: Timestamp::from_second(ended).ok(), bytes }
    }

    #[test]
    fn the_oldest_go_until_number_age_and_size_are_kept() {
        let sessions = [known(10, 5), known(20, 5), known(30, 5), known(40, 5)];
        let now = Timestamp::from_second(50).unwrap();
        let count = |goes: Vec<bool>| goes.into_iter().filter(|goes| *goes).count();
        let surplus = |keep: Keep| count(keep.surplus(&sessions, now));
        let all = Keep::default();
        assert_eq!(surplus(all), 0);
        assert_eq!(surplus(Keep { sessions: 3, ..all }), 1);
        assert_eq!(surplus(Keep { age: Some(Duration::from_secs(25)), ..all }), 2);
        let set_back = Timestamp::from_second(-1_000_000).unwrap();
        let brief = Keep { age: Some(Duration::from_secs(25)), ..all };
        assert_eq!(
            count(brief.surplus(&sessions, set_back)),
            0,
            "a clock that is set back makes nothing old"
        );
        assert_eq!(surplus(Keep { bytes: Some(19), ..all }), 1);
        assert_eq!(surplus(Keep { bytes: Some(0), ..all }), 3);
        assert_eq!(surplus(Keep { sessions: 1, bytes: Some(19), age: None }), 3);
    }

    #[test]
    fn what_is_young_does_not_go_with_what_is_old_behind_it() {
        let now = Timestamp::from_second(1_000).unwrap();
        let keep = Keep { age: Some(Duration::from_secs(100)), ..Keep::default() };
        let silent = Known { ended_at: None, bytes: 5 };
        let sessions = [known(950, 5), known(10, 5), known(2_000, 5), silent, known(20, 5), known(990, 5)];
        assert_eq!(keep.surplus(&sessions, now), [false, true, false, false, true, false]);
        let two = Keep { sessions: 2, ..keep };
        assert_eq!(two.surplus(&sessions, now), [true, true, true, false, true, false], "two of the others");
        let small = Keep { bytes: Some(10), ..keep };
        assert_eq!(small.surplus(&sessions, now), [true, true, true, false, true, false]);
        assert_eq!(keep.surplus(&[known(10, 5)], now), [false], "the latest one stays");
        assert!(keep.surplus(&[], now).is_empty());
    }

    fn index_of(log_dir: &LogDir) -> Entry {
        index::of(&log_dir.place().dirs().unwrap().log)
    }

    fn sessions(log_dir: &LogDir) -> PathBuf {
        log_dir.sessions().unwrap().path().to_owned()
    }

    fn log_dir(dir: &std::path::Path, count: u32) -> LogDir {
        let log_dir = LogDir::open(dir, &"none".parse().unwrap()).unwrap();
        for number in 0..count {
            let id = format!("s{number}").parse().unwrap();
            let session = sessions(&log_dir).join(format!("s{number}"));
            fs::create_dir(&session).unwrap();
            fs::write(session.join("summary.json"), "{}").unwrap();
            let summary = json!({"session_id": format!("s{number}"), "ended_at": "2026-01-01T00:00:00Z"});
            index::repair(&index_of(&log_dir), &id, summary, || true).unwrap();
        }
        log_dir
    }

    fn names(log_dir: &LogDir) -> Vec<String> {
        let entries = fs::read_dir(sessions(log_dir)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn lines(log_dir: &LogDir) -> usize {
        fs::read_to_string(index_of(log_dir)).unwrap().lines().count()
    }

    #[test]
    fn whole_directories_and_their_lines_go_and_what_is_being_written_stays() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 5);
        for other in [".s9.77", ".s8.removed", "not-in-the-index"] {
            fs::create_dir(sessions(&log_dir).join(other)).unwrap();
        }
        assert_eq!(apply(&log_dir, &Keep { sessions: 2, ..Keep::default() }).unwrap(), 3);
        assert_eq!(names(&log_dir), [".s9.77", "not-in-the-index", "s3", "s4"]);
        assert_eq!(lines(&log_dir), 2);
        assert_eq!(apply(&log_dir, &Keep::default()).unwrap(), 0);
    }

    /// A session of that root under a name that may have been another's, and its line.
    fn session(log_dir: &LogDir, id: &str, pid: u32) {
        let summary = json!({"session_id": id, "pid": pid, "starttime_ticks": 5, "boot_id": "b",
            "ended_at": "2026-01-01T00:00:00Z"});
        let session = sessions(log_dir).join(id);
        fs::create_dir(&session).unwrap();
        fs::write(session.join("summary.json"), summary.to_string()).unwrap();
        index::repair(&index_of(log_dir), &id.parse().unwrap(), summary, || true).unwrap();
    }

    #[test]
    fn a_session_does_not_go_with_the_line_of_an_earlier_one_of_its_id() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 0);
        session(&log_dir, "nightly", 7);
        fs::remove_dir_all(sessions(&log_dir).join("nightly")).unwrap();
        session(&log_dir, "nightly", 8);
        let one = Keep { sessions: 1, ..Keep::default() };
        assert_eq!(apply(&log_dir, &one).unwrap(), 1);
        assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned()], 1));
        assert!(fs::read_to_string(index_of(&log_dir)).unwrap().contains("\"pid\":8"));
        session(&log_dir, "other", 9);
        assert_eq!(apply(&log_dir, &one).unwrap(), 1);
        assert_eq!(names(&log_dir), ["other"], "it goes with its own");
    }

    #[test]
    fn a_session_that_has_no_line_yet_does_not_go_with_that_of_an_earlier_one() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 0);
        session(&log_dir, "nightly", 7);
        session(&log_dir, "other", 9);
        let newer = json!({"session_id": "nightly", "pid": 8, "starttime_ticks": 5, "boot_id": "b"});
        fs::write(sessions(&log_dir).join("nightly/summary.json"), newer.to_string()).unwrap();
        let one = Keep { sessions: 1, ..Keep::default() };
        assert_eq!(apply(&log_dir, &one).unwrap(), 0);
        assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned(), "other".to_owned()], 2));
        index::repair(&index_of(&log_dir), &"nightly".parse().unwrap(), newer, || true).unwrap();
        assert_eq!(apply(&log_dir, &one).unwrap(), 2);
        assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned()], 1));
    }

    #[test]
    fn who_changes_a_summary_does_not_keep_the_session_for_ever() {
        let one = Keep { sessions: 1, ..Keep::default() };
        let day = SystemTime::now() + Duration::from_hours(25);
        for (id, pid) in [("a", 8), ("b", 8), ("b", 9), ("../..", 7)] {
            let dir = crate::scratch();
            let log_dir = log_dir(dir.path(), 0);
            session(&log_dir, "a", 7);
            session(&log_dir, "b", 9);
            let changed = json!({"session_id": id, "pid": pid, "starttime_ticks": 5, "boot_id": "b"});
            fs::write(sessions(&log_dir).join("a/summary.json"), changed.to_string()).unwrap();
            assert_eq!(apply(&log_dir, &one).unwrap(), 0, "it may be another one that has no line yet");
            assert_eq!(apply_at(&log_dir, &one, day).unwrap(), 1, "{changed}");
            assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["b".to_owned()], 1), "{changed}");
        }
    }

    #[test]
    fn the_line_of_an_earlier_session_of_an_id_is_not_kept_by_the_directory_of_a_later_one() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 0);
        session(&log_dir, "nightly", 7);
        fs::remove_dir_all(sessions(&log_dir).join("nightly")).unwrap();
        session(&log_dir, "nightly", 8);
        fs::write(dir.path().join(".sessions.jsonl.new"), "half").unwrap();
        apply(&log_dir, &Keep::default()).unwrap();
        assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["nightly".to_owned()], 1));
    }

    #[test]
    fn a_run_of_days_keeps_the_index_as_short_as_what_is_kept() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 0);
        for number in 0..60 {
            let id = format!("s{number}").parse().unwrap();
            let summary = json!({"session_id": format!("s{number}"), "ended_at": "2026-01-01T00:00:00Z"});
            index::repair(&index_of(&log_dir), &id, summary, || true).unwrap();
            if number % 7 == 0 {
                let mut file = fs::File::options().append(true).open(index_of(&log_dir)).unwrap();
                std::io::Write::write_all(&mut file, b"{\"session_id\":\"torn").unwrap();
            }
            apply(&log_dir, &Keep { sessions: 5, ..Keep::default() }).unwrap();
            assert!(lines(&log_dir) <= 6, "{} lines after {number}", lines(&log_dir));
        }
        let text = fs::read_to_string(index_of(&log_dir)).unwrap();
        let last = ["s55", "s56", "s57", "s58", "s59"].map(|id| text.contains(&format!("\"{id}\"")));
        assert_eq!(last, [true; 5], "a torn line takes no other with it: {text}");
    }

    #[test]
    fn what_a_killed_round_left_is_finished_by_the_next_whatever_that_is_to_keep() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 3);
        let sessions = sessions(&log_dir);
        fs::rename(sessions.join("s0"), sessions.join(".s0.removed")).unwrap();
        fs::remove_file(sessions.join(".s0.removed/summary.json")).unwrap();
        fs::write(dir.path().join(".sessions.jsonl.new"), "half").unwrap();
        assert_eq!(apply(&log_dir, &Keep::default()).unwrap(), 0);
        assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["s1".to_owned(), "s2".to_owned()], 2));
        assert!(!dir.path().join(".sessions.jsonl.new").exists());
    }

    #[test]
    fn lines_that_come_meanwhile_are_not_lost() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 40);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log_dir = &log_dir;
                scope.spawn(move || {
                    for number in 0..20 {
                        let id = format!("new{thread}-{number}");
                        let summary = json!({"session_id": id, "ended_at": "2026-01-01T00:00:00Z"});
                        index::repair(&index_of(log_dir), &id.parse().unwrap(), summary, || true).unwrap();
                        apply(log_dir, &Keep { sessions: 80, ..Keep::default() }).unwrap();
                    }
                });
            }
        });
        let text = fs::read_to_string(index_of(&log_dir)).unwrap();
        assert_eq!((lines(&log_dir), text.matches("\"new").count()), (80, 80));
        assert_eq!(names(&log_dir).len(), 0);
    }

    #[test]
    fn a_line_that_names_no_session_removes_nothing() {
        let dir = crate::scratch();
        let log_dir = log_dir(dir.path(), 1);
        let bad = "{\"session_id\":\"../..\",\"ended_at\":null}\n{\"torn";
        let text = fs::read_to_string(index_of(&log_dir)).unwrap();
        fs::write(index_of(&log_dir), format!("{bad}\n{text}")).unwrap();
        assert_eq!(apply(&log_dir, &Keep { sessions: 1, ..Keep::default() }).unwrap(), 1);
        assert_eq!((names(&log_dir), lines(&log_dir)), (vec!["s0".to_owned()], 1));
    }
}
