//! A runtime directory with everything in it that tracer would never put there.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use tests::{Outcome, Trace, tracer};

use crate::Outside;

/// How long a recovery may take here. One that opens a FIFO would wait for ever.
const DEADLINE: Duration = Duration::from_mins(1);
/// The most memory that it may map, KiB: itself, the largest line, the largest sidecar.
const MEMORY_KB: u32 = 64 << 10;

/// What a recovery says, within the deadline and the memory.
fn recover(outcome: &Outcome) -> Vec<Value> {
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -v {MEMORY_KB}; exec \"$@\"")).arg("sh").arg(tracer());
    let mut child =
        limited.args(outcome.recovery()).env("TRACER_TEST", "1").stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text).unwrap()
    });
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    let deadline = Timespec::try_from(DEADLINE).unwrap();
    if poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&deadline)).unwrap() == 0 {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "it ends by itself, in time and in {MEMORY_KB} KiB: {status}"
    );
    reader.join().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ground() -> Outcome {
    Trace::command(["true"]).outcome()
}

fn node(path: &Path, kind: libc::mode_t, device: libc::dev_t) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a C string that lives here.
    assert_eq!(unsafe { libc::mknod(path.as_ptr(), kind | 0o600, device) }, 0);
}

/// A sidecar of a process that is gone, with some fields changed.
fn sidecar(pid: u64, change: Value) -> String {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let mut sidecar = json!({
        "schema_version": 2, "session_id": format!("hostile-{pid}"), "pid": pid, "boot_id": boot_id.trim(),
        "starttime_ticks": 1, "comm": "sh", "enrolled_at": "2026-01-01T00:00:00.000000Z", "labels": {},
    });
    if let Value::Object(change) = change {
        sidecar.as_object_mut().unwrap().extend(change);
    }
    sidecar.to_string()
}

/// More than any kernel gives (PID_MAX_LIMIT).
const NOBODYS: u64 = 5_000_000;

#[test]
fn what_somebody_else_put_there_is_named_once_and_left_and_nothing_behind_it_is_touched() {
    let outcome = ground();
    let outside = [1, 2, 3].map(|number| Outside::new(outcome.file(&format!("outside-{number}"))));
    let runtime = outcome.runtime();
    let at = |name: &str| runtime.join(name);
    let trace = |number| at(&format!("tracer_trace_{number}_1.jsonl"));
    let enrollment = |number| at(&format!("tracer_enrollment_{number}_1.json"));
    symlink(&outside[0].path, trace(1)).unwrap();
    symlink(outcome.file("nowhere"), trace(2)).unwrap();
    node(&trace(3), libc::S_IFIFO, 0);
    node(&trace(4), libc::S_IFCHR, libc::makedev(1, 3));
    node(&trace(5), libc::S_IFBLK, libc::makedev(7, 200));
    fs::create_dir(trace(6)).unwrap();
    let _listener = UnixListener::bind(outcome.file("s")).unwrap();
    fs::rename(outcome.file("s"), trace(7)).unwrap();
    fs::write(trace(8), "").unwrap();
    std::os::unix::fs::chown(trace(8), Some(12345), None).unwrap();
    // A hole at the beginning would be rows that were moved.
    fs::write(trace(9), "x").unwrap();
    fs::File::options().append(true).open(trace(9)).unwrap().set_len(10 << 30).unwrap();
    // Its sidecar leads elsewhere, is a FIFO, is too large, is a file with two names, is somebody else's.
    for number in 10..=14 {
        fs::write(trace(number), "").unwrap();
    }
    symlink(&outside[1].path, enrollment(10)).unwrap();
    node(&enrollment(11), libc::S_IFIFO, 0);
    fs::File::create(enrollment(12)).unwrap().set_len(10 << 30).unwrap();
    fs::hard_link(&outside[2].path, enrollment(13)).unwrap();
    fs::write(enrollment(14), sidecar(14, Value::Null)).unwrap();
    std::os::unix::fs::chown(enrollment(14), Some(12345), None).unwrap();
    // Sidecars alone.
    symlink(&outside[0].path, enrollment(15)).unwrap();
    fs::write(enrollment(16), sidecar(17, Value::Null)).unwrap();
    symlink(&outside[0].path, at(".tracer_enrollment_18_1.json")).unwrap();
    let names: [&[u8]; 4] = [b"with\nnewline", b"\xff\xfe", b"\x1b[2J", b"tracer_trace_1_1.jsonl\n"];
    for name in names {
        fs::write(runtime.join(OsStr::from_bytes(name)), "").unwrap();
    }
    // A hard link changes the count of names, which is no doing of tracer's.
    let outside = outside.map(|file| Outside { before: crate::stat(&file.path), ..file });
    let before = outcome.left();
    let told = recover(&outcome);
    outside.iter().for_each(Outside::assert_untouched);
    assert_eq!(outcome.left(), before);
    assert!(told.iter().all(|line| line["action"] == "leave"), "{told:#?}");
    let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
    for line in &told {
        let (file, reason) = (line["file"].as_str().unwrap(), line["reason"].as_str().unwrap());
        assert_eq!(reasons.insert(file, reason), None, "{file} is named once");
    }
    let of = |number: u32| reasons[format!("tracer_trace_{number}_1.jsonl").as_str()];
    assert_eq!([of(1), of(2)], ["it is a link"; 2]);
    assert_eq!(of(3), "it is a FIFO");
    assert_eq!([of(4), of(5), of(7)], ["it is a device or a socket"; 3]);
    assert_eq!(of(6), "it is a directory");
    assert_eq!((of(8), of(9)), ("somebody else owns it", "it is too large"));
    assert_eq!([10, 11, 12, 13, 14].map(of), ["its sidecar is no file that tracer wrote"; 5]);
    assert_eq!(reasons["tracer_enrollment_15_1.json"], "it is a link");
    assert_eq!(
        reasons["tracer_enrollment_16_1.json"],
        "its sidecar is about another process than its name says"
    );
    assert_eq!(reasons[".tracer_enrollment_18_1.json"], "it is a link");
    let foreign = reasons.values().filter(|reason| **reason == "it has no name that tracer would give");
    assert_eq!((foreign.count(), reasons.len()), (4, 21), "{reasons:#?}");
}

