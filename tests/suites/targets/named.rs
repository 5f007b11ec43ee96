//! `--target NAME`: which of a process's names count, and which of several processes.

use tests::Trace;

use crate::{OWN_PROGRAMS, assert_target, with_claude, wrappers};

const NAMED: [&str; 2] = ["--target", "claude"];

fn inside_script(code: &str) -> [&str; 5] {
    ["script", "-qe", "/dev/null", "-c", code]
}

#[test]
fn a_name_is_that_of_a_script_a_file_an_argument_or_a_comm() {
    let by = |name, code| {
        let trace = with_claude(inside_script(code), "exit 7").script("tool", "exit 7\n");
        trace.flags(["--target", name]).run()
    };
    assert_target(&by("claude", "claude --flag; true"), "script", "claude");
    assert_target(&by("/opt/tool", "sh ./tool; true"), "script", "tool");
    assert_target(&by("interp", "interp noop; true"), "filename", "interp");
    assert_target(&by("pretender", "interp become pretender noop; true"), "argv0", "pretender");
    assert_target(&by("MainThread", "claude; true"), "comm", "MainThread");
    assert_target(&by("sh", "claude; true"), "filename", "sh");
}

#[test]
fn a_name_of_more_bytes_than_a_comm_holds_is_found_by_its_comm() {
    let life = "rename abcdefghijklmno exit 0";
    let session =
        with_claude(inside_script("claude"), life).flags(["--target", "abcdefghijklmnopqrst"]).run();
    assert_target(&session, "comm", "abcdefghijklmnopqrst");
    assert_eq!(session.target()["comm"], "abcdefghijklmno");
}

#[test]
fn whoever_only_mentions_the_name_is_not_the_target() {
    let code = "echo claude; grep -q claude ./claude; sh -c ': claude; true'; ./claude";
    let session = with_claude(inside_script(code), "exit 7").flags(NAMED).run();
    assert_target(&session, "script", "claude");
    assert_eq!(session.by_comm("MainThread")["is_target"], true);
}

#[test]
fn of_several_matches_the_first_is_the_target() {
    let session = with_claude(inside_script("claude one; claude two; true"), "exit 7").flags(NAMED).run();
    assert_target(&session, "script", "claude");
    let argv = session.target()["cmdline"].as_array().and_then(|words| words.last());
    assert_eq!(argv, Some(&"one".into()));
    assert_eq!(wrappers(&session), ["script", "sh -c"]);
}

#[test]
fn a_match_that_dies_while_another_lives_stays_the_target() {
    // The second is started while the first lives, and is seen in rows after it is gone.
    let code = "claude first & interp rename claude sampled 1 sampled 4 exit 0 & wait";
    let session = Trace::command(inside_script(code))
        .after(OWN_PROGRAMS)
        .workload_as("interp")
        .script("claude", "#!/usr/bin/env interp\nsampled 1 exit 7\n")
        .flags(["--target", "claude", "--interval", "10ms"])
        .run();
    let target = session.target();
    assert!(["script", "comm"].iter().any(|rule| target["how"]["rule"] == *rule), "{target:#}");
    let claudes: Vec<_> = session
        .processes
        .iter()
        .filter(|row| row["comms"].as_array().is_some_and(|comms| comms.contains(&"claude".into())))
        .collect();
    assert_eq!(claudes.len(), 2, "two matches");
    assert_eq!(session.target_rows().iter().filter(|row| row["pid"] != target["pid"]).count(), 0);
}
