//! Who descends from whom, and in which order it is told.

use serde_json::{Value, json};
use tests::machine::fewer;
use tests::{Trace, traced};

#[test]
fn the_issues_own_example_is_told_exactly() {
    let session = Trace::sh("(sleep 0.2; exit 3) & true; wait $!; kill -9 $$").run();
    session.assert_whole();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&session.outcome.status), Some(libc::SIGKILL));
    assert_eq!(session.processes.len(), 3, "sh, the subshell, sleep: {:#?}", session.processes);
    let (sh, sleep) = (session.root(), session.by_comm("sleep"));
    let subshell = session.process(u32::try_from(sleep["ppid"].as_u64().unwrap()).unwrap());
    assert_eq!(
        (&subshell["ppid"], &subshell["parent_starttime_ticks"]),
        (&sh["pid"], &sh["starttime_ticks"])
    );
    assert_eq!((&sh["depth"], &subshell["depth"], &sleep["depth"]), (&json!(0), &json!(1), &json!(2)));
    assert_eq!((&sleep["exit_code"], &subshell["exit_code"]), (&json!(0), &json!(3)));
    assert_eq!((&sh["exit_code"], &sh["exit_signal"]), (&Value::Null, &json!(9)));
    assert_eq!(sh["killed_by"], json!({"pid": sh["pid"], "comm": "sh", "uid": 0}));
    assert_eq!((&session.summary["subtype"], &session.summary["exit_signal"]), (&json!("killed"), &json!(9)));
}

#[test]
fn a_daemon_belongs_to_the_process_that_forked_it() {
    let session = traced(["daemon"]);
    let daemon = session.process(session.note("adopted-by").pid);
    assert_eq!((&daemon["exit_code"], &daemon["depth"]), (&json!(4), &json!(3)));
}

#[test]
fn a_child_of_clone_parent_belongs_to_the_process_that_called_clone() {
    let session = traced(["clone-parent"]);
    assert_eq!(session.process(session.note("forked-by").pid)["depth"], 2);
}

#[test]
fn a_child_of_another_thread_belongs_to_the_process() {
    let session = traced(["thread-forks"]);
    let note = session.note("parent-tid");
    assert_eq!(session.events_of(note.pid, "fork")[0]["parent_tid"], note.value);
}

#[test]
fn a_child_that_outlives_the_root_is_an_orphan_without_an_end() {
    let session = Trace::sh("sleep 2 </dev/null >/dev/null 2>&1 & exit 4").run();
    assert_eq!(session.outcome.status.code(), Some(4));
    let sleep = session.processes.iter().find(|row| row["is_root"] == false).unwrap();
    assert_eq!(sleep["orphaned"], true);
    for field in ["ended_at", "exit_code", "exit_signal", "core_dumped"] {
        assert_eq!(sleep[field], Value::Null, "{field} of {sleep}");
    }
    assert_eq!(
        session.events_of(u32::try_from(sleep["pid"].as_u64().unwrap()).unwrap(), "exit"),
        [] as [&Value; 0]
    );
    let orphan = &session.summary["orphans"][0];
    assert_eq!((&orphan["pid"], &orphan["starttime_ticks"]), (&sleep["pid"], &sleep["starttime_ticks"]));
    assert_eq!(session.summary["orphans"].as_array().unwrap().len(), 1);
    assert_eq!(session.state(), "complete");
}

#[test]
fn a_process_that_shares_its_parents_memory_is_a_process() {
    let session = traced(["clone-vm"]);
    assert_eq!(session.processes.len(), 3, "observer, parent, child");
}

#[test]
fn a_new_pid_namespace_changes_only_the_numbers_inside() {
    let session = traced(["new-pid-namespace"]);
    let inside: Vec<(u32, &Value)> =
        session.shown().iter().map(|shown| (shown.ns_pid, &session.process(shown.pid)["ns_pid"])).collect();
    assert_eq!(inside, [(1, &json!(1)), (2, &json!(2))]);
}

#[test]
fn a_chain_of_fifty_generations_has_each_depth_once() {
    let session = traced(["deep", "50"]);
    let levels = session.notes("level");
    assert_eq!(levels.len(), 51, "the workload does what it says");
    for note in levels {
        assert_eq!(session.process(note.pid)["depth"], 1 + 50 - note.value, "level {}", note.value);
    }
    assert_eq!(session.summary["max_depth"], 51);
}

#[test]
fn two_thousand_execs_on_all_processors_are_told_in_kernel_order() {
    let each = fewer(500);
    let session = Trace::case(["parallel", "4", &each.to_string(), "exec"]).run();
    let all = 4 * each;
    session.assert_whole();
    assert_eq!(session.processes.len(), 1 + 4 + all);
    let parents = session.processes.iter().filter(|row| row["depth"] == 1);
    for parent in parents {
        let children = session.processes.iter().filter(|row| row["ppid"] == parent["pid"]);
        assert_eq!(children.count(), each);
    }
    assert_eq!(session.events("exec").len(), 1 + all);
}

#[test]
fn ten_thousand_forks_keep_every_status() {
    let session = Trace::case(["parallel", "4", "2560"]).run();
    session.assert_whole();
    let mut codes = [0; 256];
    for row in session.processes.iter().filter(|row| row["depth"] == 2) {
        codes[usize::try_from(row["exit_code"].as_u64().unwrap()).unwrap()] += 1;
    }
    assert_eq!(codes, [40; 256], "each code as often as it was given");
}
