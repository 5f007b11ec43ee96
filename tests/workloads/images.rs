//! Images that are no ordinary file of the same user.

use std::ffi::CStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::environment::me;
use crate::{observe, sys};

/// Runs a copy of itself that has no path, by `execveat` with `AT_EMPTY_PATH`.
pub(crate) fn memfd(_args: &[String]) -> i32 {
    let mut image = File::from(memfd_create("image", MemfdFlags::CLOEXEC).unwrap());
    io::copy(&mut File::open(me()).unwrap(), &mut image).unwrap();
    let argv: [&CStr; 3] = [c"workload", c"show", c"from memory"];
    let mut pointers: Vec<_> = argv.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: reads a global that no other thread changes: there is none.
    let own = unsafe { environ };
    // SAFETY: an open descriptor, an empty path, two null-terminated arrays of C strings.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            image.as_raw_fd(),
            c"".as_ptr(),
            pointers.as_ptr(),
            own,
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error().raw_os_error().unwrap()
}

unsafe extern "C" {
    /// environ(7).
    static environ: *const *const libc::c_char;
}

/// A copy of itself that is nobody's and setuid, run by the user `daemon`.
pub(crate) fn setuid(_args: &[String]) -> i32 {
    const DAEMON: u32 = 1;
    const NOBODY: u32 = 65534;
    let copy = Path::new("./set-user-id");
    fs::copy(me(), copy).unwrap();
    chown(copy, Some(NOBODY), None).unwrap();
    fs::set_permissions(copy, Permissions::from_mode(0o4755)).unwrap();
    let pid = sys::fork(|| {
        // SAFETY: setuid(2) touches no memory, and this process has one thread.
        assert_eq!(unsafe { libc::setuid(DAEMON) }, 0);
        sys::exec(copy, &[b"set-user-id", b"show"])
    });
    observe::reap(pid);
    0
}
