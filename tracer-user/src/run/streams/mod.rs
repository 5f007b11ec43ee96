//! The command's stdin, stdout and stderr: untouched, unless its output has to be seen or it is to have a terminal.
//!
//! | | what the command has |
//! |---|---|
//! | usually | tracer's own descriptors: no byte passes through tracer |
//! | output is looked at | a pipe for stdout and one for stderr; one for both where both are the same file |
//! | the same, and stderr alone is a terminal | a terminal for stderr, which is nobody's session's: the job stays where it is |
//! | the same, and stdout is a terminal | a terminal of its own in the place of each that is one |
//! | `--pty` | a terminal of its own for all three |
//!
//! - `port`: an end of a stream. `relay`: from one end to the other. `lookout`: what `--until` looks for.
//! - `pty`: a terminal for the command. `keys`: what is typed at tracer's, for the command's.

mod keys;
mod lookout;
mod port;
mod pty;
mod relay;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags, Uid, fchown, fcntl_setfl, fstat};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::isatty;
use tokio::io::Interest;

use super::limits::Limits;
use super::signals::Number;
use super::spawn::Ends;
use keys::{Keys, is_at_a_foreign_terminal, is_at_a_terminal};
use lookout::Lookout;
use port::Port;
use pty::Pty;
use relay::Relay;
pub(super) use relay::Seen;

/// The streams that pass through tracer; usually none.
#[derive(Default)]
pub(super) struct Streams {
    output: Vec<Relay>,
    typed: Option<Keys>,
    pty: Option<Pty>,
    /// A terminal that is only written to, and at which nobody types: stderr's.
    aside: Option<Pty>,
}

impl Streams {
    /// Makes what these limits need, and the ends that the command is to have, whose terminal `owner` owns. Must be called
    /// inside a tokio runtime.
    pub(super) fn open(limits: &Limits, owner: Option<u32>) -> io::Result<(Self, Ends)> {
        let lookout = limits.until.clone().map(Lookout::new);
        if limits.pty {
            return Self::with_terminal(lookout, true, owner);
        }
        if lookout.is_none() && limits.idle.is_none() {
            return Ok((Self::default(), Ends::default()));
        }
        if isatty(stdout()) {
            return Self::with_terminal(lookout, false, owner);
        }
        let (mut streams, mut ends) = (Self::default(), Ends::default());
        ends.streams[1] = streams.pipe(stdout(), "stdout", lookout.as_ref(), owner)?;
        ends.streams[2] = match &ends.streams[1] {
            Some(pipe) if are_same(stdout(), stderr()) => Some(pipe.try_clone()?),
            _ if isatty(stderr()) => Some(streams.terminal_aside(lookout, owner)?),
            _ => streams.pipe(stderr(), "stderr", lookout.as_ref(), owner)?,
        };
        Ok((streams, ends))
    }

    /// A terminal for `all` three streams, or for those that are one now; what else is output is looked at too.
    fn with_terminal(lookout: Option<Lookout>, all: bool, owner: Option<u32>) -> io::Result<(Self, Ends)> {
        // Decided by what stdin is, and not by whose turn it is: the command leads another session, in which it could not be
        // stopped for reading a terminal that is somebody else's at the moment.
        // Keys of a foreign terminal are only taken where that was asked for: who stays in the background behind `setsid` may
        // have the terminal of a shell.
        let typed = is_at_a_terminal() || (all && is_at_a_foreign_terminal());
        let (pty, inside) = Pty::open(owner)?;
        let (mut streams, mut ends) = (Self::default(), Ends::default());
        if all || typed {
            ends.streams[0] = Some(inside.try_clone()?);
        }
        if typed || (all && !isatty(stdin())) {
            let to = Port::new(pty.outside()?, Interest::WRITABLE | Interest::ERROR)?;
            let relay = Relay::new(Port::input(stdin())?, to, "stdin").with_eof(pty.eof);
            streams.typed = Some(if typed { Keys::typed(relay) } else { Keys::piped(relay) });
        }
        ends.streams[1] = Some(inside.try_clone()?);
        ends.streams[2] = if all || isatty(stderr()) {
            Some(inside.try_clone()?)
        } else {
            streams.pipe(stderr(), "stderr", lookout.as_ref(), owner)?
        };
        let from = Port::new(pty.outside()?, Interest::READABLE)?;
        let relay = Relay::new(from, Port::output(stdout())?, "stdout").looking(lookout);
        streams.output.push(relay);
        ends.terminal = Some(inside);
        streams.pty = Some(pty);
        Ok((streams, ends))
    }

