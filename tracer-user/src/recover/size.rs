//! Trace files that are too large to be read.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use crate::record::older;

/// The most bytes of a trace file that are read wherever they come from, without those that were moved.
const TRACE_LIMIT: u64 = 4 << 30;

/// Whether it is large without having been written: it costs whoever made it nothing, and whoever reads it much. What was
/// moved is a hole too, however large.
pub(super) fn is_too_large(trace: &File) -> bool {
    let moved = older::moved(trace);
    let found = trace.metadata();
    matches!((found, moved), (Ok(found), Ok(moved)) if is_blown_up(found.len() - moved, found.blocks() * 512))
}

fn is_blown_up(held: u64, on_disk: u64) -> bool {
    held > TRACE_LIMIT && on_disk < held
}

#[cfg(test)]
mod tests {
    use super::{TRACE_LIMIT, is_blown_up};

    #[test]
    fn a_trace_file_may_be_of_any_size_that_was_written() {
        assert!(!is_blown_up(TRACE_LIMIT, 0), "so much is read in any case");
        assert!(is_blown_up(TRACE_LIMIT + 1, 4096));
        assert!(
            !is_blown_up(10 * TRACE_LIMIT, 10 * TRACE_LIMIT),
            "a log directory without room leaves it all here"
        );
    }
}
