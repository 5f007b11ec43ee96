//! The runtime directory as hostile ground (G7): what is in it, and which of that may be opened.
//!
//! Names are read as a stream, so a million of them need little memory. A file is looked at before it is opened, opened without
//! following links and without waiting, and looked at again: what is no plain file of ours is left as it is.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat, unlinkat};

use crate::process::identity::{Identity, Ticks};
use crate::record::dir;
use crate::record::enrollment::Enrollment;
use crate::record::runtime::{self, RuntimeDirError};
use crate::record::{enrollment, spool};

/// What a name in the runtime directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The trace file of a process.
    Trace(Identity),
    /// Its sidecar.
    Sidecar(Identity),
    /// Its sidecar while it was written.
    NewSidecar,
    /// Nothing that tracer would write.
    Foreign,
}

/// What `name` stands for.
#[must_use]
pub fn kind(name: &[u8]) -> Found {
    let Ok(name) = std::str::from_utf8(name) else { return Found::Foreign };
    let id = |prefix, suffix| identity(name.strip_prefix(prefix)?.strip_suffix(suffix)?);
    if let Some(id) = id(spool::PREFIX, ".jsonl") {
        Found::Trace(id)
    } else if let Some(id) = id(enrollment::PREFIX, ".json") {
        Found::Sidecar(id)
    } else if id(enrollment::NEW_PREFIX, ".json").is_some() {
        Found::NewSidecar
    } else {
        Found::Foreign
    }
}

/// `<pid>_<starttime_ticks>`, each as a number is written, so that no two names are the same process.
fn identity(text: &str) -> Option<Identity> {
    let (pid, start) = text.split_once('_')?;
    let id = Identity { pid: pid.parse().ok()?, start: Ticks(start.parse().ok()?) };
    (format!("{}_{}", id.pid, id.start.0) == text).then_some(id)
}

/// A runtime directory that is ours alone.
#[derive(Debug)]
pub struct Ground {
    dir: dir::Dir,
    uid: u32,
}

/// A file that may be read.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: File,
    stat: Stat,
}

/// Why something is not opened.
#[derive(Debug)]
pub enum Refused {
    /// It is not there.
    Missing,
    /// It is nothing that tracer wrote.
    Foreign(&'static str),
    /// It can't be.
    Failed(io::Error),
}

impl From<rustix::io::Errno> for Refused {
    fn from(error: rustix::io::Errno) -> Self {
        match error {
            rustix::io::Errno::NOENT => Self::Missing,
            rustix::io::Errno::LOOP => Self::Foreign("it is a link"),
            other => Self::Failed(other.into()),
        }
    }
}

impl Ground {
    /// The runtime directory below `tmpfs`; `None`: there is none.
    pub fn open(tmpfs: &Path) -> Result<Option<Self>, RuntimeDirError> {
        let found = runtime::existing(tmpfs)?;
        let uid = rustix::process::geteuid().as_raw();
        Ok(found.map(|dir| Self { dir, uid }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Hands on each name that is in it.
    pub fn names(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        for entry in Dir::read_from(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                each(name);
            }
        }
        Ok(())
    }

    /// How many sidecars there are, by their names.
    pub fn sidecars(&self) -> io::Result<u64> {
        let mut many = 0;
        self.names(|name| many += u64::from(matches!(kind(name), Found::Sidecar(_))))?;
        Ok(many)
    }

    /// Whether anything has this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// How large something of this name is.
    #[must_use]
    pub fn size(&self, name: &[u8]) -> Option<u64> {
        let found = statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        u64::try_from(found.st_size).ok()
    }

    /// Opens a regular file of ours of at most `limit` bytes.
    pub fn file(&self, name: &str, limit: u64) -> Result<Opened, Refused> {
        let refuse =
            |stat: &Stat| refusal(stat, self.uid, limit).map_or(Ok(()), |why| Err(Refused::Foreign(why)));
        // To open a device or a FIFO can itself do something, so look first.
        refuse(&statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)?)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&self.dir, name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        refuse(&stat)?;
        Ok(Opened { file: file.into(), stat })
    }

    /// Whether `name` still is this very file.
    #[must_use]
    pub fn is_still(&self, name: &str, opened: &Opened) -> bool {
        let now = statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW);
        now.is_ok_and(|now| (now.st_dev, now.st_ino) == (opened.stat.st_dev, opened.stat.st_ino))
    }

    /// Puts another sidecar in the place of the one that `lock` is of. It is locked too.
    pub fn rewrite(&self, enrollment: &Enrollment, lock: &mut Opened) -> io::Result<()> {
        match enrollment::rewrite(&self.dir, enrollment) {
            Err(error) if enrollment::is_full(&error) => self.overwrite(enrollment, lock),
            Err(error) => Err(error),
            Ok(file) => {
                let stat = fstat(&file)?;
                *lock = Opened { file, stat };
                Ok(())
            }
        }
    }