    /// A terminal for stderr, where that alone is one: what reads stdout (`less`) may want the keys of tracer's.
    fn terminal_aside(&mut self, lookout: Option<Lookout>, owner: Option<u32>) -> io::Result<OwnedFd> {
        let (pty, inside) = Pty::open_aside(owner)?;
        let from = Port::new(pty.outside()?, Interest::READABLE)?;
        self.output.push(Relay::new(from, Port::output(stderr())?, "stderr").looking(lookout));
        self.aside = Some(pty);
        Ok(inside)
    }

    /// A pipe whose other end goes to one of tracer's streams, and that `owner` may open by its name (`/dev/stdout`). `None`:
    /// that one is closed, and stays so.
    fn pipe(
        &mut self,
        to: BorrowedFd<'static>,
        name: &'static str,
        lookout: Option<&Lookout>,
        owner: Option<u32>,
    ) -> io::Result<Option<OwnedFd>> {
        if is_placeholder(to) {
            return Ok(None);
        }
        let (from, end) = pipe_with(PipeFlags::CLOEXEC)?;
        if let Some(owner) = owner {
            fchown(&end, Some(Uid::from_raw(owner)), None)?;
        }
        // Only this end: the command's has a description of its own, and waits as it would without tracer.
        fcntl_setfl(&from, OFlags::NONBLOCK)?;
        let relay = Relay::new(Port::new(from, Interest::READABLE)?, Port::output(to)?, name);
        self.output.push(relay.looking(lookout.cloned()));
        Ok(Some(end))
    }