#[test]
fn bombs_in_a_sidecar_are_left_in_little_memory() {
    let outcome = ground();
    let deep = |open: &str| format!("{{\"labels\":{}", open.repeat(10 << 20));
    let whole = sidecar(1, Value::Null);
    // So many small values that each would take more than all that a recovery may map.
    let many = |field: &str, open: char, value: &str, close: char| {
        let values = value.repeat((8 << 20) / value.len());
        let field = format!("{{\"{field}\":{open}{}{close},", values.trim_end_matches(','));
        whole.replacen("\"labels\":{},", "", 1).replacen('{', &field, 1)
    };
    let labels: String = (0..800_000).map(|number| format!("\"{number:x}\":\"\",")).collect();
    let bombs = [
        many("thresholds", '[', "0,", ']'),
        many("thresholds", '{', "\"\":[],", '}'),
        many("command", '[', "\"\",", ']'),
        many("labels", '{', &labels, '}'),
        deep("["),
        deep("{\"a\":"),
        whole.replacen("\"pid\":1", &format!("\"pid\":{}", "9".repeat(1 << 20)), 1),
        whole.replacen("\"pid\":1", "\"pid\":1e999", 1),
        whole.replacen("\"pid\":1", "\"pid\":-1", 1),
        whole.replacen('{', "{\"pid\":1,", 1),
        whole.replacen("hostile-1", &"\\u0000".repeat(1 << 20), 1) + "}",
        String::new(),
        "null".to_owned(),
    ];
    for (number, bomb) in bombs.iter().enumerate() {
        fs::write(outcome.runtime().join(format!("tracer_enrollment_{number}_1.json")), bomb).unwrap();
    }
    let told = recover(&outcome);
    assert_eq!(told.len(), bombs.len());
    for line in &told {
        assert_eq!((&line["action"], &line["gate"]), (&json!("leave"), &json!("G1")), "{line}");
    }
}

#[test]
fn large_sidecars_that_parse_are_held_one_at_a_time() {
    const MANY: u64 = 5;
    let outcome = ground();
    let zeros = vec![0; 500_000];
    for pid in NOBODYS..NOBODYS + MANY {
        let name = format!("tracer_enrollment_{pid}_1.json");
        let text = sidecar(pid, json!({"log_dir": outcome.log(), "thresholds": zeros}));
        fs::write(outcome.runtime().join(name), text).unwrap();
    }
    let told = recover(&outcome);
    assert!(told.iter().all(|line| line["action"] == "finish" && line["error"].is_null()), "{told:#?}");
    assert_eq!((outcome.session_count() as u64, outcome.left().len()), (1 + MANY, 0));
}

