//! Pipes and sockets that the caller gave to the command: tracer lets go of its own copies, so whoever is at the other end
//! sees the end of file, or SIGPIPE, when the command closes them and not when tracer ends.
//!
//! Files stay open: the caller's record locks on them (fcntl(2)) end when this process closes any descriptor of theirs.
//! stderr stays as long as tracer may have something to say.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, RawFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::dup2;

/// What was open when tracer was started.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipes {
    open: Vec<RawFd>,
}

impl Pipes {
    /// Takes note. Must be called before tracer opens anything.
    pub(super) fn note() -> Self {
        let numbers = fs::read_dir("/proc/self/fd").into_iter().flatten();
        let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        // The directory itself was open when it was read; what its number is used for now is no business of the caller's.
        let open: Vec<RawFd> = numbers.collect();
        Self { open: open.into_iter().filter(|fd| end_matters(*fd)).collect() }
    }

    /// Lets go of them. `silent`: of stderr too.
    pub(super) fn let_go(&self, silent: bool) {
        let Ok(null) = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) else { return };
        for fd in self.open.iter().filter(|fd| silent || **fd != libc::STDERR_FILENO) {
            // The number stays taken, so nothing of tracer's own can get it: a duplicate closes what was there.
            // SAFETY: inherited, and never closed by anybody but this loop.
            let mut there = std::mem::ManuallyDrop::new(unsafe { std::os::fd::FromRawFd::from_raw_fd(*fd) });
            // Nothing but the number could be wrong, and it was open.
            let _ = dup2(null.as_fd(), &mut there);
        }
    }
}

/// Whether somebody may wait for its end.
fn end_matters(fd: RawFd) -> bool {
    // SAFETY: only asked about; a number that is not open is an error.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    fstat(fd)
        .is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket))
}
