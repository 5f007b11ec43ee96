//! Brings what is written at one end to the other, byte for byte and in order, and holds no more than one piece: who writes
//! waits for who reads.

use std::io;

use super::lookout::Lookout;
use super::port::Port;

/// What is read at once; what a pipe holds.
const PIECE: usize = 64 << 10;
/// What is taken at the end: a pipe that somebody made larger holds up to this (pipe(7)), and who goes on writing gets no further.
const REST: usize = 1 << 20;

/// What was seen of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Something was written.
    pub(crate) output: bool,
    /// It has what is looked for.
    pub(crate) matched: bool,
    /// Ctrl-Z was typed.
    pub(crate) stops: bool,
}

/// One stream under way.
pub(super) struct Relay {
    /// `None`: it has been closed.
    from: Option<Port>,
    /// `None`: so has this one, since nothing comes any more.
    to: Option<Port>,
    /// What it is called where it can't be written.
    name: &'static str,
    piece: Vec<u8>,
    /// How much of the piece is written.
    written: usize,
    /// The last byte that was read.
    last: Option<u8>,
    /// What is to be looked for, until it was seen.
    lookout: Option<Lookout>,
    /// What stands for the end of the stream, where closing does not: a terminal's VEOF.
    eof: Option<u8>,
    /// It comes from tracer's own terminal.
    is_typed: bool,
}