    /// The same where the file system is full: in place.
    fn overwrite(&self, enrollment: &Enrollment, lock: &Opened) -> io::Result<()> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let name = enrollment::name(enrollment.root());
        let file = File::from(openat(&self.dir, &name, flags, Mode::empty())?);
        let found = fstat(&file)?;
        if (found.st_dev, found.st_ino) != (lock.stat.st_dev, lock.stat.st_ino) {
            return Err(io::ErrorKind::NotFound.into());
        }
        enrollment::overwrite(&file, enrollment)
    }

    /// Removes what was left of a sidecar that the caller has the lock of, and that was being written again.
    pub fn remove_rewritten(&self, root: Identity) -> io::Result<()> {
        enrollment::remove_new(&self.dir, root)
    }

    /// Removes a file, if it is still there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Opened {
    /// How long ago it was written. A time to come counts too: the clock was set back, and says nothing any more.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        let seconds = u64::try_from(self.stat.st_mtime).unwrap_or(0);
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        now.duration_since(written).unwrap_or_else(|ahead| ahead.duration())
    }
}

/// Why a file is not to be opened, if it is not.
fn refusal(stat: &Stat, uid: u32, limit: u64) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Some("it is a link"),
        FileType::Directory => return Some("it is a directory"),
        FileType::Fifo => return Some("it is a FIFO"),
        _ => return Some("it is a device or a socket"),
    }
    if stat.st_uid != uid && stat.st_uid != 0 {
        Some("somebody else owns it")
    } else if stat.st_nlink != 1 {
        Some("it has another name elsewhere")
    } else if u64::try_from(stat.st_size).is_ok_and(|size| size > limit) {
        Some("it is too large")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    use super::{Found, Ground, Refused, kind};
    use crate::process::identity::{Identity, Ticks};

    const ID: Identity = Identity { pid: 10, start: Ticks(5) };

    fn ground(tmpfs: &std::path::Path) -> Ground {
        crate::record::runtime::open(tmpfs).unwrap();
        Ground::open(tmpfs).unwrap().unwrap()
    }

    fn why(ground: &Ground, name: &str) -> &'static str {
        match ground.file(name, 100) {
            Err(Refused::Foreign(why)) => why,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_name_is_the_process_that_it_spells_exactly() {
        assert_eq!(kind(b"tracer_trace_10_5.jsonl"), Found::Trace(ID));
        assert_eq!(kind(b"tracer_enrollment_10_5.json"), Found::Sidecar(ID));
        assert_eq!(kind(b".tracer_enrollment_10_5.json"), Found::NewSidecar);
        for foreign in [
            "tracer_trace_010_5.jsonl",
            "tracer_trace_10_+5.jsonl",
            "tracer_trace_10_5.jsonl\n",
            "tracer_trace_4294967296_5.jsonl",
            "tracer_trace_10.jsonl",
            "tracer_trace_10_5_6.jsonl",
            "a\nb",
        ] {
            assert_eq!(kind(foreign.as_bytes()), Found::Foreign, "{foreign:?}");
        }
        assert_eq!(kind(b"tracer_trace_\xff_5.jsonl"), Found::Foreign);
    }

    #[test]
    fn only_plain_files_of_ours_are_opened_and_nothing_blocks() {
        let tmpfs = crate::scratch();
        let ground = ground(tmpfs.path());
        let at = |name: &str| ground.path().join(name);
        std::fs::write(at("plain"), "x").unwrap();
        symlink(at("plain"), at("link")).unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        std::fs::write(at("one"), "x").unwrap();
        std::fs::hard_link(at("one"), at("two")).unwrap();
        let fifo = std::ffi::CString::new(at("fifo").into_os_string().into_encoded_bytes()).unwrap();
        // SAFETY: a C string that lives here.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o600) }, 0);
        std::fs::File::create(at("sparse")).unwrap().set_len(10 << 30).unwrap();
        assert!(ground.file("plain", 100).is_ok());
        assert!(matches!(ground.file("none", 100), Err(Refused::Missing)));
        assert_eq!(why(&ground, "link"), "it is a link");
        assert_eq!(why(&ground, "dir"), "it is a directory");
        assert_eq!(why(&ground, "two"), "it has another name elsewhere");
        assert_eq!(why(&ground, "fifo"), "it is a FIFO");
        assert_eq!(why(&ground, "sparse"), "it is too large");
    }

    #[test]
    fn a_directory_that_lets_others_in_is_not_looked_into() {
        let tmpfs = crate::scratch();
        assert!(Ground::open(tmpfs.path()).unwrap().is_none());
        let path = ground(tmpfs.path()).path().to_owned();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(Ground::open(tmpfs.path()).is_err());
        std::fs::remove_dir(&path).unwrap();
        symlink(tmpfs.path(), &path).unwrap();
        assert!(Ground::open(tmpfs.path()).is_err());
    }

    #[test]
    fn a_file_from_the_future_is_not_young_for_ever() {
        let tmpfs = crate::scratch();
        let ground = ground(tmpfs.path());
        std::fs::write(ground.path().join("plain"), "x").unwrap();
        let opened = ground.file("plain", 100).unwrap();
        let year = Duration::from_hours(24 * 365);
        assert!(opened.age(SystemTime::now() - year) > year - Duration::from_mins(1));
        assert!(opened.age(SystemTime::now()) < Duration::from_mins(1));
    }
}
