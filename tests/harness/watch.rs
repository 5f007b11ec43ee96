//! What the kernel says of the directories of a run: every name that came, went or changed, in order (inotify(7)).

use std::collections::BTreeSet;
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use crate::Identity;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

/// Which directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// The runtime directory.
    Runtime,
    /// The log directory itself.
    Log,
    /// The directory of sessions.
    Sessions,
}

/// A change of a directory.
#[derive(Debug)]
pub struct Change {
    /// Where.
    pub dir: Dir,
    /// What.
    pub kind: ReadFlags,
    /// The name that it is about.
    pub name: String,
}

/// The watch over all three.
#[derive(Debug)]
pub struct Watch {
    changes: OwnedFd,
    dirs: Vec<(i32, Dir)>,
    /// What was seen so far.
    pub history: Vec<Change>,
    /// Sidecars that ever were in their place.
    pub enrolled: BTreeSet<Identity>,
}

impl Watch {
    /// Begins; what is missing is made.
    ///
    /// # Panics
    /// If it can't be watched.
    #[must_use]
    pub fn over(runtime: &Path, log: &Path) -> Self {
        let changes = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        let moved = WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
        let what = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::DELETE | moved;
        let sessions = log.join("sessions");
        let dirs = [(runtime, Dir::Runtime), (log, Dir::Log), (sessions.as_path(), Dir::Sessions)];
        let dirs = dirs.map(|(path, dir)| {
            fs::create_dir_all(path).unwrap();
            (inotify::add_watch(&changes, path, what).unwrap(), dir)
        });
        Self { changes, dirs: dirs.into(), history: Vec::new(), enrolled: BTreeSet::new() }
    }

    /// Takes what has come.
    ///
    /// # Panics
    /// If the kernel had to leave something out.
    pub fn read(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(&self.changes, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return,
                Err(error) => panic!("inotify: {error}"),
            };
            assert!(
                !event.events().contains(ReadFlags::QUEUE_OVERFLOW),
                "more changes than the kernel keeps"
            );
            let Some((_, dir)) = self.dirs.iter().find(|(wd, _)| *wd == event.wd()) else { continue };
            let name = event.file_name().map(|name| name.to_str().unwrap().to_owned()).unwrap_or_default();
            if *dir == Dir::Runtime && event.events().contains(ReadFlags::MOVED_TO) {
                self.enrolled.extend(enrolled(&name));
            }
            self.history.push(Change { dir: *dir, kind: event.events(), name });
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }
}

/// Whom a sidecar's name is about.
fn enrolled(name: &str) -> Option<Identity> {
    let (pid, start) = name.strip_prefix("tracer_enrollment_")?.strip_suffix(".json")?.split_once('_')?;
    Some((pid.parse().unwrap(), start.parse().unwrap()))
}
