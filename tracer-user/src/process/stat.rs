//! `/proc/PID/stat` (proc_pid_stat(5)): the one line that has a process's identity and its name in one read.

use std::io;

use super::identity::{Identity, Ticks};
use super::proc::number::decimal;

/// What is used of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Process id.
    pub pid: u32,
    /// Name, of any bytes.
    pub comm: Vec<u8>,
    /// State: `R`, `S`, `D`, `Z` …
    pub state: u8,
    /// Parent at the moment.
    pub ppid: u32,
    /// Threads that are not reaped yet.
    pub threads: u64,
    /// Start time.
    pub start: Ticks,
}

/// The line in place, without a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatLine<'a> {
    /// Process id.
    pub pid: u32,
    /// Name, of any bytes.
    pub comm: &'a [u8],
    /// State of the main thread: `R`, `S`, `D`, `Z` …
    pub state: u8,
    /// Parent at the moment.
    pub ppid: u32,
    /// User CPU time of all its threads, also of those that ended.
    pub utime: Ticks,
    /// System CPU time of the same.
    pub stime: Ticks,
    /// Threads that are not reaped yet. 0: the process is being reaped at this moment, and its other figures are
    /// not there any more (fs/proc/array.c, `do_task_stat`, where `lock_task_sighand` fails).
    pub threads: u64,
    /// Start time.
    pub start: Ticks,
}

impl<'a> StatLine<'a> {
    /// Parses a line. The name may itself hold blanks and parentheses, so its end is the last `)`.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let open = memchr::memchr(b'(', line)?;
        let close = memchr::memrchr(b')', line)?;
        let pid = u32::try_from(decimal(line[..open].trim_ascii())?).ok()?;
        let comm = line.get(open + 1..close)?;
        // Field 3 (state) comes first here, so field N is at N - 3; each `nth` counts from the field after the last.
        let rest = line[close + 1..].trim_ascii();
        let mut fields = rest.split(|byte| *byte == b' ');
        let state = *fields.next()?.first()?;
        let ppid = u32::try_from(decimal(fields.next()?)?).ok()?;
        let utime = Ticks(decimal(fields.nth(9)?)?);
        let stime = Ticks(decimal(fields.next()?)?);
        let threads = decimal(fields.nth(4)?)?;
        let start = Ticks(decimal(fields.nth(1)?)?);
        Some(Self { pid, comm, state, ppid, utime, stime, threads, start })
    }

    /// Who this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { pid: self.pid, start: self.start }
    }
}

impl Stat {
    /// Reads the line of `pid`. `None`: there is no such process, or the line makes no sense.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The same, where it makes a difference that the file could not be read. `Ok(None)`: there is no such process.
    pub fn look(pid: u32) -> io::Result<Option<Self>> {
        match std::fs::read(format!("/proc/{pid}/stat")) {
            Ok(line) => Ok(Self::parse(&line)),
            // It ended between open and read (proc(5) does not say so, fs/proc/base.c does).
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Parses a line.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let StatLine { pid, comm, state, ppid, threads, start, .. } = StatLine::parse(line)?;
        Some(Self { pid, comm: comm.to_vec(), state, ppid, threads, start })
    }

    /// Who this is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { pid: self.pid, start: self.start }
    }

    /// Whether every thread has ended. A leader that ended before its threads is a zombie too, but not the last.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }

    /// Whether a signal stopped it; a debugger's stop is another state.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state == b'T'
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Stat, StatLine};
    use crate::process::identity::Ticks;

    const TAIL: &str = "S 1 2 2 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 12345 1000 200 18446744073709551615";

    #[test]
    fn a_name_with_parentheses_and_newlines_is_whole() {
        let line = format!("77 (a) b\n(c) {TAIL}");
        let stat = Stat::parse(line.as_bytes()).unwrap();
        assert_eq!((stat.comm.as_slice(), stat.ppid, stat.threads), (b"a) b\n(c".as_slice(), 1, 3));
        assert_eq!(stat.start, Ticks(12345));
    }

    #[test]
    fn a_name_need_not_be_utf_8() {
        let line = [b"5 (\xff\xfe) ".as_slice(), TAIL.as_bytes()].concat();
        assert_eq!(Stat::parse(&line).unwrap().comm, b"\xff\xfe");
    }

    #[test]
    fn a_zombie_leader_with_live_threads_is_not_over() {
        let line = format!("5 (x) {}", TAIL.replacen('S', "Z", 1));
        assert!(!Stat::parse(line.as_bytes()).unwrap().is_over());
        let alone = line.replace(" 20 0 3 ", " 20 0 1 ");
        assert!(Stat::parse(alone.as_bytes()).unwrap().is_over());
    }

    #[test]
    fn what_is_no_line_is_none() {
        for line in [b"".as_slice(), b"(", b")(", b"5 (x)", b"5 (x) S", b"x (x) S 1 2"] {
            assert_eq!(Stat::parse(line), None);
        }
    }

    #[test]
    fn cpu_time_is_user_then_system() {
        let line = format!("5 (x) {TAIL}");
        let stat = StatLine::parse(line.as_bytes()).unwrap();
        assert_eq!((stat.utime, stat.stime), (Ticks(5), Ticks(6)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line_or_none(bytes: Vec<u8>) {
            let _ = Stat::parse(&bytes);
        }

        #[test]
        fn any_name_comes_back_whole(name: Vec<u8>) {
            let line = [b"5 (".as_slice(), &name, b") ", TAIL.as_bytes()].concat();
            prop_assert_eq!(Stat::parse(&line).unwrap().comm, name);
        }
    }

    #[test]
    fn this_process_is_found() {
        let stat = Stat::read(std::process::id()).unwrap();
        assert_eq!(stat.pid, std::process::id());
        assert!(stat.start > Ticks(0));
    }
}
