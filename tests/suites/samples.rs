//! Snapshots of real processes: every field in every row, when rows are taken, and whose they are.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use tests::{Session, Trace, machine};

const OFTEN: [&str; 2] = ["--interval", "10ms"];

/// The fields of a row in their order, and what each holds: a count, any integer, a share, a text,
/// a truth, sixteen digits.
const FIELDS: [(&str, char); 26] = [
    ("captured_at", 's'),
    ("pid", 'n'),
    ("starttime_ticks", 'n'),
    ("comm", 's'),
    ("is_target", 'b'),
    ("state", 's'),
    ("vm_rss_kb", 'n'),
    ("vm_hwm_kb", 'n'),
    ("vm_swap_kb", 'n'),
    ("threads", 'n'),
    ("fd_count", 'n'),
    ("fd_soft_limit", 'n'),
    ("oom_score", 'n'),
    ("oom_score_adj", 'i'),
    ("sig_pnd", 'x'),
    ("sig_blk", 'x'),
    ("sig_cgt", 'x'),
    ("wchan", 's'),
    ("ctx_switches_voluntary", 'n'),
    ("ctx_switches_involuntary", 'n'),
    ("cpu_percent", 'f'),
    ("utime_ticks", 'n'),
    ("stime_ticks", 'n'),
    ("read_bytes", 'n'),
    ("write_bytes", 'n'),
    ("sweep", 'n'),
];

fn is(value: &Value, what: char) -> bool {
    match what {
        'n' => value.is_u64(),
        'i' => value.is_i64(),
        'f' => value.as_f64().is_some_and(|number| number >= 0.0),
        'b' => value.is_boolean(),
        'x' => value.as_str().is_some_and(|text| text.len() == 16 && u64::from_str_radix(text, 16).is_ok()),
        _ => value.is_string(),
    }
}

/// Asserts what holds for the rows of every session: every field, in time's order, each process within its life, and
/// nothing missing without a reason.
#[track_caller]
fn assert_rows(session: &Session) {
    assert_eq!(session.summary["snapshot_count"], session.snapshots.len());
    let reasons: HashSet<_> =
        array(&session.summary["unread"]).iter().map(|row| row["field"].as_str()).collect();
    let known: HashSet<_> = session.processes.iter().map(identity).collect();
    let (mut last, mut seen) = ("", HashMap::new());
    for row in &session.snapshots {
        assert_eq!(row.as_object().map(Map::len), Some(FIELDS.len()), "{row}");
        let before = seen.insert(identity(row), row["sweep"].as_u64());
        for (field, what) in FIELDS {
            // There is no share of CPU time before there are two readings; who runs waits nowhere.
            let may_be_null = reasons.contains(&Some(field))
                || (field == "cpu_percent" && before.is_none())
                || field == "wchan";
            assert!(is(&row[field], what) || (row[field].is_null() && may_be_null), "{field} of {row}");
        }
        let at = row["captured_at"].as_str().unwrap_or_default();
        assert!(last < at, "{last} comes before {row}");
        last = at;
        assert!(before.is_none_or(|sweep| sweep < row["sweep"].as_u64()), "twice in one round: {row}");
        assert!(known.contains(&identity(row)), "nobody's row: {row}");
    }
}

