//! What tracer says on stderr, in whole lines, without ever being held up by whoever is to read them.
//!
//! stderr is the command's too, and its reader may have stopped reading. While a command runs, words wait for room beside the
//! loop, which has endings and signals to see to. The last words are waited for: for `PATIENCE`, and not once tracer was
//! sent a signal to end. A closed stderr ends nothing.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PIPE_BUF;
use rustix::stdio::stderr;

use super::bounded::{LOOK, PATIENCE, is_told_to_end, unblocking};

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// Lines that wait; later ones are dropped, and counted.
const LINES: usize = 256;

static WAITING: Mutex<Waiting> = Mutex::new(Waiting { lines: VecDeque::new(), dropped: 0 });

struct Waiting {
    lines: VecDeque<Vec<u8>>,
    dropped: usize,
}

/// Says a line, now or as soon as there is room for it.
pub(super) fn say(line: String) {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.lines.len() < LINES {
        waiting.lines.push_back(line.into_bytes());
    } else {
        waiting.dropped += 1;
    }
    let own = unblocking(stderr());
    while waiting.write_first(to(own.as_ref()), &AT_ONCE) {}
}

/// Waits until all that was said is with its reader, or it is no use to wait any longer.
pub(super) fn finish() {
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    if waiting.dropped > 0 {
        let line = format!("tracer: {} more lines found no room\n", std::mem::take(&mut waiting.dropped));
        waiting.lines.push_back(line.into_bytes());
    }
    let (begin, own) = (Instant::now(), unblocking(stderr()));
    while !waiting.lines.is_empty() && begin.elapsed() < PATIENCE && !is_told_to_end() {
        waiting.write_first(to(own.as_ref()), &LOOK);
    }
}

fn to(own: Option<&OwnedFd>) -> BorrowedFd<'_> {
    own.map_or(stderr(), AsFd::as_fd)
}

impl Waiting {
    /// Writes the first line, if there is one and room for it within this time. Of a very long line what surely has room.
    fn write_first(&mut self, to: BorrowedFd<'_>, time: &Timespec) -> bool {
        let Some(line) = self.lines.front_mut() else { return false };
        let mut asked = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
        if !matches!(poll(&mut asked, Some(time)), Ok(1..)) {
            return false;
        }
        match rustix::io::write(to, &line[..line.len().min(PIPE_BUF)]) {
            Ok(count) => drop(line.drain(..count)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return false,
            // Nobody reads it, now or later.
            Err(_) => line.clear(),
        }
        if line.is_empty() {
            self.lines.pop_front();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};
    use std::os::fd::AsFd;

    use super::{AT_ONCE, VecDeque, Waiting};

    #[test]
    fn what_finds_no_room_waits_and_comes_whole_and_in_order() {
        let (mut reader, writer) = pipe().unwrap();
        let lines: Vec<Vec<u8>> =
            (0..40_u8).map(|n| [vec![b'a' + n % 26; 5000], vec![b'\n']].concat()).collect();
        let mut waiting = Waiting { lines: VecDeque::from(lines.clone()), dropped: 0 };
        while waiting.write_first(writer.as_fd(), &AT_ONCE) {}
        assert!(!waiting.lines.is_empty(), "a pipe holds 64 KiB");
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        while !waiting.lines.is_empty() {
            waiting.write_first(writer.as_fd(), &super::LOOK);
        }
        drop(writer);
        assert!(reading.join().unwrap() == lines.concat(), "other bytes");
    }

    #[test]
    fn what_nobody_can_read_waits_for_nobody() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut waiting = Waiting { lines: VecDeque::from([b"a\n".to_vec(), b"b\n".to_vec()]), dropped: 0 };
        while waiting.write_first(writer.as_fd(), &AT_ONCE) {}
        assert!(waiting.lines.is_empty());
    }
}
