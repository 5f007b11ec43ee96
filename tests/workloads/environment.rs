//! What a case is told from outside.

use std::path::PathBuf;

use tests::truth::{self, Note, Row};

/// Appends a row to the truth, if this run has a truth file.
pub(crate) fn tell(row: &Row) {
    if let Some(file) = std::env::var_os(truth::FILE) {
        truth::append(&PathBuf::from(file), row);
    }
}

/// Appends a note about a process.
pub(crate) fn note(what: &str, pid: u32, value: impl Into<i64>) {
    tell(&Row::Note(Note { what: what.to_owned(), pid, value: value.into() }));
}

/// This binary.
pub(crate) fn me() -> PathBuf {
    std::env::current_exe().unwrap()
}