#[test]
fn bombs_among_the_rows_cost_a_line_each_and_little_memory() {
    let outcome = ground();
    let row = |at: u64, pid: u64| {
        format!(
            "{{\"event\":\"fork\",\"at\":\"x\",\"ktime_ns\":{at},\"pid\":{pid},\"starttime_ticks\":1,\
             \"comm\":\"sh\",\"ppid\":1,\"parent_starttime_ticks\":0,\"depth\":0,\"uid\":0,\"ns_pid\":null,\
             \"pid_ns\":null,\"parent_tid\":1,\"untracked\":false}}\n"
        )
    };
    let fork = row(1, NOBODYS);
    let bombs = [
        "x".repeat(64 << 20) + "\n",
        format!("{{\"event\":{}\n", "[".repeat(3 << 20)),
        fork.replacen("\"ktime_ns\":1", "\"ktime_ns\":1e999", 1),
        fork.replacen("\"pid\":", "\"pid\":99999999999999999999", 1),
        fork.replacen("\"pid\":", "\"pid\":7,\"pid\":", 1),
        "\0".repeat(1 << 20) + "\n",
    ];
    let text = fork.clone() + &bombs.concat() + &fork[..20];
    let dir = outcome.runtime();
    fs::write(dir.join(format!("tracer_enrollment_{NOBODYS}_1.json")), {
        sidecar(NOBODYS, json!({"log_dir": outcome.log()}))
    })
    .unwrap();
    fs::write(dir.join(format!("tracer_trace_{NOBODYS}_1.jsonl")), text).unwrap();
    let told = recover(&outcome);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["damaged_lines"], bombs.len() + 1, "{}", told[0]);
    let session = outcome.log().join(format!("sessions/hostile-{NOBODYS}"));
    assert_eq!(fs::read_to_string(session.join("events.jsonl")).unwrap(), fork);
}

#[test]
fn ten_gigabytes_of_nothing_are_a_session_of_nothing_at_once() {
    let outcome = ground();
    let dir = outcome.runtime();
    let text = sidecar(NOBODYS, json!({"log_dir": outcome.log()}));
    fs::write(dir.join(format!("tracer_enrollment_{NOBODYS}_1.json")), text).unwrap();
    let trace = dir.join(format!("tracer_trace_{NOBODYS}_1.jsonl"));
    fs::File::create(trace).unwrap().set_len(10 << 30).unwrap();
    let told = recover(&outcome);
    assert_eq!(
        (told.len(), &told[0]["action"], &told[0]["error"]),
        (1, &json!("finish"), &Value::Null),
        "{told:#?}"
    );
    assert!(outcome.left().is_empty());
    let session = outcome.log().join(format!("sessions/hostile-{NOBODYS}"));
    let size = |name: &str| fs::metadata(session.join(name)).unwrap().len();
    assert_eq!((size("events.jsonl"), size("proc_trace.jsonl")), (0, 0));
}

#[test]
fn a_sidecar_that_asks_for_a_place_outside_gets_none() {
    for change in
        [json!({"session_id": "../../../escaped"}), json!({"session_id": "."}), json!({"session_id": ""})]
    {
        let outcome = ground();
        let mut change = change;
        change["log_dir"] = json!(outcome.log());
        let name = format!("tracer_enrollment_{NOBODYS}_1.json");
        fs::write(outcome.runtime().join(name), sidecar(NOBODYS, change)).unwrap();
        let told = recover(&outcome);
        assert!(told[0]["error"].is_string(), "{told:#?}");
        assert_eq!((outcome.session_count(), outcome.left().len()), (1, 1), "only the first run's");
        assert!(!outcome.file("escaped").exists());
    }
}

#[test]
fn a_hundred_thousand_files_are_named_once_each_in_little_memory() {
    const MANY: u32 = 100_000;
    let outcome = ground();
    for number in 0..MANY / 2 {
        fs::File::create(outcome.runtime().join(format!("tracer_trace_{number}_1.jsonl"))).unwrap();
        fs::File::create(outcome.runtime().join(format!("foreign-{number}"))).unwrap();
    }
    let told = recover(&outcome);
    let names: std::collections::BTreeSet<&str> =
        told.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!((told.len(), names.len()), (MANY as usize, MANY as usize));
}

#[test]
fn ids_that_many_sidecars_give_are_not_held() {
    // All those ids would take more than there is.
    const MANY: u64 = 140_000;
    let outcome = ground();
    let enroll = |pid: u64, text: &str| {
        fs::write(outcome.runtime().join(format!("tracer_enrollment_{pid}_1.json")), text).unwrap();
    };
    for pid in 1..=MANY {
        let id = format!("{pid:0>128}");
        enroll(pid, &format!("{{\"schema_version\":2,\"session_id\":\"{id}\",\"pid\":"));
    }
    enroll(NOBODYS, &sidecar(NOBODYS, json!({"log_dir": outcome.log()})));
    let told = recover(&outcome);
    let count = |action: &str| told.iter().filter(|line| line["action"] == action).count();
    assert_eq!((count("leave"), count("finish")), (usize::try_from(MANY).unwrap(), 1));
    assert_eq!(outcome.session_count(), 2);
}
