//! `/proc/PID/status` (proc_pid_status(5)): memory, signals and context switches, in one pass over its lines.
//!
//! The file is that of the main thread. Memory is the process's (threads share it), and so are handlers; pending and blocked
//! signals and context switches are the main thread's own (fs/proc/array.c, `task_sig` and `task_context_switch_counts`).
//! A name can't forge a line: the kernel writes its newlines as `\n` (`proc_task_name`).

use super::number::{decimal, hexadecimal};

/// What is used of the file. `None`: no such line, as `Vm…` of a zombie or a kernel thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// State of the main thread: it may have changed since `stat` was read.
    pub state: Option<u8>,
    /// Resident set, KiB.
    pub vm_rss_kb: Option<u64>,
    /// Its peak since the last exec, KiB.
    pub vm_hwm_kb: Option<u64>,
    /// Swapped out, KiB; shared memory is not in it.
    pub vm_swap_kb: Option<u64>,
    /// Signals that wait for the main thread.
    pub thread_pending: Option<u64>,
    /// Signals that wait for whichever thread takes them.
    pub shared_pending: Option<u64>,
    /// Signals that the main thread blocks.
    pub blocked: Option<u64>,
    /// Signals that the process ignores.
    pub ignored: Option<u64>,
    /// Signals that have a handler.
    pub caught: Option<u64>,
    /// Times that the main thread gave its processor up.
    pub voluntary: Option<u64>,
    /// Times that it was taken from the main thread.
    pub involuntary: Option<u64>,
}

impl Status {
    /// Reads what is there. What makes no sense is as if it were not there.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let mut status = Self::default();
        let mut rest = file;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at(end);
            status.line(line);
            rest = after.get(1..).unwrap_or_default();
        }
        status
    }

    /// Signals that wait: the main thread's own and the process's.
    #[must_use]
    pub fn pending(&self) -> Option<u64> {
        Some(self.thread_pending? | self.shared_pending?)
    }

    fn line(&mut self, line: &[u8]) {
        // Most lines are none of these; their first letter tells, without a search for the colon.
        if !matches!(line.first(), Some(b'V' | b'S' | b'v' | b'n')) {
            return;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return };
        let (key, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        match key {
            b"State" => self.state = value.first().copied(),
            b"VmHWM" => self.vm_hwm_kb = kib(value),
            b"VmRSS" => self.vm_rss_kb = kib(value),
            b"VmSwap" => self.vm_swap_kb = kib(value),
            b"SigPnd" => self.thread_pending = hexadecimal(value),
            b"ShdPnd" => self.shared_pending = hexadecimal(value),
            b"SigBlk" => self.blocked = hexadecimal(value),
            b"SigIgn" => self.ignored = hexadecimal(value),
            b"SigCgt" => self.caught = hexadecimal(value),
            b"voluntary_ctxt_switches" => self.voluntary = decimal(value),
            b"nonvoluntary_ctxt_switches" => self.involuntary = decimal(value),
            _ => {}
        }
    }
}

fn kib(value: &[u8]) -> Option<u64> {
    decimal(value.strip_suffix(b" kB")?.trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Status;

    const FILE: &[u8] = b"Name:\ta\\nVmRSS:\t1 kB\nState:\tS (sleeping)\nVmSize:\t 9 kB\nVmHWM:\t    1788 kB\n\
        VmRSS:\t    1700 kB\nVmSwap:\t       0 kB\nThreads:\t1\nSigQ:\t1/96365\nSigPnd:\t0000000000000001\n\
        ShdPnd:\t0000000000000200\nSigBlk:\t8000000000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000180000000\n\
        Speculation_Store_Bypass:\tvulnerable\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";

    #[test]
    fn every_field_is_found() {
        let status = Status::parse(FILE);
        assert_eq!(
            (status.vm_rss_kb, status.vm_hwm_kb, status.vm_swap_kb),
            (Some(1700), Some(1788), Some(0))
        );
        assert_eq!(
            (status.pending(), status.blocked, status.caught),
            (Some(0x201), Some(1 << 63), Some(0x1_8000_0000))
        );
        assert_eq!(status.ignored, Some(0x1000));
        assert_eq!((status.voluntary, status.involuntary, status.state), (Some(12), Some(3), Some(b'S')));
    }

    #[test]
    fn a_zombie_has_no_memory_and_it_is_not_zero() {
        let status = Status::parse(b"Name:\tx\nState:\tZ (zombie)\nThreads:\t1\nSigPnd:\t0000000000000000\n");
        assert_eq!((status.vm_rss_kb, status.thread_pending, status.pending()), (None, Some(0), None));
    }

    #[test]
    fn a_figure_in_another_unit_is_not_taken_for_kib() {
        assert_eq!(Status::parse(b"VmRSS:\t 5 MB\nVmHWM:\t7\n"), Status::default());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_parsed(bytes: Vec<u8>) {
            let _ = Status::parse(&bytes);
        }

        #[test]
        fn a_file_that_is_cut_or_damaged_anywhere_can_be_parsed(at in 0..FILE.len(), byte: u8) {
            let _ = Status::parse(&FILE[..at]);
            let mut damaged = FILE.to_vec();
            damaged[at] = byte;
            let _ = Status::parse(&damaged);
        }
    }
}