    /// Waits until there is something to do; for ever, if nothing passes through tracer.
    pub(super) async fn ready(&self) {
        tokio::select! {
            () = readiness(self.output.first()) => {}
            () = readiness(self.output.get(1)) => {}
            () = async {
                match &self.typed {
                    Some(typed) => typed.ready().await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }

    /// Does what can be done without waiting.
    pub(super) fn step(&mut self) -> Seen {
        let typed = self.typed.as_mut().map(Keys::step).unwrap_or_default();
        let stops = self.pty.as_mut().is_some_and(|pty| pty.stops_at(typed));
        let seen = Seen { stops, ..together(self.output.iter_mut().map(Relay::step)) };
        // The terminal's relay is the last one. Where nobody takes its output any more the terminal hangs up, as one does
        // that nobody sits at: else the command would wait for somebody who is gone.
        if self.pty.is_some() && self.output.last().is_some_and(Relay::is_done) {
            (self.typed, self.pty) = (None, None);
        }
        seen
    }

    /// Looks at what nobody tells of: whether tracer was brought to the foreground of its own terminal, and the size of one that
    /// is not its session's.
    pub(super) fn look_again(&mut self) {
        let is_typed_at_now = self.typed.as_mut().is_some_and(Keys::look);
        let tells_nothing = self.typed.as_ref().is_some_and(Keys::come_from_a_foreign_terminal);
        if let Some(pty) = self.pty.as_ref().filter(|_| is_typed_at_now || tells_nothing) {
            pty.resize();
        }
    }

    /// Whether output waits for its reader: then the command is not silent, it is not heard.
    pub(super) fn is_held_up(&self) -> bool {
        self.held() > 0
    }

    /// Bytes of output that wait for their reader.
    pub(super) fn held(&self) -> usize {
        self.output.iter().map(Relay::holds).sum()
    }

    /// Takes all output that was written so far.
    pub(super) fn take_rest(&mut self) -> Seen {
        together(self.output.iter_mut().map(Relay::take_rest))
    }

    /// The command has ended. Nothing is typed any more, and its own terminal has hung up with it (`disassociate_ctty`,
    /// drivers/tty/tty_jobctrl.c). True: of the others there is one that somebody may write to still.
    pub(super) fn outlive_the_command(&mut self) -> bool {
        if let Some(typed) = &mut self.typed {
            typed.close();
        }
        // The terminal's relay is the last one.
        if let Some(terminal) = self.output.last_mut().filter(|_| self.pty.is_some()) {
            terminal.wind_up();
        }
        if let Some(aside) = &mut self.aside {
            aside.let_go();
        }
        self.output.iter().any(Relay::is_open)
    }

    /// Takes the rest, and nothing after it.
    pub(super) fn wind_up(&mut self) {
        self.output.iter_mut().for_each(|relay| {
            relay.wind_up();
            relay.step();
        });
    }

    /// Whether all output is with its reader.
    pub(super) fn is_done(&self) -> bool {
        self.output.iter().all(Relay::is_done)
    }

    /// Whether the command has a terminal of its own.
    pub(super) fn have_a_terminal(&self) -> bool {
        self.pty.is_some()
    }

    /// Whether the command's own terminal is in lines, and all that it was to show is shown. `None`: it has none that is shown at
    /// tracer's.
    pub(super) fn shows_lines(&self) -> Option<bool> {
        let pty = self.pty.as_ref().filter(|_| isatty(stdout()))?;
        Some(pty.is_in_lines() && !self.is_held_up())
    }

    /// The process group in the foreground of the command's terminal, where it has one.
    pub(super) fn foreground(&self) -> Option<Pid> {
        self.pty.as_ref()?.foreground()
    }

    /// tracer stood still: its terminal passes keys on again, and may have another size.
    pub(super) fn resumed(&mut self) {
        if let Some(typed) = &mut self.typed {
            typed.resume();
        }
        self.resize();
    }

    /// Each terminal takes the size of tracer's.
    fn resize(&self) {
        self.pty.iter().chain(&self.aside).for_each(Pty::resize);
    }

    /// tracer is about to stand still: its terminal is as it was.
    pub(super) fn let_go(&mut self) {
        if let Some(typed) = &mut self.typed {
            typed.let_go();
        }
    }

    /// The command has ended, and others are waited for: what it wrote is shown first, and then keys are tracer's own again.
    pub(super) fn nobody_reads(&mut self) {
        self.output.iter_mut().for_each(|relay| {
            relay.step();
        });
        self.typed = None;
    }

    /// Something happened at tracer's own terminal, which the command's is to tell too. False: it has the same terminal.
    pub(super) fn keyed(&self, signal: Number) -> bool {
        if signal == libc::SIGWINCH {
            self.resize();
        } else if let Some(pty) = &self.pty {
            pty.signal(signal);
        }
        self.pty.is_some()
    }
}

fn together(seen: impl Iterator<Item = Seen>) -> Seen {
    seen.fold(Seen::default(), |all, seen| Seen {
        output: all.output || seen.output,
        matched: all.matched || seen.matched,
        stops: all.stops || seen.stops,
    })
}

async fn readiness(relay: Option<&Relay>) {
    match relay {
        Some(relay) => relay.ready().await,
        None => std::future::pending().await,
    }
}

/// Whether the caller closed this stream: then it is tracer's own, and closed when the command begins.
fn is_placeholder(stream: BorrowedFd<'_>) -> bool {
    fcntl_getfd(stream).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC))
}

/// Whether what is written to both has one order. Two descriptions of a plain file each have their own place in it.
fn are_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let (Ok(first), Ok(second)) = (fstat(one), fstat(other)) else { return false };
    let is_plain = FileType::from_raw_mode(first.st_mode) == FileType::RegularFile;
    (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)
        && !is_placeholder(other)
        && (!is_plain || is_one_description(one, other))
}

/// kcmp(2). Where the kernel has no answer, they are taken for two.
fn is_one_description(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    const KCMP_FILE: libc::c_int = 0;
    let me = std::process::id();
    // SAFETY: compares two descriptors of this process, without pointers.
    unsafe { libc::syscall(libc::SYS_kcmp, me, me, KCMP_FILE, one.as_raw_fd(), other.as_raw_fd()) == 0 }
}
