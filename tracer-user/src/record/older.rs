//! The older rows of a trace file that became too large: a hidden file beside the session to come.
//!
//! ```text
//!  trace file in the runtime directory   [ hole: moved ][ rows ...................... ]
//!  older rows in the log directory       [ rows .......]
//!                                        0             n
//! ```
//!
//! A row keeps its place: the bytes that stood at an offset of the trace file stand at the same offset here, and where they
//! were is a hole, which takes no room and reads as zeros. No row holds a zero byte. So the trace file alone says how much
//! of this file counts: as much as it begins with zeros. Rows are copied, brought to the disk, and only then is the
//! hole made, in one system call: whatever dies in between, each row is there once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, FlockOperation, OFlags, SeekFrom, fallocate, flock, seek};
use rustix::io::Errno;

use super::dir::Entry;
use super::log_place::LogPlace;
use crate::process::identity::Identity;

/// How the name of such a file ends.
pub const SUFFIX: &str = ".spool";

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;

/// Where the older rows of a session lie, or will lie.
#[derive(Clone, Debug)]
pub struct Older {
    /// In the directory of sessions there.
    pub place: LogPlace,
    /// Under that [`name`].
    pub name: String,
}

impl Older {
    /// The file, in the directory of sessions as that is now.
    pub fn entry(&self) -> io::Result<Entry> {
        Ok(self.place.dirs()?.sessions.entry(&self.name))
    }
}

/// The name of such a file holds the session's id, and which process of which boot it is about.
#[must_use]
pub fn name(session_id: &str, boot_id: &str, root: Identity) -> String {
    format!(".{session_id}.{boot_id}.{}_{}{SUFFIX}", root.pid, root.start.0)
}

/// The boot that a name of such a file tells of.
#[must_use]
pub fn boot_of(name: &str) -> Option<&str> {
    let (before, identity) = name.strip_prefix('.')?.strip_suffix(SUFFIX)?.rsplit_once('.')?;
    let (pid, start) = identity.split_once('_')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (_, boot) = before.rsplit_once('.')?;
    (is_number(pid) && is_number(start) && !boot.is_empty()).then_some(boot)
}

/// Makes the file. It is locked as long as somebody works with it.
pub fn create(entry: &Entry) -> io::Result<File> {
    let file = entry.create()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Opens what a killed tracer left; `None`: there is nothing. Only a plain file of ours, by no link.
pub fn open(entry: &Entry) -> io::Result<Option<File>> {
    match entry.plain_file(OFlags::RDONLY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Removes it, if it is there and a plain file of ours.
pub fn remove(entry: &Entry) -> io::Result<()> {
    match open(entry)? {
        Some(_) => entry.remove(),
        None => Ok(()),
    }
}

/// How much of a trace file was moved: as much as it begins with zeros.
pub fn moved(trace: &File) -> io::Result<u64> {
    let len = trace.metadata()?.len();
    let mut at = match seek(trace, SeekFrom::Data(0)) {
        Ok(at) => at,
        // Nothing but a hole.
        Err(Errno::NXIO) => return Ok(len),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => 0,
        Err(error) => return Err(error.into()),
    };
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = trace.read_at(&mut piece, at)?;
        if read == 0 {
            return Ok(at);
        }
        match piece[..read].iter().position(|byte| *byte != 0) {
            Some(zeros) => return Ok(at + zeros as u64),
            None => at += read as u64,
        }
    }
}

/// Copies the rows from `begin` to before `end` and brings them to the disk.
pub fn copy(trace: &File, older: &File, begin: u64, end: u64) -> io::Result<()> {
    let (mut piece, mut at) = (vec![0; PIECE], begin);
    while at < end {
        let room = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        let read = trace.read_at(&mut piece[..room], at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        older.write_all_at(&piece[..read], at)?;
        at += read as u64;
    }
    // Some file systems tell only now that there is no room, or that the disk failed.
    older.sync_data()
}

/// Gives back the room that the rows before `end` took. From the beginning each time: a hole frees whole pages, and the
/// last one of the hole before was only zeroed.
pub fn give_back(trace: &File, end: u64) -> io::Result<()> {
    Ok(fallocate(trace, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, end)?)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::{boot_of, copy, create, give_back, moved, name, open, remove};
    use crate::process::identity::{Identity, Ticks};
    use crate::record::way;

    const ROOT: Identity = Identity { pid: 10, start: Ticks(5) };

    #[test]
    fn a_name_tells_its_boot_and_others_tell_none() {
        let of = |id: &str| name(id, "aa-bb", ROOT);
        assert_eq!(of("s"), ".s.aa-bb.10_5.spool");
        assert_eq!(boot_of(&of("with.dots")), Some("aa-bb"));
        for other in
            [".s.spool", ".s.removed", "s.aa-bb.10_5.spool", ".aa-bb.10_5.spool.77", ".s.b.1_x.spool"]
        {
            assert_eq!(boot_of(other), None, "{other}");
        }
    }

    fn trace(dir: &Path, text: &str) -> File {
        std::fs::write(dir.join("trace"), text).unwrap();
        File::options().read(true).write(true).open(dir.join("trace")).unwrap()
    }

    #[test]
    fn what_was_moved_is_a_hole_and_stands_at_the_same_place_elsewhere() {
        let dir = crate::scratch();
        let row = "x".repeat(9_999) + "\n";
        let trace = trace(dir.path(), &row.repeat(10));
        assert_eq!(moved(&trace).unwrap(), 0);
        let older = create(&way::existing(dir.path()).unwrap().entry("older")).unwrap();
        for end in [30_000, 70_000, 100_000] {
            let begin = moved(&trace).unwrap();
            copy(&trace, &older, begin, end).unwrap();
            assert_eq!(
                moved(&trace).unwrap(),
                begin,
                "until the hole is made the rows are in the trace file"
            );
            give_back(&trace, end).unwrap();
            assert_eq!(moved(&trace).unwrap(), end);
        }
        assert_eq!(std::fs::read_to_string(dir.path().join("older")).unwrap(), row.repeat(10));
        assert_eq!(trace.metadata().unwrap().len(), 100_000);
    }

    #[test]
    fn only_a_plain_file_of_ours_is_opened_or_removed() {
        let dir = crate::scratch();
        let held = way::existing(dir.path()).unwrap();
        let at = |name: &str| held.entry(name);
        std::fs::write(at("theirs"), "theirs").unwrap();
        std::os::unix::fs::symlink(at("theirs"), at("link")).unwrap();
        std::fs::write(at("one"), "").unwrap();
        std::fs::hard_link(at("one"), at("two")).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        for name in ["link", "two", "directory"] {
            assert!(
                open(&at(name)).is_err() && remove(&at(name)).is_err() && at(name).found().unwrap().is_some(),
                "{name}"
            );
        }
        assert!(open(&at("none")).unwrap().is_none() && remove(&at("none")).is_ok());
        drop(create(&at("ours")).unwrap());
        assert!(create(&at("ours")).is_err(), "one that is there is not taken");
        remove(&at("ours")).unwrap();
        assert!(at("ours").found().unwrap().is_none());
    }
}
