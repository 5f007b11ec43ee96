//! `--live`: running time, processes, and resident sets of target and tree, while the command runs.
//!
//! The terminal is the command's. So the words stand at the right end of the line where the cursor is, which comes back to its
//! place: what the command has begun to write stays, and what it writes next goes on from there. Nothing is drawn while a
//! program has the terminal in raw mode (an editor, a pager, a prompt with editing) or the job is in the background. What
//! can't be avoided: where a line of the command scrolls away between two drawings, the words stay beside it.
//!
//! Where the command has a terminal of its own, tracer has put the outer one into raw mode itself, and it is the inner one that
//! tells of the program's. Nothing that is drawn has a newline, which would be half of one there.
//!
//! Drawn no more often than four times a second, and only where stderr is a terminal; erased before the command's end is told.
//! A terminal that takes nothing (Ctrl-S) is not waited for: what was to be drawn meanwhile is left out.

use std::io::{self, stderr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, Termios, isatty, tcgetattr, tcgetpgrp, tcgetwinsize};

/// Between two drawings.
const RHYTHM: Duration = Duration::from_millis(250);
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The status line of a run.
pub(super) struct Live {
    terminal: OwnedFd,
    begun: Instant,
    last: Option<Instant>,
    /// So many columns at the right are drawn on.
    drawn: usize,
    /// What the terminal has not taken yet of a drawing that it has begun to take.
    rest: Vec<u8>,
}

impl Live {
    /// `None`: stderr is no terminal.
    pub(super) fn begin() -> Option<Self> {
        if !isatty(stderr()) {
            return None;
        }
        // Anew, since others who have it open would notice if it did not block. Where it can't be opened, as after `su`, it is
        // only written while it has room.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let anew = rustix::fs::open("/proc/self/fd/2", flags, Mode::empty());
        let terminal = anew.or_else(|_| fcntl_dupfd_cloexec(stderr(), 3)).ok()?;
        Some(Self { terminal, begun: Instant::now(), last: None, drawn: 0, rest: Vec::new() })
    }

    /// Whether it is time to draw. `in_lines`: what the command's own terminal says, where what it shows is shown here.
    pub(super) fn is_due(&self, in_lines: Option<bool>) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= RHYTHM) && is_ours(in_lines)
    }

    /// Draws.
    pub(super) fn draw(&mut self, processes: usize, target_kb: Option<u64>, tree_kb: Option<u64>) {
        self.last = Some(Instant::now());
        let width = tcgetwinsize(stderr()).map_or(80, |size| usize::from(size.ws_col));
        let words = words(self.begun.elapsed(), processes, target_kb, tree_kb);
        let words = cut(&words, width);
        let before = self.drawn.saturating_sub(words.len());
        // A shorter text leaves nothing of a longer one.
        if self.write(width, &format!("{:before$}{words}", "")) {
            self.drawn = words.len();
        }
    }

    /// Takes the words away.
    pub(super) fn erase(&mut self, in_lines: Option<bool>) {
        if self.drawn > 0 && is_ours(in_lines) {
            let width = tcgetwinsize(stderr()).map_or(80, |size| usize::from(size.ws_col));
            self.write(width, &" ".repeat(self.drawn.min(width.saturating_sub(1))));
        }
        self.drawn = 0;
    }

    /// Puts `words` at the right end of the cursor's line, in one write: DECSC, CHA, DECRC (ECMA-48, xterm's ctlseqs). The
    /// last column stays free, since a character there would leave the cursor between two lines. False: the terminal takes
    /// nothing at the moment.
    fn write(&mut self, width: usize, words: &str) -> bool {
        // Half an escape sequence would swallow what follows it, so the other half comes first.
        self.push();
        if !self.rest.is_empty() {
            return false;
        }
        let column = width.saturating_sub(words.len()).max(1);
        self.rest = format!("\x1b7\x1b[{column}G{words}\x1b8").into_bytes();
        let all = self.rest.len();
        self.push();
        if self.rest.len() == all {
            self.rest.clear();
            return false;
        }
        true
    }

    /// Writes of the rest what there is room for.
    fn push(&mut self) {
        let mut asked = [PollFd::new(&self.terminal, PollFlags::OUT)];
        let has_room =
            poll(&mut asked, Some(&AT_ONCE)).is_ok() && asked[0].revents().contains(PollFlags::OUT);
        if self.rest.is_empty() || !has_room {
            return;
        }
        match rustix::io::write(&self.terminal, &self.rest).map_err(io::Error::from) {
            Ok(count) => drop(self.rest.drain(..count)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // A terminal that is gone must not end the run.
            Err(_) => self.rest.clear(),
        }
    }
}

/// Whether the terminal shows what this job writes, line by line.
fn is_ours(in_lines: Option<bool>) -> bool {
    let are_lines = |modes: Termios| modes.local_modes.contains(LocalModes::ICANON);
    in_lines.unwrap_or_else(|| tcgetattr(stderr()).is_ok_and(are_lines))
        && tcgetpgrp(stderr()).is_ok_and(|group| group == getpgrp())
}

fn words(time: Duration, processes: usize, target_kb: Option<u64>, tree_kb: Option<u64>) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let clock = if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    };
    let rss = |kb: Option<u64>, of: &str| {
        kb.map_or(String::new(), |kb| format!(", {} MiB {of}", kb.div_ceil(1024)))
    };
    format!("{clock}, {processes} proc{}{}", rss(target_kb, "target"), rss(tree_kb, "tree"))
}

/// As much as a window shows, the last column left free. All of it is ASCII.
fn cut(words: &str, width: usize) -> &str {
    &words[..words.len().min(width.saturating_sub(2))]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{cut, words};

    #[test]
    fn the_words_say_time_processes_and_memory_and_nothing_that_is_not_known() {
        let time = Duration::from_secs(3725);
        assert_eq!(words(time, 12, Some(2048), Some(4097)), "1:02:05, 12 proc, 2 MiB target, 5 MiB tree");
        assert_eq!(words(Duration::from_secs(9), 1, None, None), "0:09, 1 proc");
    }

    #[test]
    fn a_narrow_window_cuts_the_words() {
        assert_eq!(cut("0:09, 1 proc", 8), "0:09, ");
        assert_eq!(cut("0:09, 1 proc", 1), "");
        assert_eq!(cut("0:09, 1 proc", 80), "0:09, 1 proc");
    }
}
