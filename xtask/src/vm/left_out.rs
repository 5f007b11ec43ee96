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

/// All of it.
#[rustfmt::skip]
pub(super) const LEFT_OUT: [LeftOut; 7] = [
    LeftOut { suite: "build", test: None, why: "runs cargo and rustc, a gigabyte of files" },
    LeftOut { suite: "clock", test: None, why: "compiles its clock with gcc" },
    test("disks", "a_disk_on_which_a_file_system_is_full_tells_so_in_time", "needs mkfs and a loop device"),
    test("spool", "a_long_run_takes_no_more_than_its_limit_and_keeps_every_line",
         "twenty thousand processes: minutes of an emulated processor"),
    test("spool", "without_a_runtime_directory_memory_is_bounded_too",
         "twenty thousand processes: minutes of an emulated processor"),
    test("recover", "kills_at_any_moment_of_runs_and_recoveries_leave_each_session_once_and_whole",
         "its moments are spread over the time that a run takes on real hardware"),
    test("tree", "ten_thousand_forks_keep_every_status",
         "minutes of an emulated processor; two thousand execs at once are run"),
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
