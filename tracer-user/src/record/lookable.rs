//! A directory that others may look into, whatever the umask says.
//!
//! Under sudo the log directory is root's and the session its caller's, who comes to it only through directories that let him by
//! (W8). A umask of root's that keeps others out is about files; what lies in these directories has its own rights.
//!
//! The mode is given when the directory is made, and not changed afterwards: by then somebody else may have put another one of
//! root's in its place. The umask belongs to all threads of a process, unless one leaves them (unshare(2), `CLONE_FS`).

use std::ffi::OsStr;
use std::io;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Mode, mkdirat};
use rustix::io::Errno;
use rustix::process::umask;
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Its mode.
const MODE: Mode = Mode::from_raw_mode(0o755);

/// The umask that takes nothing of it.
const OURS: Mode = Mode::from_raw_mode(0o022);

/// What others need.
const OTHERS: u32 = 0o055;

/// Makes it. Where it is not root's, the umask is heeded.
pub(super) fn make(at: impl AsFd, name: &OsStr) -> Result<(), Errno> {
    let (at, me) = (at.as_fd(), Me::read());
    if !rustix::process::geteuid().is_root() || !me.takes_from_others {
        return mkdirat(at, name, MODE);
    }
    if me.is_alone {
        // As at the start of a run. It needs no unshare(2), which a container may refuse.
        let before = umask(OURS);
        let made = mkdirat(at, name, MODE);
        umask(before);
        return made;
    }
    let made = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("tracer-mkdir".to_owned());
        let made = thread.spawn_scoped(scope, || make_without_umask(at, name));
        made.and_then(|made| made.join().map_err(|_| io::Error::other("its thread died"))?)
    });
    made.unwrap_or_else(|error| {
        let path = name.display();
        log::warn!("the umask can't be put aside ({error}): {path} may keep out whose session is in it");
        mkdirat(at, name, MODE)
    })
}

/// The same, on a thread of its own. An error: the umask is as it was, and nothing is made.
fn make_without_umask(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<Result<(), Errno>> {
    // SAFETY: with this flag no descriptors are unshared, only this thread's directories and its umask.
    unsafe { unshare_unsafe(UnshareFlags::FS) }?;
    umask(OURS);
    Ok(mkdirat(at, name, MODE))
}

/// What this process says of itself (proc_pid_status(5)).
struct Me {
    /// The umask would take rights of others away; so does one that is unknown (before Linux 4.7).
    takes_from_others: bool,
    /// There is one thread.
    is_alone: bool,
}

impl Me {
    fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let umask = field("Umask:").and_then(|umask| u32::from_str_radix(umask, 8).ok());
        Self {
            takes_from_others: umask.is_none_or(|umask| umask & OTHERS != 0),
            is_alone: field("Threads:") == Some("1"),
        }
    }
}
