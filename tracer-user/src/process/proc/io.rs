//! `/proc/PID/io` (proc_pid_io(5)): what the process fetched from storage and sent there, over all its threads.

use super::number::decimal;

/// What is used of the file. `None`: no such line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes fetched from storage.
    pub read_bytes: Option<u64>,
    /// Bytes sent to storage. What was truncated away before it got there is in it.
    pub write_bytes: Option<u64>,
}

impl Io {
    /// Reads what is there.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let mut io = Self::default();
        for line in file.split(|byte| *byte == b'\n') {
            if let Some(value) = line.strip_prefix(b"read_bytes: ") {
                io.read_bytes = decimal(value);
            } else if let Some(value) = line.strip_prefix(b"write_bytes: ") {
                io.write_bytes = decimal(value);
            }
        }
        io
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Io;

    #[test]
    fn bytes_of_storage_are_not_bytes_of_calls() {
        let io = Io::parse(b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 0\ncancelled_write_bytes: 9\n");
        assert_eq!(io, Io { read_bytes: Some(4096), write_bytes: Some(0) });
    }

    #[test]
    fn a_line_that_is_missing_or_damaged_is_none() {
        assert_eq!(Io::parse(b"read_bytes: -1\nwrite_bytes:5\n"), Io::default());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_parsed(bytes: Vec<u8>) {
            let _ = Io::parse(&bytes);
        }
    }
}
