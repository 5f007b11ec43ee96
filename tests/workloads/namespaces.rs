//! A new pid namespace.

use std::ffi::c_void;

use crate::environment::me;
use crate::{observe, show, sys};

/// The child is pid 1 in a namespace of its own.
pub(crate) fn new_pid_namespace(_args: &[String]) -> i32 {
    extern "C" fn child(_: *mut c_void) -> i32 {
        sys::exec(&me(), &[b"workload", b"namespace-init"])
    }
    let pid = sys::clone(libc::CLONE_NEWPID | libc::SIGCHLD, child);
    observe::reap(pid);
    0
}

/// That child: shows itself, and runs one more process inside.
pub(crate) fn namespace_init(args: &[String]) -> i32 {
    show::show(args);
    let pid = sys::fork(|| sys::exec(&me(), &[b"workload", b"show", b"inside"]));
    observe::wait(pid)
}
