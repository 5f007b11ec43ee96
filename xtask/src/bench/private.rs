//! Mounts of the bench's own: perf mounts tracefs where it is missing, and leaves it there; and the runtime directory is on a
//! tmpfs, as `/dev/shm` is.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null;

use anyhow::{Context, Result};

const TRACEFS: &CStr = c"/sys/kernel/tracing";

/// From here on this process and its children see mounts of their own, tracefs among them, for the peers that need it; they
/// are gone with the last of these processes.
pub(crate) fn mounts() -> Result<()> {
    // SAFETY: changes this process only, which has one thread yet.
    check(unsafe { libc::unshare(libc::CLONE_NEWNS) }).context("cannot get mounts of our own")?;
    // Nothing that is mounted here is to be seen outside.
    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE)
        .context("cannot keep our mounts to ourselves")?;
    if let Err(error) = mount(Some(c"tracefs"), TRACEFS, Some(c"tracefs"), 0)
        && error.raw_os_error() != Some(libc::EBUSY)
    {
        eprintln!("xtask: no tracefs ({error}): peers that need it can't be measured");
    }
    Ok(())
}

/// Puts a tmpfs there.
pub(crate) fn tmpfs(at: &Path) -> Result<()> {
    let path = CString::new(at.as_os_str().as_bytes()).context("a path with a zero byte")?;
    mount(Some(c"tmpfs"), &path, Some(c"tmpfs"), 0)
        .with_context(|| format!("cannot mount a tmpfs at {}", at.display()))
}

/// Takes it away again.
pub(crate) fn unmount(at: &Path) -> io::Result<()> {
    let path = CString::new(at.as_os_str().as_bytes())?;
    // SAFETY: a C string that outlives the call.
    check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) })
}

fn mount(source: Option<&CStr>, target: &CStr, kind: Option<&CStr>, flags: libc::c_ulong) -> io::Result<()> {
    let source = source.map_or(null(), CStr::as_ptr);
    let kind = kind.map_or(null(), CStr::as_ptr);
    // SAFETY: C strings that outlive the call, or null where mount(2) ignores them.
    check(unsafe { libc::mount(source, target.as_ptr(), kind, flags, null()) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