impl Relay {
    pub(super) fn new(from: Port, to: Port, name: &'static str) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
            name,
            piece: Vec::new(),
            written: 0,
            last: None,
            lookout: None,
            eof: None,
            is_typed: false,
        }
    }

    /// It comes from tracer's own terminal, which may be somebody else's for a time.
    pub(super) fn of_terminal(self) -> Self {
        Self { is_typed: true, ..self }
    }

    /// Looks for something on the way.
    pub(super) fn looking(self, lookout: Option<Lookout>) -> Self {
        Self { lookout, ..self }
    }

    /// Writes this character at the end.
    pub(super) fn with_eof(self, eof: u8) -> Self {
        Self { eof: Some(eof), ..self }
    }

    /// Waits until there is something to do; for ever, if it is done.
    pub(super) async fn ready(&self) {
        match (&self.from, &self.to) {
            (_, Some(to)) if self.holds() > 0 => to.writable().await,
            (Some(from), Some(to)) => tokio::select! {
                () = from.readable() => {}
                () = to.broken() => {}
            },
            _ => std::future::pending().await,
        }
    }

    /// Whether everything is where it belongs.
    pub(super) fn is_done(&self) -> bool {
        self.from.is_none() && self.holds() == 0
    }

    /// Whether somebody may write to it still.
    pub(super) fn is_open(&self) -> bool {
        self.from.is_some()
    }

    /// What was read last.
    pub(super) fn piece(&self) -> &[u8] {
        &self.piece
    }

    /// Bytes that were read and not written yet.
    pub(super) fn holds(&self) -> usize {
        self.piece.len() - self.written
    }

    /// Takes all that was written so far, whoever may read it, and whenever. Who wrote it has ended, and so has its last line.
    pub(super) fn take_rest(&mut self) -> Seen {
        let mut seen = Seen::default();
        let mut piece = Vec::with_capacity(PIECE);
        while let Some(from) = self.from.as_ref().filter(|_| self.holds() < REST) {
            piece.clear();
            match from.read_now(&mut piece) {
                Ok(count) if count > 0 => {
                    self.last = piece.last().copied();
                    self.piece.extend_from_slice(&piece);
                    seen.output = true;
                    seen.matched |= self.look(&piece);
                }
                Ok(_) => self.from = None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nothing more, or an error that the next read meets again.
                Err(_) => break,
            }
        }
        seen.matched |= self.end_line().matched;
        seen
    }

    /// Takes the rest, and nothing after it.
    pub(super) fn wind_up(&mut self) -> Seen {
        let seen = self.take_rest();
        self.from = None;
        seen
    }

    /// Does what can be done without waiting, for one piece.
    pub(super) fn step(&mut self) -> Seen {
        let mut seen = Seen::default();
        if self.holds() == 0 {
            seen = self.read();
        }
        while let Some(to) = self.to.as_ref().filter(|_| self.holds() > 0) {
            match to.write(&self.piece[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.fail(&error),
            }
        }
        if self.is_done() {
            // Whoever reads sees the end now, and not when tracer ends.
            self.to = None;
        }
        seen
    }

    /// Takes the next piece.
    fn read(&mut self) -> Seen {
        let Some(from) = &self.from else { return Seen::default() };
        if self.eof.is_none() && self.to.as_ref().is_some_and(Port::is_broken) {
            self.from = None;
            return Seen::default();
        }
        self.piece.clear();
        self.piece.reserve(PIECE);
        self.written = 0;
        let read = from.read(&mut self.piece);
        match read {
            Ok(0) => return self.close(),
            Ok(_) => {
                self.last = self.piece.last().copied();
                let piece = std::mem::take(&mut self.piece);
                let matched = self.look(&piece);
                self.piece = piece;
                return Seen { output: true, matched, stops: false };
            }
            // tracer's own terminal says so where it is somebody else's; another has hung up (tty_ioctl(4), pty(7)).
            Err(error) if error.raw_os_error() == Some(libc::EIO) && self.is_typed => {}
            Err(error) if error.raw_os_error() == Some(libc::EIO) => return self.close(),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => {
                log::warn!("{} can't be read any more ({error})", self.name);
                self.from = None;
            }
        }
        Seen::default()
    }

    /// The end of the stream. A terminal takes the first VEOF for the end of a line that has none.
    fn close(&mut self) -> Seen {
        self.from = None;
        if let Some(eof) = self.eof {
            self.piece = vec![eof; if self.last.is_none_or(|last| last == b'\n') { 1 } else { 2 }];
        }
        self.end_line()
    }

    /// Nothing more is to come of an unfinished line.
    fn end_line(&mut self) -> Seen {
        let matched = self.lookout.as_mut().is_some_and(Lookout::ends);
        if matched {
            self.lookout = None;
        }
        Seen { matched, ..Seen::default() }
    }

    fn look(&mut self, piece: &[u8]) -> bool {
        let matched = self.lookout.as_mut().is_some_and(|lookout| lookout.sees(piece));
        if matched {
            self.lookout = None;
        }
        matched
    }

    /// Nobody takes it. Closing the other end tells whoever writes, as it would without tracer.
    fn fail(&mut self, error: &io::Error) {
        if self.eof.is_none() && error.raw_os_error() != Some(libc::EPIPE) {
            log::warn!("{} can't be written any more ({error})", self.name);
        }
        self.from = None;
        self.piece.clear();
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};
    use std::os::fd::{AsFd, OwnedFd};

    use tokio::io::Interest;

    use super::{PIECE, Relay, Seen};
    use crate::run::streams::port::Port;

    fn port(fd: impl Into<OwnedFd>, interest: Interest) -> Port {
        Port::new(fd.into(), interest).unwrap()
    }

    /// A relay between two pipes, and their outer ends.
    fn relay() -> (std::io::PipeWriter, Relay, std::io::PipeReader) {
        let (from, writer) = pipe().unwrap();
        let (reader, to) = pipe().unwrap();
        let relay = Relay::new(port(from, Interest::READABLE), Port::output(to.as_fd()).unwrap(), "stdout");
        (writer, relay, reader)
    }

    async fn pump(relay: &mut Relay) -> Seen {
        relay.ready().await;
        relay.step()
    }

    #[tokio::test]
    async fn who_writes_waits_for_who_reads_and_no_byte_is_lost() {
        let (mut writer, mut relay, mut reader) = relay();
        let bytes: Vec<u8> = (0..=250).cycle().take(10 * PIECE).collect();
        let sent = bytes.clone();
        let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
        // Nobody reads: one pipe is full, one piece is held, and the other pipe fills up.
        while relay.holds() == 0 {
            pump(&mut relay).await;
        }
        assert_eq!(relay.step(), Seen::default());
        assert!(relay.holds() <= PIECE, "{}", relay.holds());
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        while !relay.is_done() {
            pump(&mut relay).await;
        }
        drop(relay);
        assert!(reading.join().unwrap() == bytes, "other bytes");
        writing.join().unwrap();
    }

    #[tokio::test]
    async fn when_nobody_reads_any_more_who_writes_is_told_at_once() {
        let (mut writer, mut relay, reader) = relay();
        drop(reader);
        pump(&mut relay).await;
        assert!(relay.is_done());
        assert_eq!(writer.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn at_the_end_what_is_there_is_the_rest_though_somebody_holds_the_pipe() {
        let (mut writer, mut relay, mut reader) = relay();
        writer.write_all(b"rest").unwrap();
        assert!(relay.wind_up().output);
        while !relay.is_done() {
            pump(&mut relay).await;
        }
        drop(relay);
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "rest");
        drop(writer);
    }

    #[tokio::test]
    async fn a_pipe_that_nobody_holds_is_over_as_soon_as_its_rest_is_taken() {
        let (mut writer, mut relay, _reader) = relay();
        writer.write_all(b"rest").unwrap();
        assert!(relay.take_rest().output && relay.is_open(), "somebody holds it");
        drop(writer);
        assert!(!relay.take_rest().output && !relay.is_open());
        assert_eq!((relay.holds(), relay.is_done()), (4, false));
    }

    #[tokio::test]
    async fn the_end_of_a_line_that_has_none_takes_two_ends_of_file() {
        for (typed, expected) in [("", "\x04"), ("a\n", "a\n\x04"), ("a", "a\x04\x04")] {
            let (mut writer, relay, mut reader) = relay();
            let mut relay = relay.with_eof(4);
            writer.write_all(typed.as_bytes()).unwrap();
            if !typed.is_empty() {
                pump(&mut relay).await;
                // Nothing there for a moment.
                relay.step();
            }
            drop(writer);
            while !relay.is_done() {
                pump(&mut relay).await;
            }
            drop(relay);
            let mut all = String::new();
            reader.read_to_string(&mut all).unwrap();
            assert_eq!(all, expected, "{typed:?}");
        }
    }
}
