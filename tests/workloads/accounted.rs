//! A command whose processes the kernel counts by itself: BSD process accounting (acct(2)).
//!
//! The command runs in a pid namespace of its own, since accounting is switched on a namespace at a time: so the file
//! has exactly its processes, whatever else runs on the machine.

use std::ffi::{CString, OsStr, c_void};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use crate::{observe, sys};

/// Seconds that the command may take.
const LIFE: u32 = 600;

static ARGS: OnceLock<Vec<String>> = OnceLock::new();

/// `accounted FILE CMD [ARG]…`
pub(crate) fn accounted(args: &[String]) -> i32 {
    extern "C" fn init(_: *mut c_void) -> i32 {
        run_accounted(ARGS.get().unwrap())
    }
    ARGS.set(args.to_vec()).unwrap();
    extend_life();
    observe::wait(sys::clone(libc::CLONE_NEWPID | libc::SIGCHLD, init))
}

/// As pid 1 of the namespace: counts, runs the command, and waits for everybody.
fn run_accounted(args: &[String]) -> i32 {
    let file = CString::new(args[0].as_str()).unwrap();
    std::fs::write(&args[0], "").unwrap();
    // SAFETY: `file` is a C string that outlives the call.
    assert_eq!(unsafe { libc::acct(file.as_ptr()) }, 0, "acct: {}", std::io::Error::last_os_error());
    let command = sys::fork(|| {
        extend_life();
        let words: Vec<&[u8]> = args[1..].iter().map(String::as_bytes).collect();
        sys::exec(OsStr::from_bytes(words[0]).as_ref(), &words)
    });
    let code = observe::wait(command);
    // SAFETY: a null pointer switches accounting off; waits for no memory of ours.
    while unsafe { libc::wait(std::ptr::null_mut()) } > 0 {}
    // SAFETY: as above.
    assert_eq!(unsafe { libc::acct(std::ptr::null()) }, 0);
    code
}

fn extend_life() {
    // SAFETY: alarm(2) touches no memory.
    unsafe { libc::alarm(LIFE) };
}
