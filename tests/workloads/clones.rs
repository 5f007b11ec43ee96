//! Children that are not made by fork.

use std::ffi::{c_char, c_void};
use std::ptr::null;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::environment::{me, note};
use crate::{observe, sys};

/// What the child of [`vfork`] execs: made before, since the child shares the memory and must not allocate.
static IMAGE: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());

/// vfork, then exec of `show`.
pub(crate) fn vfork(_args: &[String]) -> i32 {
    extern "C" fn child(_: *mut c_void) -> i32 {
        let image = IMAGE.load(Ordering::Relaxed);
        let argv = [c"workload".as_ptr(), c"show".as_ptr(), c"vforked".as_ptr(), null()];
        // SAFETY: C strings that live until the exec, in a null-terminated array.
        unsafe { libc::execv(image, argv.as_ptr()) };
        sys::exit_group(127)
    }
    IMAGE.store(sys::c_string(me().to_str().unwrap().as_bytes()).into_raw(), Ordering::Relaxed);
    let pid = sys::clone(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, child);
    observe::reap(pid);
    0
}

/// A process that shares its parent's memory, but is no thread of it.
pub(crate) fn clone_vm(_args: &[String]) -> i32 {
    extern "C" fn child(_: *mut c_void) -> i32 {
        sys::exit_group(6)
    }
    let pid = sys::clone(libc::CLONE_VM | libc::SIGCHLD, child);
    observe::reap(pid);
    0
}

/// A child that belongs to its maker's parent: the observer waits for it, but did not fork it.
pub(crate) fn clone_parent(_args: &[String]) -> i32 {
    extern "C" fn child(_: *mut c_void) -> i32 {
        12
    }
    let pid = sys::clone(libc::CLONE_PARENT | libc::SIGCHLD, child);
    note("forked-by", pid.cast_unsigned(), std::process::id());
    0
}
