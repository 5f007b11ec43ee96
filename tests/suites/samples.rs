//! Snapshots of real processes: every field in every row, when rows are taken, and whose they are.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::{Session, Trace};

const OFTEN: [&str; 2] = ["--interval", "10ms"];

/// The fields of a row in their order, and what each holds: a count, any integer, a ratio, a text, a truth, sixteen digits.
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

/// Asserts what holds for the rows of every session: all fields, in time's order, each process within its life.
#[track_caller]
fn assert_rows(session: &Session) {
    assert_eq!(session.summary["snapshot_count"], session.snapshots.len());
    let ends: HashMap<_, _> = session
        .processes
        .iter()
        .map(|row| ((&row["pid"], &row["starttime_ticks"]), &row["ended_at"]))
        .collect();
    let mut last = "";
    let mut seen = HashMap::new();
    for row in &session.snapshots {
        let names: Vec<&String> = row.as_object().into_iter().flat_map(|row| row.keys()).collect();
        assert_eq!(names.len(), FIELDS.len(), "{row}");
        let who = (&row["pid"], &row["starttime_ticks"]);
        let before = seen.insert(who, &row["sweep"]);
        for (field, what) in FIELDS {
            // There is no share of CPU time before there are two readings; a zombie has no memory and no descriptors.
            let may_be_null = (field == "cpu_percent" && before.is_none()) || row["state"] == "Z";
            let is_null = row[field].is_null() && row.get(field).is_some();
            assert!(is(&row[field], what) || (may_be_null && is_null), "{field} of {row}");
        }
        let at = row["captured_at"].as_str().unwrap_or_default();
        assert!(last < at, "{last} comes before {row}");
        last = at;
        assert!(
            before.is_none_or(|sweep| sweep.as_u64() < row["sweep"].as_u64()),
            "twice in one round: {row}"
        );
        let end = ends.get(&who).unwrap_or_else(|| panic!("nobody's row: {row}"));
        assert!(end.as_str().is_some_and(|end| at <= end), "{row} after its process's end at {end}");
    }
}
