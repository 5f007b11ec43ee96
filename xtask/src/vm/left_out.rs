//! What does not run inside a machine, by name, with the reason. Printed by every run; anything else that does not run is a
//! failure.

use std::fmt::Write;

/// A suite, or one test of it, and why it is left out.
pub(super) struct LeftOut {
    suite: &'static str,
    /// None: the whole suite.
    test: Option<&'static str>,
    why: &'static str,
}

/// All of it.
pub(super) const LEFT_OUT: [LeftOut; 1] =
    [LeftOut { suite: "build", test: None, why: "runs cargo and rustc, a gigabyte of files" }];

/// Whether a whole suite is left out.
pub(super) fn is_suite_left_out(suite: &str) -> bool {
    LEFT_OUT.iter().any(|row| row.suite == suite && row.test.is_none())
}

/// The tests of a suite that are left out.
pub(super) fn tests_left_out(suite: &str) -> impl Iterator<Item = &'static str> {
    LEFT_OUT.iter().filter(move |row| row.suite == suite).filter_map(|row| row.test)
}

/// The table, as it is printed.
pub(super) fn table() -> String {
    let mut text = String::from("left out in a machine, for the reason given:\n");
    for LeftOut { suite, test, why } in &LEFT_OUT {
        let _ = writeln!(text, "  {suite} {}: {why}", test.unwrap_or("(all of it)"));
    }
    text
}
