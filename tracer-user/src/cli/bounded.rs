//! Writing to what the caller gave, which may be a pipe or a terminal that nobody reads: for a time, and no longer.
//!
//! Nobody is held up by a reader that takes nothing, and one that is slow gets all. Who tells tracer to end, by a signal, does not
//! wait for a reader either.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat};
use rustix::io::Errno;
use rustix::pipe::PIPE_BUF;
use rustix::termios::isatty;

/// How long a reader is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long it takes at most to see that a signal has come.
pub(super) const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Writes all of it, within this time.
pub(super) fn write_all(to: BorrowedFd<'_>, bytes: &[u8], patience: Duration) -> io::Result<()> {
    let own = unblocking(to);
    let to = own.as_ref().map_or(to, AsFd::as_fd);
    let (begin, mut rest) = (Instant::now(), bytes);
    while !rest.is_empty() {
        let has_room = match poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], Some(&LOOK)) {
            Ok(ready) => ready > 0,
            Err(Errno::INTR) => false,
            Err(error) => return Err(error.into()),
        };
        if !has_room && (begin.elapsed() >= patience || is_told_to_end()) {
            let taken = bytes.len() - rest.len();
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "its reader took {taken} of {} bytes, and was not waited for any longer",
                    bytes.len()
                ),
            ));
        }
        if !has_room {
            continue;
        }
        // What surely has room, where it could not be made not to wait.
        match rustix::io::write(to, &rest[..rest.len().min(PIPE_BUF)]) {
            Ok(count) => rest = &rest[count..],
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The same once more, so that a write never waits, whoever else takes the room that there was. Only pipes and terminals can be
/// opened again; others have room, or say so.
pub(super) fn unblocking(stream: BorrowedFd<'_>) -> Option<OwnedFd> {
    let is_pipe = fstat(stream).is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Fifo);
    let waits = fcntl_getfl(stream).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK));
    if !waits || (!is_pipe && !isatty(stream)) {
        return None;
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/self/fd/{}", stream.as_raw_fd()), flags, Mode::empty()).ok()
}

/// Whether a signal by which people end something waits for tracer, which blocks them during a run.
pub(super) fn is_told_to_end() -> bool {
    let mut pending = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the call fills in the set, or leaves it as it is.
    unsafe { libc::sigpending(pending.as_mut_ptr()) };
    // SAFETY: `sigset_t` is integers only, so zeros are a value of it even if the call failed.
    let pending = unsafe { pending.assume_init() };
    [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT].into_iter().any(|signal| {
        // SAFETY: looks into a set of this function's.
        unsafe { libc::sigismember(&raw const pending, signal) == 1 }
    })
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, pipe};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::{PATIENCE, write_all};

    #[test]
    fn a_slow_reader_gets_all_and_one_that_reads_nothing_is_waited_for_so_long() {
        let bytes: Vec<u8> = (0..=250).cycle().take(1 << 20).collect();
        let (mut reader, writer) = pipe().unwrap();
        let error = write_all(writer.as_fd(), &bytes, Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains(" of 1048576 bytes"), "{error}");
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        write_all(writer.as_fd(), &bytes, PATIENCE).unwrap();
        drop(writer);
        assert!(reading.join().unwrap().ends_with(&bytes), "other bytes");
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error_at_once() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(write_all(writer.as_fd(), b"x", PATIENCE).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