fn identity(row: &Value) -> (Option<u64>, Option<u64>) {
    (row["pid"].as_u64(), row["starttime_ticks"].as_u64())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The round in which a row was taken.
fn sweeps(rows: &[&Value]) -> Vec<Option<u64>> {
    rows.iter().map(|row| row["sweep"].as_u64()).collect()
}

#[test]
fn every_row_of_a_tree_has_every_field() {
    let session = Trace::case(["child", "child", "sampled", "5", "exit", "3"]).flags(OFTEN).run();
    assert_rows(&session);
    for lacking in array(&session.summary["unread"]) {
        let reason = lacking["reason"].as_str().unwrap_or_default();
        // On a slow machine also of who is about to be a zombie, its memory given back already.
        let is_late = reason.contains("such a process") && machine::slowness() > 1;
        assert!(reason.contains("zombie") || is_late, "nothing is missing of the living: {lacking}");
    }
    for row in &session.processes {
        let pid = row["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        assert!(session.rows_of(pid.unwrap_or_default()).len() >= 4, "few rows for {row}");
    }
    assert!(session.target_rows().iter().all(|row| row["pid"] == session.summary["pid"]));
}

#[test]
fn a_row_says_what_the_process_knows_of_itself() {
    let session = Trace::case(["posture"]).after("ulimit -S -n 777").flags(OFTEN).run();
    assert_rows(&session);
    let rows = session.rows_of(session.note("posing").pid);
    let row = rows.iter().rev().find(|row| row["state"] == "S").unwrap_or_else(|| panic!("{rows:#?}"));
    for what in ["fd_count", "threads", "oom_score_adj"] {
        assert_eq!(row[what], session.note(what).value, "{what} of {row}");
    }
    let set = |field: &str| u64::from_str_radix(row[field].as_str().unwrap_or_default(), 16).unwrap_or(0);
    let bit = |signal: i32| 1_u64 << (signal - 1);
    assert_eq!(row["fd_soft_limit"], 777);
    assert_eq!((set("sig_blk"), set("sig_pnd")), (bit(libc::SIGUSR1), bit(libc::SIGUSR1)), "{row}");
    assert_eq!(set("sig_cgt") & bit(libc::SIGUSR2), bit(libc::SIGUSR2), "{row}");
    let wrote = session.note("write_bytes").value;
    assert!(wrote >= 256 << 10, "the workload does what it says: {wrote}");
    // Before 5.16 the kernel walked frame pointers to find out, and where it is built without them says nothing
    // (arch/x86/kernel/process.c, `get_wchan`).
    assert!(row["wchan"].is_string() || !machine::is_linux(5, 16), "it waits: {row}");
    // Its notes are written too.
    let told = row["write_bytes"].as_i64();
    assert!(told.is_some_and(|told| (wrote..=wrote + (16 << 10)).contains(&told)), "{wrote} in truth: {row}");
    assert!(row["oom_score"].as_u64() > Some(0) && row["vm_swap_kb"].is_u64(), "{row}");
}

#[test]
fn cpu_time_is_that_of_the_process_and_its_share_that_of_one_core() {
    let session =
        Trace::case(["spin", "400", "sampled", "1", "exit", "0"]).flags(["--interval", "50ms"]).run();
    assert_rows(&session);
    let rows = session.target_rows();
    let row = rows.last().expect("a row");
    let ticks =
        row["utime_ticks"].as_u64().zip(row["stime_ticks"].as_u64()).map(|(user, system)| user + system);
    assert!(ticks.is_some_and(|ticks| (38..80).contains(&ticks)), "{ticks:?} of 400 ms: {row}");
    let mut busy = 0;
    for pair in rows.windows(2) {
        let elapsed = (second(pair[1]) - second(pair[0])).rem_euclid(60.0);
        let share = pair[1]["cpu_percent"].as_f64().unwrap_or_default();
        // The kernel counts in hundredths of a second.
        let most = 100.0 * (elapsed + 0.02) / elapsed;
        assert!(share <= most, "{share} % in {elapsed} s of {}", pair[1]);
        busy += usize::from(share > 5.0);
    }
    assert!(busy >= 3, "{rows:#?}");
}

/// When a row was taken: second of its minute.
fn second(row: &Value) -> f64 {
    let at = row["captured_at"].as_str().unwrap_or_default().trim_end_matches('Z');
    at.rsplit(':').next().and_then(|second| second.parse().ok()).unwrap_or_default()
}

#[test]
fn the_first_row_is_taken_at_resolution_and_the_last_at_the_end() {
    let session = Trace::case(["sampled", "1", "exit", "0"]).flags(["--interval", "1h"]).run();
    assert_rows(&session);
    let rows = session.target_rows();
    assert_eq!(sweeps(&rows), [Some(1), Some(2)], "one when it was found, one when it had ended: {rows:#?}");
    assert_eq!((&rows[0]["state"] != "Z", &rows[1]["state"]), (true, &json!("Z")));
    assert!(rows[0]["captured_at"].as_str() >= session.target()["resolved_at"].as_str());
}

#[test]
fn a_run_shorter_than_an_interval_has_its_exact_figures() {
    let session = Trace::case(["hold", "40960", "spin", "50", "exit", "0"]).flags(["--interval", "1h"]).run();
    assert_rows(&session);
    assert_eq!(session.summary["peak_rss_kb"], session.root()["max_rss_kb"], "as the kernel says at its end");
    let peak = session.summary["peak_rss_kb"].as_u64();
    assert!(peak.is_some_and(|kib| (40_960..40_960 + 8192).contains(&kib)), "{peak:?} KiB");
    let cpu = session.summary["cpu_seconds"].as_f64();
    assert!(
        cpu.is_some_and(|seconds| (0.05..0.3 * f64::from(machine::slowness())).contains(&seconds)),
        "{cpu:?} s"
    );
}

#[test]
fn the_peak_of_the_target_is_no_other_processs() {
    let code = format!("{0} hold 30720 exit 0; {0} hold 61440 exit 0; exit 0", tests::workload().display());
    let session = Trace::command(["script", "-qec", &code, "/dev/null"]).run();
    assert_rows(&session);
    let peak = |field: &str| session.summary[field].as_u64();
    assert!(
        peak("peak_rss_kb").is_some_and(|kib| (30_720..30_720 + 8192).contains(&kib)),
        "{}",
        session.summary
    );
    assert!(
        peak("peak_tree_rss_kb").is_some_and(|kib| (61_440..61_440 + 8192).contains(&kib)),
        "one at a time"
    );
    assert!(session.summary["largest_process"]["max_rss_kb"].as_u64() > Some(61_440));
}

#[test]
fn the_peak_of_the_tree_is_the_sum_of_those_who_live_at_once() {
    let session = Trace::case(["holders", "20480", "30720", "10240"]).flags(OFTEN).run();
    assert_rows(&session);
    let sum = 20_480 + 30_720 + 10_240;
    let tree = session.summary["peak_tree_rss_kb"].as_u64();
    assert!(tree.is_some_and(|kib| (sum..sum + 4 * 4096).contains(&kib)), "{tree:?} KiB of {sum}");
    assert!(session.summary["peak_rss_kb"].as_u64() < Some(8192), "the target only waits");
}

#[test]
fn of_the_target_alone_there_are_no_rows_of_others() {
    let words = ["zombie", "child", "sampled", "0", "exit", "0"];
    let with_family = Trace::case(words).flags(OFTEN).flags(["--sample", "target"]).run();
    assert_rows(&with_family);
    assert_eq!(with_family.target_rows().len(), with_family.snapshots.len(), "{:#?}", with_family.snapshots);
    let alone =
        Trace::case(["zombie", "sampled", "4", "exit", "0"]).flags(OFTEN).flags(["--sample", "target"]).run();
    assert_rows(&alone);
    assert!(alone.target_rows().len() >= 4);
    assert_eq!(alone.target_rows().len(), alone.snapshots.len(), "{:#?}", alone.snapshots);
}

#[test]
fn a_zombie_has_rows_for_as_long_as_nobody_waits_for_it() {
    let session = Trace::case(["zombie", "sampled", "5", "exit", "0"]).flags(OFTEN).run();
    assert_rows(&session);
    let rows = session.rows_of(session.note("zombie").pid);
    let zombies: Vec<_> = rows.iter().filter(|row| row["state"] == "Z").collect();
    assert!(zombies.len() >= 3, "{rows:#?}");
    for row in zombies {
        assert_eq!((&row["vm_rss_kb"], &row["fd_count"]), (&Value::Null, &Value::Null), "never 0: {row}");
    }
}

#[test]
fn rows_are_taken_as_often_as_they_were_asked_for() {
    let session = Trace::case(["sampled", "20", "exit", "0"]).flags(["--interval", "50ms"]).run();
    assert_rows(&session);
    let elapsed = session.summary["elapsed_seconds"].as_f64();
    assert!(elapsed.is_some_and(|seconds| seconds > 0.85), "18 intervals in {elapsed:?} s");
}

#[test]
fn arguments_that_are_to_be_left_out_are_in_no_file() {
    const SECRET: &str = "hunter2-swordfish";
    let script =
        format!("env PASSWORD={SECRET} sh -c 'true {SECRET}; exit 4' {SECRET}; true --key={SECRET}; exit 4");
    let holds_it = |session: &Session| files_with(SECRET, &session.dir);
    let open = Trace::sh(&script).args([SECRET]).run();
    assert!(holds_it(&open).len() >= 3, "the workload does what it says: {:?}", holds_it(&open));
    let session = Trace::sh(&script).args([SECRET]).flags(["--redact-args"]).flags(OFTEN).run();
    assert_eq!(holds_it(&session), Vec::<String>::new());
    assert!(!session.outcome.stderr.contains(SECRET), "{}", session.outcome.stderr);
    let index = session.index.iter().filter(|line| line.to_string().contains(SECRET)).count();
    assert_eq!((index, session.outcome.status.code()), (0, Some(4)));
    session.assert_whole();
}

/// The files of a directory that hold a text.
fn files_with(text: &str, dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let holds = |path: &Path| {
        fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|it| it == text.as_bytes()))
    };
    entries
        .filter(|entry| holds(&entry.path()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
