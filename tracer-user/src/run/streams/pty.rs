//! `--pty`: a terminal for the command alone, and tracer's own terminal meanwhile.
//!
//! The command leads a session whose terminal this is. tracer's own, where it has one, is set to pass every key on as it is,
//! so it is the inner terminal that makes a signal of Ctrl-C; it is put back on every way out but SIGKILL.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, Uid, fchown};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, Winsize, isatty, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::run::signals::Number;

/// The size of a terminal where tracer has none to copy.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// The command's terminal, from the outside.
pub(super) struct Pty {
    master: OwnedFd,
    /// What ends input.
    pub(super) eof: u8,
    raw: Option<Raw>,
}

impl Pty {
    /// Opens one, and gives its inside too. `typed`: what is typed at tracer's terminal goes there. `owner`: whose it is.
    pub(super) fn open(typed: bool, owner: Option<u32>) -> io::Result<(Self, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave =
            ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        if let Some(owner) = owner {
            fchown(&slave, Some(Uid::from_raw(owner)), None)?;
        }
        rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
        let mut settings = tcgetattr(if isatty(stdin()) { stdin() } else { slave.as_fd() })?;
        if !isatty(stdin()) {
            // Nobody types, so nobody needs to see it.
            settings.local_modes.remove(LocalModes::ECHO);
        }
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        let eof = settings.special_codes[SpecialCodeIndex::VEOF];
        let raw = if typed { Some(Raw::begin(stdin())?) } else { None };
        let pty = Self { master, eof, raw };
        pty.resize();
        Ok((pty, slave))
    }

    /// Another descriptor of the outside.
    pub(super) fn outside(&self) -> io::Result<OwnedFd> {
        self.master.try_clone()
    }

    /// After tracer stood still: its terminal passes keys on again, and may have another size.
    pub(super) fn resume(&self) {
        if let Some(Err(error)) = self.raw.as_ref().filter(|_| is_typed_at()).map(Raw::set) {
            log::warn!("the terminal's settings can't be changed ({error})");
        }
        self.resize();
    }

    /// Takes the size of tracer's terminal.
    pub(super) fn resize(&self) {
        let size = [stdin(), stdout(), stderr()].into_iter().find_map(|stream| tcgetwinsize(stream).ok());
        if let Err(error) = tcsetwinsize(&self.master, size.unwrap_or(SIZE)) {
            log::warn!("the command's terminal keeps its size ({error})");
        }
    }

    /// Sends a signal to whoever is in its foreground, as a key of it would.
    pub(super) fn signal(&self, signal: Number) {
        // SAFETY: a system call on an open descriptor, with an integer. Only signals that keys can send are taken, and a
        // terminal that nobody has open any more needs none.
        unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSIG, signal) };
    }
}

/// Whether somebody types at tracer's stdin: it is a terminal, and tracer is in its foreground.
pub(super) fn is_typed_at() -> bool {
    isatty(stdin()) && tcgetpgrp(stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// A terminal that passes every key on, until this is dropped.
struct Raw {
    terminal: BorrowedFd<'static>,
    before: Termios,
}

impl Raw {
    fn begin(terminal: BorrowedFd<'static>) -> io::Result<Self> {
        let raw = Self { terminal, before: tcgetattr(terminal)? };
        raw.set()?;
        Ok(raw)
    }

    fn set(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        raw.make_raw();
        Ok(tcsetattr(self.terminal, OptionalActions::Drain, &raw)?)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(self.terminal, OptionalActions::Now, &self.before) {
            log::warn!("the terminal's settings could not be put back ({error}); run: stty sane");
        }
    }
}
