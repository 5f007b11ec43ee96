//! `--pty`: a terminal for the command alone.
//!
//! The command leads a session whose terminal this is. What is typed at tracer's own comes in from outside (`keys`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{OFlags, Uid, fchown};
use rustix::process::Pid;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, Winsize, isatty, tcgetattr,
    tcgetpgrp, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::keys::{is_at_a_terminal, is_typed_at};
use crate::run::signals::Number;

/// The size of a terminal where tracer has none to copy.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// The command's terminal, from the outside.
pub(super) struct Pty {
    master: OwnedFd,
    /// So that somebody has it open at any time: a command may close its terminal, and open it again by its name.
    inside: Option<OwnedFd>,
    /// What is typed next is a character, whatever it usually does.
    quotes: bool,
    /// What ends input.
    pub(super) eof: u8,
}

impl Pty {
    /// Opens one, and gives its inside too. `owner`: whose it is.
    pub(super) fn open(owner: Option<u32>) -> io::Result<(Self, OwnedFd)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave =
            ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        if let Some(owner) = owner {
            fchown(&slave, Some(Uid::from_raw(owner)), None)?;
        }
        rustix::fs::fcntl_setfl(&master, OFlags::RDWR | OFlags::NONBLOCK)?;
        // Behind a shell's back those of tracer's terminal are the shell's own, for the line that is being edited.
        let is_a_model = isatty(stdin()) && (is_typed_at() || !is_at_a_terminal());
        let mut settings = tcgetattr(if is_a_model { stdin() } else { slave.as_fd() })?;
        if !isatty(stdin()) {
            // Nobody types, so nobody needs to see it.
            settings.local_modes.remove(LocalModes::ECHO);
        }
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        let eof = settings.special_codes[SpecialCodeIndex::VEOF];
        let pty = Self { master, inside: Some(slave.try_clone()?), quotes: false, eof };
        pty.resize();
        Ok((pty, slave))
    }

    /// Opens one at which nobody types, and that changes nothing on the way: tracer's own terminal does that.
    pub(super) fn open_aside(owner: Option<u32>) -> io::Result<(Self, OwnedFd)> {
        let (pty, slave) = Self::open(owner)?;
        let mut settings = tcgetattr(&slave)?;
        settings.local_modes.remove(LocalModes::ECHO);
        settings.output_modes.remove(OutputModes::OPOST);
        tcsetattr(&slave, OptionalActions::Now, &settings)?;
        Ok((pty, slave))
    }

    /// It ends with the last who has it open.
    pub(super) fn let_go(&mut self) {
        self.inside = None;
    }

    /// Another descriptor of the outside.
    pub(super) fn outside(&self) -> io::Result<OwnedFd> {
        self.master.try_clone()
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

    /// The process group in its foreground.
    pub(super) fn foreground(&self) -> Option<Pid> {
        tcgetpgrp(&self.master).ok()
    }

    /// Whether it hands on whole lines, as to a program that draws no screen.
    pub(super) fn is_in_lines(&self) -> bool {
        tcgetattr(&self.master).is_ok_and(|settings| settings.local_modes.contains(LocalModes::ICANON))
    }

    /// Whether its Ctrl-Z is among these keys, and it makes a signal of it.
    pub(super) fn stops_at(&mut self, keys: &[u8]) -> bool {
        // Asked only when somebody types.
        !keys.is_empty()
            && tcgetattr(&self.master).is_ok_and(|settings| is_stop_among(keys, &settings, &mut self.quotes))
    }
}

/// As the terminal takes its keys one by one (`n_tty_receive_char_special`, drivers/tty/n_tty.c): what follows Ctrl-V is a
/// character, like any other key that makes a signal, and 0 is no key. `quotes`: the last one was that Ctrl-V.
fn is_stop_among(keys: &[u8], settings: &Termios, quotes: &mut bool) -> bool {
    let has = |mode| settings.local_modes.contains(mode);
    let is = |key: u8, code| key != 0 && key == settings.special_codes[code];
    let (signals, lines) = (has(LocalModes::ISIG), has(LocalModes::ICANON | LocalModes::IEXTEN));
    let mut stops = false;
    for key in keys {
        if std::mem::take(quotes) {
            continue;
        }
        stops |= signals && is(*key, SpecialCodeIndex::VSUSP);
        *quotes = lines && is(*key, SpecialCodeIndex::VLNEXT);
    }
    stops
}

#[cfg(test)]
mod tests {
    use rustix::termios::{LocalModes, SpecialCodeIndex};

    use super::{Pty, Termios, is_stop_among, tcgetattr};

    #[test]
    fn a_key_that_stops_is_one_where_it_makes_a_signal_and_is_not_quoted() {
        let (_pty, inside) = Pty::open(None).unwrap();
        let mut usual = tcgetattr(&inside).unwrap();
        // Those of the terminal that runs the tests may be others.
        usual.local_modes.insert(LocalModes::ISIG | LocalModes::ICANON | LocalModes::IEXTEN);
        usual.special_codes[SpecialCodeIndex::VLNEXT] = 0x16;
        let changed = |mode, code| {
            let mut settings = usual.clone();
            settings.local_modes.remove(mode);
            settings.special_codes[SpecialCodeIndex::VSUSP] = code;
            settings
        };
        let as_is = changed(LocalModes::empty(), 0x1a);
        let stops = |pieces: &[&[u8]], settings: &Termios| {
            let mut quotes = false;
            pieces.iter().any(|piece| is_stop_among(piece, settings, &mut quotes))
        };
        assert!(stops(&[b"a\x1ab"], &as_is) && !stops(&[b"ab"], &as_is));
        assert!(!stops(&[b"a\x16\x1ab"], &as_is) && !stops(&[b"\x16", b"\x1a"], &as_is), "quoted");
        assert!(stops(&[b"\x16\x16\x1a"], &as_is) && stops(&[b"\x16a\x1a"], &as_is), "something else is");
        assert!(!stops(&[b"\x1a"], &changed(LocalModes::ISIG, 0x1a)));
        for mode in [LocalModes::ICANON, LocalModes::IEXTEN] {
            assert!(stops(&[b"\x16\x1a"], &changed(mode, 0x1a)), "{mode:?}: nothing quotes");
        }
        assert!(!stops(&[b"\0"], &changed(LocalModes::empty(), 0)), "there is no such key");
    }
}
