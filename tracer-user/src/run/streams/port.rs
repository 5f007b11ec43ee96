//! One end of a stream: a descriptor that is read or written without ever blocking the loop.
//!
//! tracer's own stdin, stdout and stderr are shared with other processes, which would notice if they were made
//! non-blocking. So pipes and terminals are opened anew to be written; where that can't be, each read and write is
//! preceded by poll(2), and no more is written than a pipe takes whole.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::PIPE_BUF;
use rustix::termios::isatty;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Descriptors below are the standard streams.
const FIRST_OWN: i32 = 3;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// A descriptor that can be waited for; or a plain file, which is always ready.
pub(super) enum Port {
    Waits {
        fd: AsyncFd<OwnedFd>,
        /// Reading and writing would.
        blocks: bool,
    },
    Ready(OwnedFd),
}

impl Port {
    /// Takes a descriptor. Must be called inside a tokio runtime.
    pub(super) fn new(fd: OwnedFd, interest: Interest) -> io::Result<Self> {
        let blocks = !fcntl_getfl(&fd)?.contains(OFlags::NONBLOCK);
        // SAFETY: the registration owns the descriptor.
        match unsafe { AsyncFd::register_with_interest(fd, interest) } {
            Ok(fd) => Ok(Self::Waits { fd, blocks }),
            Err(error) => match error.into_parts() {
                // epoll_ctl(2): the file does not support it, since it never makes anybody wait.
                (fd, error) if error.raw_os_error() == Some(libc::EPERM) => Ok(Self::Ready(fd)),
                (_, error) => Err(error),
            },
        }
    }

    /// One of tracer's own streams, to be read.
    pub(super) fn input(stream: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(fcntl_dupfd_cloexec(stream, FIRST_OWN)?, Interest::READABLE)
    }

    /// One of tracer's own streams, to be written.
    pub(super) fn output(stream: BorrowedFd<'_>) -> io::Result<Self> {
        let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let is_pipe = fstat(stream).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
        // Refused where it is somebody else's, and where nobody reads a pipe.
        let anew =
            if is_pipe || isatty(stream) { rustix::fs::open(path, flags, Mode::empty()).ok() } else { None };
        let fd = anew.map_or_else(|| fcntl_dupfd_cloexec(stream, FIRST_OWN), Ok)?;
        Self::new(fd, Interest::WRITABLE | Interest::ERROR)
    }

    /// Reads what is there, up to the capacity that is left. [`io::ErrorKind::WouldBlock`]: nothing, and the port is to be waited for.
    pub(super) fn read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Waits { fd, blocks } => fd.try_io(Interest::READABLE, |fd| read(fd.as_fd(), *blocks, into)),
            Self::Ready(fd) => read(fd.as_fd(), false, into),
        }
    }

    /// Reads what is there, though nobody has said yet that something is.
    pub(super) fn read_now(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        read(self.fd(), matches!(self, Self::Waits { blocks: true, .. }), into)
    }

    /// Writes the beginning, if there is room. `WouldBlock`: there is none, and the port is to be waited for.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Waits { fd, blocks } => {
                fd.try_io(Interest::WRITABLE, |fd| write(fd.as_fd(), *blocks, bytes))
            }
            Self::Ready(fd) => Ok(rustix::io::write(fd, bytes)?),
        }
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) {
        if let Self::Waits { fd, .. } = self {
            // An error shows when it is read.
            let _ = fd.readable().await;
        }
    }

    /// Waits until there is room.
    pub(super) async fn writable(&self) {
        if let Self::Waits { fd, .. } = self {
            // An error shows when it is written.
            let _ = fd.writable().await;
        }
    }

    /// Waits until nobody reads any more what is written here; for ever, where that does not show.
    pub(super) async fn broken(&self) {
        let Self::Waits { fd, .. } = self else { return std::future::pending().await };
        loop {
            let Ok(mut ready) = fd.ready(Interest::ERROR).await else { return std::future::pending().await };
            if self.is_broken() {
                return;
            }
            ready.clear_ready();
        }
    }

    /// Whether nobody reads any more what is written here.
    pub(super) fn is_broken(&self) -> bool {
        is_now(self.fd(), PollFlags::ERR)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Waits { fd, .. } => fd.get_ref().as_fd(),
            Self::Ready(fd) => fd.as_fd(),
        }
    }
}

fn read(fd: BorrowedFd<'_>, blocks: bool, into: &mut Vec<u8>) -> io::Result<usize> {
    if blocks && !is_now(fd, PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(rustix::io::read(fd, spare_capacity(into))?)
}

fn write(fd: BorrowedFd<'_>, blocks: bool, bytes: &[u8]) -> io::Result<usize> {
    if !blocks {
        return Ok(rustix::io::write(fd, bytes)?);
    }
    if !is_now(fd, PollFlags::OUT | PollFlags::ERR | PollFlags::HUP) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(rustix::io::write(fd, &bytes[..bytes.len().min(PIPE_BUF)])?)
}

fn is_now(fd: BorrowedFd<'_>, wanted: PollFlags) -> bool {
    let mut asked = [PollFd::from_borrowed_fd(fd, wanted)];
    poll(&mut asked, Some(&AT_ONCE)).is_ok() && asked[0].revents().intersects(wanted)
}
