//! The few system calls that no safe crate has whole.

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

/// Seconds until SIGALRM ends a process, whatever it waits for; more on a slow machine.
const LIFE: u32 = 30;

/// Ends this process by SIGALRM after half a minute. Holds across exec, not across fork.
pub(crate) fn limit_life() {
    // SAFETY: alarm(2) touches no memory.
    unsafe { libc::alarm(LIFE * tests::machine::slowness()) };
}

/// The same, but `seconds` later.
pub(crate) fn live_on(seconds: u32) {
    // SAFETY: alarm(2) touches no memory.
    unsafe { libc::alarm(LIFE + seconds) };
}

/// Gives the signals that Rust's runtime handles back to their default action.
pub(crate) fn forget_handlers() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGPIPE] {
        // SAFETY: SIG_DFL is a valid disposition, and no thread relies on the handlers.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Blocks a signal in the calling thread.
pub(crate) fn block(signal: i32) {
    // SAFETY: sigset_t is integers only, so zeros are a value of it: the empty set.
    let mut set = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local set, and the signal's number is valid.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: reads a local set; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Waits for a signal that the calling thread blocks, and takes it.
pub(crate) fn await_blocked(signal: i32) {
    // SAFETY: sigset_t is integers only, so zeros are a value of it: the empty set.
    let mut set = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local set, and the signal's number is valid.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    let mut taken = 0;
    // SAFETY: reads a local set and writes a local integer.
    assert_eq!(unsafe { libc::sigwait(&raw const set, &raw mut taken) }, 0);
}

/// Forks; the child runs `child` and ends with the code that it gives. Only for processes with one thread.
pub(crate) fn fork(child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the callers have one thread, so the child may do all that the parent may.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        limit_life();
        exit_group(child());
    }
    pid
}

/// Ends the process at once, with all its threads.
pub(crate) fn exit_group(code: i32) -> ! {
    // SAFETY: _exit(2) does not return, and nothing in this program relies on exit handlers.
    unsafe { libc::_exit(code) }
}

/// Ends the calling thread alone, as `pthread_exit` does in the end.
pub(crate) fn exit_thread(code: i32) -> ! {
    // SAFETY: exit(2) ends this thread; its stack is never freed, so nothing dangles.
    unsafe { libc::syscall(libc::SYS_exit, code) };
    unreachable!("exit(2) came back")
}

/// A word that the kernel clears when the thread that called [`announce_end`] is gone (set_tid_address(2)).
pub(crate) static RUNS: AtomicI32 = AtomicI32::new(1);

/// Makes the kernel clear [`RUNS`] and wake its waiters when the calling thread has ended.
pub(crate) fn announce_end() {
    // SAFETY: the word is a static, so it outlives the thread.
    unsafe { libc::syscall(libc::SYS_set_tid_address, RUNS.as_ptr()) };
}

/// Waits until the thread that called [`announce_end`] has ended.
pub(crate) fn await_end() {
    while RUNS.load(Ordering::Acquire) != 0 {
        // SAFETY: the word is a static; a null timeout waits until it is woken (or SIGALRM ends the process).
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                RUNS.as_ptr(),
                libc::FUTEX_WAIT,
                1,
                std::ptr::null::<libc::timespec>(),
            )
        };
    }
}

/// A stack for a child: the address of its end.
pub(crate) struct Stack(usize);

impl Stack {
    /// 256 KiB, aligned, never freed.
    pub(crate) fn new() -> Self {
        Self(Vec::leak(vec![0_u128; 16 * 1024]).as_mut_ptr_range().end.expose_provenance())
    }
}

/// clone(2) with a stack of its own. The child ends with the code that `child` returns.
pub(crate) fn clone(flags: i32, child: extern "C" fn(*mut c_void) -> i32) -> i32 {
    clone_on(&Stack::new(), flags, child)
}

/// clone(2) with this stack, which nobody else may be using.
pub(crate) fn clone_on(stack: &Stack, flags: i32, child: extern "C" fn(*mut c_void) -> i32) -> i32 {
    let stack = std::ptr::with_exposed_provenance_mut(stack.0);
    // SAFETY: the stack is large enough, aligned and never freed; `child` takes no argument and touches no lock.
    let pid = unsafe { libc::clone(child, stack, flags, std::ptr::null_mut()) };
    assert!(pid > 0, "clone: {}", std::io::Error::last_os_error());
    pid
}

/// execv(2): exactly this file and these arguments. Comes back only with the error's number.
pub(crate) fn exec(file: &Path, argv: &[&[u8]]) -> i32 {
    let file = c_string(file.as_os_str().as_bytes());
    let argv: Vec<CString> = argv.iter().map(|arg| c_string(arg)).collect();
    let mut pointers: Vec<_> = argv.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: a C string and a null-terminated array of C strings, all alive here.
    unsafe { libc::execv(file.as_ptr(), pointers.as_ptr()) };
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

/// posix_spawn(3): a child that shares this process's memory until it runs `file`. Gives its pid.
pub(crate) fn spawn(file: &Path, argv: &[&[u8]]) -> i32 {
    let file = c_string(file.as_os_str().as_bytes());
    let argv: Vec<CString> = argv.iter().map(|arg| c_string(arg)).collect();
    let mut pointers: Vec<_> = argv.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
    pointers.push(std::ptr::null_mut());
    let environment = [std::ptr::null_mut()];
    let (actions, attributes) = (std::ptr::null(), std::ptr::null());
    let mut pid = 0;
    let (argv, environment) = (pointers.as_ptr(), environment.as_ptr());
    // SAFETY: a C string and two null-terminated arrays of C strings, all alive here; nothing writes to the strings.
    let error =
        unsafe { libc::posix_spawn(&raw mut pid, file.as_ptr(), actions, attributes, argv, environment) };
    assert_eq!(error, 0, "posix_spawn: {}", std::io::Error::from_raw_os_error(error));
    pid
}

/// A C string of these bytes, which have no NUL.
pub(crate) fn c_string(bytes: &[u8]) -> CString {
    CString::new(bytes).unwrap()
}
