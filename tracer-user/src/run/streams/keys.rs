//! What is typed at tracer's terminal, on its way to the command's.
//!
//! tracer takes the keys as any job of a shell does: while it is in the foreground. Then its terminal is set to pass every
//! key on as it is, so that it is the inner terminal that makes a signal of Ctrl-C. At all other times (behind `&`, after
//! Ctrl-Z and `bg`) the terminal is somebody else's: it is neither read nor changed, and the command waits for its input. A
//! shell tells nobody that it brings a running job to the foreground, so that is looked at again and again.
//!
//! A terminal that is not that of tracer's session (`setsid -w`, `su -c`) has no foreground for tracer to be in, and tells it
//! nothing. Whoever gave it meant it to be read, so it is tracer's all the time.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr};

use super::relay::Relay;

/// What comes in at stdin for the command's terminal.
pub(super) struct Keys {
    /// `None`: nothing is taken any more.
    relay: Option<Relay>,
    /// Where that is a terminal.
    terminal: Option<Raw>,
}

impl Keys {
    /// Of a stdin that is no terminal: its bytes stand for keys.
    pub(super) fn piped(relay: Relay) -> Self {
        Self { relay: Some(relay), terminal: None }
    }

    /// Of a terminal; taken at once, if it is tracer's turn.
    pub(super) fn typed(relay: Relay) -> Self {
        let mut terminal = Raw {
            terminal: stdin(),
            is_foreign: is_at_a_foreign_terminal(),
            before: None,
            is_taken: false,
            is_hung_up: false,
        };
        terminal.look();
        Self { relay: Some(relay.of_terminal()), terminal: Some(terminal) }
    }

    /// Looks whether the terminal is tracer's now. True: it has just become that.
    pub(super) fn look(&mut self) -> bool {
        self.terminal.as_mut().is_some_and(Raw::look)
    }

    /// Whether the terminal tells tracer of nothing that happens at it.
    pub(super) fn come_from_a_foreign_terminal(&self) -> bool {
        self.terminal.as_ref().is_some_and(|terminal| terminal.is_foreign)
    }

    /// tracer stood still, and whoever had its terminal meanwhile may have changed it.
    pub(super) fn resume(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.is_taken = false;
            terminal.look();
        }
    }

    /// Puts the terminal back, for whoever is to have it next.
    pub(super) fn let_go(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.put_back();
        }
    }

    /// Takes nothing any more. The terminal stays as it is: what the command wrote last was written for that.
    pub(super) fn close(&mut self) {
        self.relay = None;
    }

    /// Waits until there is something to do; for ever, while the keys are somebody else's.
    pub(super) async fn ready(&self) {
        match &self.relay {
            Some(relay) if self.are_ours() || relay.holds() > 0 => relay.ready().await,
            _ => std::future::pending().await,
        }
    }

    /// Brings on what can be brought on without waiting. Gives what was typed.
    pub(super) fn step(&mut self) -> &[u8] {
        // They may be somebody else's since.
        self.look();
        let are_ours = self.are_ours();
        if let Some(relay) = self.relay.as_mut().filter(|relay| are_ours || relay.holds() > 0)
            && relay.step().output
        {
            return relay.piece();
        }
        &[]
    }

    fn are_ours(&self) -> bool {
        self.terminal.as_ref().is_none_or(|terminal| terminal.is_taken || terminal.is_hung_up)
    }
}

/// Whether stdin is the terminal of tracer's session, in whose foreground tracer is or may come to be.
pub(super) fn is_at_a_terminal() -> bool {
    isatty(stdin()) && tcgetpgrp(stdin()).is_ok()
}

/// Whether stdin is a terminal that is not that of tracer's session.
pub(super) fn is_at_a_foreign_terminal() -> bool {
    isatty(stdin()) && tcgetpgrp(stdin()) == Err(Errno::NOTTY)
}

/// Whether somebody types at tracer's stdin: it is a terminal, and tracer is in its foreground.
pub(super) fn is_typed_at() -> bool {
    isatty(stdin()) && tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// A terminal that passes every key on while tracer is in its foreground, until this is dropped.
struct Raw {
    terminal: BorrowedFd<'static>,
    /// It is not that of tracer's session.
    is_foreign: bool,
    /// Its settings when it was taken, until they are put back.
    before: Option<Termios>,
    is_taken: bool,
    /// It is nobody's any more: who reads it reads the end, and so is the command to.
    is_hung_up: bool,
}

impl Raw {
    fn look(&mut self) -> bool {
        self.is_hung_up = tcgetpgrp(self.terminal) == Err(Errno::IO);
        let is_ours = self.is_ours();
        let is_new = is_ours && !self.is_taken;
        self.is_taken = is_ours;
        if is_new && let Err(error) = self.set() {
            log::warn!("the terminal's settings can't be changed ({error})");
        }
        is_new
    }

    fn is_ours(&self) -> bool {
        if self.is_foreign { is_at_a_foreign_terminal() } else { is_typed_at() }
    }

    fn set(&mut self) -> io::Result<()> {
        let before = match &self.before {
            // Not put back by tracer: what is there now may be its own settings, which a shell kept for the job.
            Some(before) => before,
            None => self.before.insert(tcgetattr(self.terminal)?),
        };
        let mut raw = before.clone();
        raw.make_raw();
        Ok(tcsetattr(self.terminal, OptionalActions::Drain, &raw)?)
    }

    /// One that is somebody else's by now has that one's settings.
    fn put_back(&mut self) {
        if !std::mem::take(&mut self.is_taken) || !self.is_ours() {
            return;
        }
        let put_back =
            self.before.take().map(|before| tcsetattr(self.terminal, OptionalActions::Now, &before));
        if let Some(Err(error)) = put_back {
            log::warn!("the terminal's settings could not be put back ({error}); run: stty sane");
        }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.put_back();
    }
}
