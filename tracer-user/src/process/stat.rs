//! `/proc/PID/stat` (proc_pid_stat(5)): the one line that has a process's identity and its name in one read.

use super::identity::{Identity, Ticks};

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

impl Stat {
    /// Reads the line of `pid`. `None`: there is no such process, or the line makes no sense.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses a line. The name may itself hold blanks and parentheses, so its end is the last `)`.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let pid = std::str::from_utf8(line.get(..open)?).ok()?.trim().parse().ok()?;
        let comm = line.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        // Field 3 (state) comes first here, so field N is at N - 3.
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            comm,
            state: *fields.first()?.as_bytes().first()?,
            ppid: fields.get(1)?.parse().ok()?,
            threads: fields.get(17)?.parse().ok()?,
            start: Ticks(fields.get(19)?.parse().ok()?),
        })
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
}

#[cfg(test)]
mod tests {
    use super::Stat;
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
    fn this_process_is_found() {
        let stat = Stat::read(std::process::id()).unwrap();
        assert_eq!(stat.pid, std::process::id());
        assert!(stat.start > Ticks(0));
    }
}
