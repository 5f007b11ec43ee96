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

const fn test(suite: &'static str, test: &'static str, why: &'static str) -> LeftOut {
    LeftOut { suite, test: Some(test), why }
}

const fn suite(suite: &'static str, why: &'static str) -> LeftOut {
    LeftOut { suite, test: None, why }
}

const FILES: &str = "about files and directories, and the same on every kernel";
const MOMENTS: &str = "its moments are those of real hardware";

/// All of it.
#[rustfmt::skip]
pub(super) const LEFT_OUT: [LeftOut; 24] = [
    suite("build", "runs cargo and rustc, a gigabyte of files"),
    suite("chaos", MOMENTS),
    suite("clock", FILES),
    suite("conformance", MOMENTS),
    suite("crowd", FILES),
    suite("disks", FILES),
    test("endings", "output::", MOMENTS),
    test("endings", "peers::", MOMENTS),
    test("endings", "terminals::", MOMENTS),
    test("endings", "until::", MOMENTS),
    suite("faults", FILES),
    suite("hostile", FILES),
    suite("load", "needs two real processors"),
    test("recover", "background::", MOMENTS),
    test("recover", "disk::", FILES),
    test("recover", "many::", FILES),
    test("recover", "runtime::", FILES),
    suite("report", "about words, and the same on every kernel"),
    suite("schemas", FILES),
    suite("shared_ground", FILES),
    suite("spool", FILES),
    test("targets", "shims::", "dozens of processes each of scripts, which are judged alike on every kernel"),
    suite("terminal", MOMENTS),
    test("tree", "ten_thousand_forks_keep_every_status", "minutes of an emulated processor; fewer at once are run"),
];

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
