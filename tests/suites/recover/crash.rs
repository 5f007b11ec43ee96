//! One crash: what is made of it, for whom, and where.

use std::fs;

use tests::Trace;

use crate::{KILLS_ITS_TRACER, killed};

#[test]
fn a_killed_tracer_leaves_one_session_with_all_that_reached_the_spool() {
    let outcome = killed();
    let spool = outcome.left().into_iter().find(|path| path.extension().unwrap() == "jsonl").unwrap();
    let rows = fs::read_to_string(spool).unwrap();
    assert!(rows.ends_with('\n') && outcome.left().len() == 2);
    assert_eq!(outcome.session_count(), 0);

    let recovered = outcome.recover([]);
    assert_eq!((recovered.code, recovered.with("finish").len(), recovered.reports.len()), (Some(0), 1, 1));
    assert_eq!(outcome.recover([]).reports.len(), 0, "a second recovery finds nothing");
    assert_eq!(outcome.index().len(), 1);

    let session = outcome.session();
    let summary = &session.summary;
    assert_eq!((&summary["subtype"], &summary["termination_reason"]), (&"crashed".into(), &"CRASHED".into()));
    assert_eq!((&summary["exit_code"], &summary["labels"]["job"]), (&(-1).into(), &"17".into()));
    assert_eq!((session.state(), &summary["verdict"]["cause"]), ("lossy", &"tracer_killed".into()));
    assert_eq!((session.target()["comm"].as_str(), summary["command"][0].as_str()), (Some("sh"), Some("sh")));
    assert_eq!(session.all_events.len() + session.snapshots.len(), rows.lines().count());
    assert!(!session.snapshots.is_empty() && session.root()["is_target"] == true);
    assert!(session.root()["cwd"].is_string(), "a working directory comes back");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let outcome = killed();
    let before = outcome.left();
    assert_eq!(outcome.recover(["--dry-run"]).with("finish").len(), 1);
    assert_eq!((outcome.left(), outcome.session_count()), (before, 0));
}

#[test]
fn arguments_that_are_to_be_left_out_are_in_no_file_of_a_crash_either() {
    let script = format!("{KILLS_ITS_TRACER}; : swordfish");
    let trace = Trace::command(["sh", "-c", &script, "swordfish"]).args(["swordfish"]);
    let outcome = trace.flags(["--interval", "10ms", "--target", "sh", "--redact-args"]).outcome();
    outcome.await_ends();
    let holds = |files: Vec<std::path::PathBuf>| {
        assert!(files.len() >= 2, "{files:?}");
        let holds =
            |path: &std::path::PathBuf| fs::read(path).unwrap().windows(9).any(|it| it == b"swordfish");
        files.into_iter().filter(holds).collect::<Vec<_>>()
    };
    let nothing: Vec<std::path::PathBuf> = Vec::new();
    assert_eq!(holds(outcome.left()), nothing);
    assert_eq!(outcome.recover([]).code, Some(0));
    assert_eq!(holds(tests::files_below(&outcome.log())), nothing);
    let session = outcome.session();
    assert_eq!(session.summary["command"], serde_json::json!(["sh"]));
    assert!(!session.snapshots.is_empty() && session.target()["comm"] == "sh", "{}", session.summary);
}

#[test]
fn a_log_directory_whose_name_is_not_utf_8_comes_back() {
    let outcome = Trace::inside(
        "L=$(printf '../log/\\377\\n.'); L=${L%.}
         $0 run -q --log-dir \"$L\" --tmpfs-path ../run -- sh -c 'until ls ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID' >/dev/null 2>&1
         while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         $0 recover --json --min-age 0s --tmpfs-path ../run; ls \"$L/sessions\"",
    );
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let (report, id) = stdout.trim_end().split_once('\n').unwrap();
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    tests::schema::assert_shape("recover", &report);
    let session = report["session"].as_str().unwrap();
    assert!(session.ends_with(&format!("/log/\\xff\n/sessions/{id}")), "{session:?}");
    assert_eq!((outcome.left().len(), report["session_id"].as_str()), (0, Some(id)));
}

#[test]
fn under_sudo_a_session_is_the_invoking_users_and_nobody_elses() {
    use std::os::unix::fs::MetadataExt;
    let prelude = "export SUDO_UID=12345 SUDO_GID=23456";
    let finished = Trace::command(["true"]).after(prelude).run();
    let killed = Trace::sh(KILLS_ITS_TRACER).flags(["--interval", "10ms", "--target", "sh"]).after(prelude);
    let killed = killed.outcome();
    assert_eq!(killed.await_ends().recover([]).code, Some(0));
    for session in [finished, killed.session()] {
        let inside = fs::read_dir(&session.dir).unwrap().map(|entry| entry.unwrap().path());
        for path in inside.chain([session.dir.clone()]) {
            let found = fs::symlink_metadata(&path).unwrap();
            assert_eq!(
                (found.uid(), found.gid(), found.mode() & 0o077),
                (12345, 23456, 0),
                "{}",
                path.display()
            );
        }
        assert_eq!(fs::metadata(session.dir.join("..")).unwrap().uid(), 0);
    }
}
