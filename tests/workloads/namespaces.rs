//! A new pid namespace.

use std::ffi::c_void;

use crate::environment::{me, note};
use crate::{observe, show, signals, sys};

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

/// Its pid 1 ends while another process inside still waits: the kernel kills that one.
pub(crate) fn namespace_falls(_args: &[String]) -> i32 {
    extern "C" fn child(_: *mut c_void) -> i32 {
        sys::fork(|| {
            note("inside", show::pid_in_proc(), -1);
            signals::wait_for_ever()
        });
        5
    }
    let pid = sys::clone(libc::CLONE_NEWPID | libc::SIGCHLD, child);
    observe::reap(pid);
    0
}
