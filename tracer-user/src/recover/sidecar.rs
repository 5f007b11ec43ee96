//! A sidecar as it lies there: read and parsed in bounded memory, whatever somebody put into it.
//!
//! A value of two bytes takes up to a hundred in memory, so bytes alone bound nothing. What tracer writes comes from its own
//! arguments, of which the kernel takes at most 6 MiB (execve(2)), with a pointer and a zero byte for each; so there are only
//! so many values in it. A sidecar with more is not tracer's.

use std::fs::File;
use std::io::Read;

use crate::record::enrollment::Enrollment;

/// The most bytes that a sidecar has: arguments of a command are at most 6 MiB, and may be escaped.
pub(super) const LIMIT: u64 = 32 << 20;

/// The most bytes of arguments.
const ARGUMENTS: usize = 6 << 20;

/// The most values in it: an argument of a command takes no less than its zero byte and its pointer.
const VALUES: usize = ARGUMENTS / 9 + FIELDS;

/// The most of them that have a name: a label is `--label=abc=`, as there are not so many shorter ones, with both of these.
const NAMED: usize = ARGUMENTS / 21 + FIELDS;

/// More than there are fields.
const FIELDS: usize = 1000;

/// What it says; `None`: it can't be read, or it is not what tracer writes.
pub(super) fn read(file: &File) -> Option<Enrollment> {
    let len = file.metadata().ok()?.len().min(LIMIT);
    let mut text = Vec::with_capacity(usize::try_from(len).ok()? + 1);
    file.take(LIMIT).read_to_end(&mut text).ok()?;
    is_bounded(&text).then(|| serde_json::from_slice(&text).ok()).flatten()
}

/// Whether there are only so many values in it.
fn is_bounded(text: &[u8]) -> bool {
    let (mut values, mut named) = (1, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b',' if !in_string => values += 1,
            b':' if !in_string => named += 1,
            _ => {}
        }
    }
    values <= VALUES && named <= NAMED
}

#[cfg(test)]
mod tests {
    use super::{NAMED, VALUES, is_bounded};

    #[test]
    fn values_are_counted_and_what_stands_in_a_string_is_none() {
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(is_bounded(list(VALUES).as_bytes()) && !is_bounded(list(VALUES + 1).as_bytes()));
        let names = |count: usize| format!("{{{}}}", "\"\":0".repeat(count));
        assert!(is_bounded(names(NAMED).as_bytes()) && !is_bounded(names(NAMED + 1).as_bytes()));
        let text = ",:".repeat(VALUES);
        assert!(is_bounded(format!("[\"{text}\"]").as_bytes()));
        assert!(is_bounded(format!("[\"\\\\\\\"{text}\"]").as_bytes()));
        assert!(!is_bounded(format!("[\"\\\\\"{text}]").as_bytes()));
    }
}
