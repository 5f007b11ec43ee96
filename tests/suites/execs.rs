//! What execs say: the file, every argument, who runs it and where, for programs that are unusual in one of these.

use serde_json::{Value, json};
use tests::{traced, words};

#[test]
fn a_plain_exec_is_told_whole() {
    let session = traced(["show", "two words", "", "é"]);
    let row = session.process(session.shown_once().pid);
    assert_eq!(words(&row["argv"])[1..], [&b"show"[..], b"two words", b"", "é".as_bytes()]);
    let exec = session.last_exec();
    assert_eq!(exec["old_tid"], exec["pid"]);
    assert_eq!(exec["interp"], Value::Null, "a binary has no interpreter");
    for field in ["filename", "argv", "args_truncated", "cwd", "uid", "cgroup_id", "ns_pid", "pid_ns"] {
        assert_eq!(row[field], exec[field], "{field} of the process is that of its last exec");
    }
}

#[test]
fn an_exec_from_another_thread_keeps_the_process_and_names_the_thread() {
    let session = traced(["thread-execs"]);
    let tid = session.note("tid").value;
    let exec = session.last_exec();
    assert_eq!(exec["old_tid"], tid);
    assert_ne!(exec["pid"], tid, "the process keeps its leader's id");
    assert_eq!(session.processes.len(), 2, "the observer and the case");
}

#[test]
fn each_of_several_execs_is_an_event_of_the_same_process() {
    let session = traced(["exec-again", "5"]);
    assert_eq!(session.events_of(session.shown_once().pid, "exec").len(), 1 + 5 + 1);
}

#[test]
fn a_vforked_childs_exec_is_the_childs() {
    let session = traced(["vfork"]);
    let row = session.process(session.shown_once().pid);
    assert_eq!((words(&row["argv"])[2].as_slice(), &row["depth"]), (&b"vforked"[..], &json!(2)));
}

#[test]
fn execs_that_fail_are_no_execs() {
    let session = traced(["failed-execs"]);
    let truth = session.reaped()[0];
    assert_eq!(truth.exit_code, Some(3), "the workload does what it says");
    assert_eq!(session.events_of(truth.pid, "exec").len(), 1, "the one that started it");
}

#[test]
fn an_image_that_has_no_path_is_named_by_its_descriptor() {
    let session = traced(["memfd"]);
    let filename = session.last_exec()["filename"].as_str().unwrap();
    assert!(filename.starts_with("/dev/fd/"), "{filename}");
}

#[test]
fn a_setuid_image_runs_as_its_owner_for_the_user_who_called_it() {
    let session = traced(["setuid"]);
    let exec = session.last_exec();
    assert_eq!((&exec["uid"], &exec["euid"]), (&json!(1), &json!(65534)));
    assert_eq!(session.process(session.shown_once().pid)["uid"], 1);
}

#[test]
fn no_argv_at_all_is_what_the_kernel_makes_of_it() {
    let session = traced(["no-argv"]);
    let truth = session.reaped()[0];
    assert_eq!(truth.exit_code, Some(21), "the workload does what it says");
    let execs = session.events_of(truth.pid, "exec");
    assert_eq!(execs.len(), 2);
    assert!([json!([""]), json!([])].contains(&execs[1]["argv"]), "one empty word since 5.18: {}", execs[1]);
    assert_eq!((&execs[1]["args_truncated"], &execs[1]["args_unreadable"]), (&json!(false), &json!(false)));
}

#[test]
fn two_megabytes_of_arguments_are_cut_with_a_word() {
    let session = traced(["big-argv", "20000", "100"]);
    let exec = session.last_exec();
    assert_eq!(exec["args_truncated"], true);
    assert_eq!(exec["args_bytes"], 20_000 * 101 + "workload show ".len());
    assert!(words(&exec["argv"]).len() > 300, "32 KiB of them are kept");
    assert_eq!(session.process(session.shown_once().pid)["args_truncated"], true);
}

#[test]
fn arguments_are_whole_up_to_the_last_byte_of_each_record_size() {
    let others = "workload show ".len() + 1;
    for total in [511, 512, 513, 4095, 4096, 4097, 32_767, 32_768, 32_769, 65_536] {
        let session = traced(["big-argv", "1", &(total - others).to_string()]);
        let exec = session.last_exec();
        assert_eq!(exec["args_bytes"], total, "the workload does what it says");
        assert_eq!(exec["args_truncated"], total > 32_768, "{total} bytes of arguments");
    }
}

#[test]
fn file_names_are_whole_up_to_the_longest_path() {
    for length in [100, 255, 256, 257, 1000, 4095] {
        let session = traced(["long-path", &length.to_string()]);
        assert_eq!(
            session.last_exec()["filename"].as_str().unwrap().len(),
            length,
            "the workload does what it says"
        );
        assert_eq!(session.last_exec()["filename_truncated"], false, "{length} bytes of file name");
    }
}

#[test]
fn a_scripts_interpreter_chain_keeps_both_names() {
    let session = traced(["script-chain"]);
    let exec = session.last_exec();
    assert_eq!(exec["filename"], "./outer");
    assert_eq!(exec["interp"], tests::workload().to_str().unwrap());
    assert_eq!(exec["comm"], "outer");
}

#[test]
fn names_of_any_bytes_come_back_as_they_were() {
    for name in
        [&b"a b c"[..], b"x) R 1 2 (", b"q\"'\\", b"line\nline", b"\xff\xfe\x80", b"\\x41", b"caf\xc3\xa9"]
    {
        let hex: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let renamed = traced(["odd-comm", &hex]);
        assert_eq!(renamed.reaped()[0].comm, name, "the workload does what it says");
        let executed = traced(["odd-file-name", &hex]);
        assert_eq!(executed.shown_once().comm, name, "the workload does what it says");
    }
}

#[test]
fn a_main_thread_that_renames_itself_is_the_same_process_with_more_names() {
    let session = traced(["rename-main"]);
    let truth = session.reaped()[0];
    let names = json!(["workload", "first name", "second name"]);
    assert_eq!(session.process(truth.pid)["comms"], names);
    let renames: Vec<(&Value, &Value)> = session
        .events_of(truth.pid, "rename")
        .iter()
        .map(|event| (&event["old_comm"], &event["comm"]))
        .collect();
    assert_eq!(renames, [(&names[0], &names[1]), (&names[1], &names[2])]);
}

#[test]
fn another_threads_name_is_not_the_processs() {
    let session = traced(["rename-thread"]);
    assert_eq!(session.events("rename"), [] as [&Value; 0]);
    assert_eq!(session.process(session.reaped()[0].pid)["comms"], json!(["workload"]));
}
