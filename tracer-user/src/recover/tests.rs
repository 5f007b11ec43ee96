use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::gates::{Action, Gate};
use super::{Report, Request, recover};
use crate::process::identity::{Identity, Ticks};
use crate::process::stat::Stat;
use crate::record::dir::Entry;
use crate::record::enrollment::{Enrolled, Enrollment, made};
use crate::record::log_place::LogPlace;
use crate::record::{older, runtime};

/// More than any kernel gives (PID_MAX_LIMIT).
const NOBODYS: u32 = 5_000_000;

struct Host {
    dir: TempDir,
    runtime: PathBuf,
}

impl Host {
    fn new() -> Self {
        let dir = crate::scratch();
        let runtime = runtime::open(dir.path()).unwrap();
        Self { dir, runtime }
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn request(&self) -> Request {
        Request {
            tmpfs_path: self.dir.path().to_owned(),
            log_dir: Some(self.log()),
            default_log_dir: None,
            min_age: Duration::ZERO,
            dry_run: false,
            reserved: None,
        }
    }

    fn recover(&self) -> Vec<Report> {
        reports(&self.request())
    }

    /// A sidecar whose tracer died.
    fn enrol(&self, pid: u32, change: impl FnOnce(&mut Enrollment)) {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
        let mut enrollment = Enrollment { boot_id, ..made(pid, 5) };
        change(&mut enrollment);
        drop(Enrolled::write(&self.runtime, &enrollment).unwrap());
    }

    fn trace(&self, pid: u32, text: &str) {
        fs::write(self.runtime.join(format!("tracer_trace_{pid}_5.jsonl")), text).unwrap();
    }

    fn crash(&self, pid: u32) {
        self.enrol(pid, |_| {});
        self.trace(pid, &rows(pid));
    }

    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(&self.runtime).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn sessions(&self) -> Vec<String> {
        let found = fs::read_dir(self.log().join("sessions"));
        let names = found.map(|found| found.map(|entry| entry.unwrap().file_name().into_string().unwrap()));
        names.map_or_else(|_| Vec::new(), Iterator::collect)
    }

    fn summary(&self, id: &str) -> Value {
        serde_json::from_slice(&fs::read(self.log().join("sessions").join(id).join("summary.json")).unwrap())
            .unwrap()
    }

    fn lines(&self, path: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.log().join(path)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn reports(request: &Request) -> Vec<Report> {
    let mut reports = Vec::new();
    recover(request, &AtomicBool::new(false), |report| reports.push(report)).unwrap();
    reports.sort_by(|a, b| a.file.cmp(&b.file));
    reports
}

fn event(pid: u32, kind: &str, at: u64, rest: &str) -> String {
    format!(
        "{{\"event\":\"{kind}\",\"at\":\"x\",\"ktime_ns\":{at},\"pid\":{pid},\"starttime_ticks\":5,\"comm\":\"sh\",\
         \"ppid\":1,\"parent_starttime_ticks\":0,\"depth\":0{rest}}}\n"
    )
}

/// A root that was forked and got a signal.
fn rows(pid: u32) -> String {
    let fork = ",\"uid\":0,\"ns_pid\":null,\"pid_ns\":null,\"parent_tid\":1,\"untracked\":false";
    let signal = ",\"signal\":15,\"code\":0,\"sender\":null,\"handled\":true";
    event(pid, "fork", 1_000_000_000, fork) + &event(pid, "signal", 3_000_000_000, signal)
}

fn one(reports: &[Report]) -> &Report {
    assert_eq!(reports.len(), 1, "{reports:#?}");
    &reports[0]
}

#[test]
fn a_crash_becomes_one_session_and_nothing_is_left_behind() {
    let host = Host::new();
    host.crash(NOBODYS);
    let reports = host.recover();
    let report = one(&reports);
    assert_eq!((report.decision.action, report.error.as_deref()), (Action::Finish, None));
    let id = format!("s-{NOBODYS}-5");
    let summary = host.summary(&id);
    assert_eq!((&summary["subtype"], &summary["exit_code"]), (&"crashed".into(), &(-1).into()));
    assert_eq!(
        (&summary["termination_reason"], &summary["labels"]["job"]),
        (&"CRASHED".into(), &"17".into())
    );
    assert_eq!((&summary["elapsed_seconds"], &summary["process_count"]), (&2.0.into(), &1.into()));
    assert_eq!(summary["command"], serde_json::json!(["sh", "-c", "true"]));
    assert!(summary["verdict"]["sentence"].as_str().unwrap().starts_with("tracer was killed"));
    assert_eq!(host.lines(&format!("sessions/{id}/events.jsonl")).len(), 2);
    assert_eq!(host.lines("sessions.jsonl")[0]["session_id"], id.as_str());
    assert!(host.left().is_empty());
    assert_eq!(host.recover(), []);
}

#[test]
fn a_dry_run_decides_the_same_and_changes_nothing() {
    let host = Host::new();
    host.crash(NOBODYS);
    let before = host.left();
    let dry = reports(&Request { dry_run: true, ..host.request() });
    assert_eq!((host.left(), host.log().exists()), (before, false));
    let wet = host.recover();
    assert_eq!(one(&dry).decision, one(&wet).decision);
}

#[test]
fn a_torn_tail_and_damaged_lines_are_lost_alone() {
    let host = Host::new();
    host.enrol(NOBODYS, |_| {});
    let [first, second] = [0, 1].map(|at| format!("{}\n", rows(NOBODYS).lines().nth(at).unwrap()));
    let torn = &first[..first.len() - 9];
    host.trace(NOBODYS, &format!("{first}{{\"event\":\"later\"}}\nnothing\n\0\n{second}{torn}"));
    assert_eq!(one(&host.recover()).damaged_lines, 4);
    let events = host.lines(&format!("sessions/s-{NOBODYS}-5/events.jsonl"));
    assert_eq!(events.len(), 2);
}

#[test]
fn what_is_live_young_or_unknown_is_left_and_what_is_rubbish_goes() {
    let host = Host::new();
    let me = Stat::read(std::process::id()).unwrap();
    let mine = |enrollment: &mut Enrollment| enrollment.starttime_ticks = me.start.0;
    host.enrol(me.pid, mine);
    assert_eq!(one(&host.recover()).decision.gate, Gate::G3);
    fs::remove_file(host.runtime.join(&host.left()[0])).unwrap();

    host.trace(NOBODYS, "");
    assert_eq!(one(&host.recover()).decision.gate, Gate::G1);
    host.enrol(NOBODYS, |it| it.boot_id = "another".to_owned());
    let young = reports(&Request { min_age: Duration::from_hours(1), ..host.request() });
    assert_eq!(one(&young).decision.gate, Gate::G0);
    assert_eq!(one(&host.recover()).decision.gate, Gate::G2);
    assert!(host.left().is_empty());

    host.enrol(NOBODYS, |it| it.comm = Some("zsh".to_owned()));
    host.trace(NOBODYS, &rows(NOBODYS + 1));
    assert_eq!(one(&host.recover()).decision.gate, Gate::G4);
    assert_eq!((host.left(), host.sessions()), (vec![], vec![]));
}

#[test]
fn a_name_that_the_events_give_the_process_is_its_own_and_version_1_is_not_asked() {
    for comm in [Some("the name at enrolment".to_owned()), None] {
        let host = Host::new();
        host.enrol(NOBODYS, |it| it.comm = comm);
        host.trace(NOBODYS, &rows(NOBODYS));
        assert_eq!(one(&host.recover()).decision.action, Action::Finish);
    }
}

#[test]
fn four_recoveries_at_once_finish_each_crash_once() {
    let host = Host::new();
    (0..20).for_each(|number| host.crash(NOBODYS + number));
    let finished: Vec<Report> = std::thread::scope(|scope| {
        let four: Vec<_> = (0..4).map(|_| scope.spawn(|| host.recover())).collect();
        four.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    let finished = finished.iter().filter(|report| report.decision.action == Action::Finish);
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    finished.for_each(|report| {
        assert_eq!(report.error, None);
        *times.entry(&report.file).or_default() += 1;
    });
    assert_eq!((times.len(), times.values().max()), (20, Some(&1)));
    assert_eq!((host.sessions().len(), host.lines("sessions.jsonl").len()), (20, 20));
    assert!(host.left().is_empty());
}

#[test]
fn a_crash_that_cannot_be_finished_stays_and_the_others_are_not_held_up() {
    let host = Host::new();
    let readonly = host.dir.path().join("no-directory");
    fs::write(&readonly, "").unwrap();
    let to = |path: &Path| Some(path.to_str().unwrap().to_owned());
    host.enrol(NOBODYS, |it| it.log_dir = to(&readonly));
    host.trace(NOBODYS, &rows(NOBODYS));
    host.enrol(NOBODYS + 1, |it| it.log_dir = to(&host.log()));
    let reports = reports(&Request { log_dir: None, ..host.request() });
    assert!(
        reports
            .iter()
            .any(|report| report.error.as_ref().is_some_and(|error| error.contains("no-directory")))
    );
    assert_eq!((host.left().len(), host.sessions().len()), (2, 1));
}

#[test]
fn a_session_whose_tracer_died_after_it_was_in_place_is_not_made_again() {
    let host = Host::new();
    host.crash(NOBODYS);
    host.recover();
    fs::remove_file(host.log().join("sessions.jsonl")).unwrap();
    host.crash(NOBODYS);
    assert_eq!(one(&host.recover()).error, None);
    assert_eq!((host.sessions().len(), host.lines("sessions.jsonl").len()), (1, 1));
    assert!(host.left().is_empty());
}

/// A crash whose tracer wanted its session in the log directory of the host.
fn crash_with_place(host: &Host) {
    let log = host.log().to_str().unwrap().to_owned();
    host.enrol(NOBODYS, |it| it.log_dir = Some(log));
    host.trace(NOBODYS, &rows(NOBODYS));
}

#[test]
fn a_session_that_is_in_its_place_is_found_there_whatever_log_directory_is_asked_for() {
    let host = Host::new();
    let there = Request { log_dir: Some(host.dir.path().join("there")), ..host.request() };
    for before in [host.request(), Request { log_dir: None, default_log_dir: None, ..host.request() }] {
        crash_with_place(&host);
        reports(&before);
    }
    crash_with_place(&host);
    let reports = reports(&there);
    assert_eq!(one(&reports).session, Some(host.log().join(format!("sessions/s-{NOBODYS}-5"))));
    assert_eq!((host.sessions().len(), host.lines("sessions.jsonl").len()), (1, 1));
    assert!(host.left().is_empty() && !host.dir.path().join("there").exists());
}

#[test]
fn where_a_recovery_was_about_to_put_it_is_noted_and_the_next_one_looks_there() {
    let host = Host::new();
    let there = host.dir.path().join("there");
    crash_with_place(&host);
    reports(&Request { log_dir: Some(there.clone()), ..host.request() });
    // It died before it could remove anything.
    crash_with_place(&host);
    let noted = |it: &mut Enrollment| it.recovered_to = Some(there.to_str().unwrap().to_owned());
    fs::remove_file(host.runtime.join(format!("tracer_enrollment_{NOBODYS}_5.json"))).unwrap();
    host.enrol(NOBODYS, noted);
    let away = host.dir.path().join("away");
    fs::rename(&there, &away).unwrap();
    let reports_now = host.recover();
    assert!(one(&reports_now).error.as_ref().unwrap().contains("mount"), "{reports_now:?}");
    assert_eq!((host.left().len(), host.sessions().len()), (2, 0));
    fs::rename(&away, &there).unwrap();
    assert_eq!(one(&host.recover()).error, None);
    assert_eq!((host.left().len(), host.sessions().len()), (0, 0));
    assert_eq!(fs::read_dir(there.join("sessions")).unwrap().count(), 1);
}

#[test]
fn older_rows_that_cannot_be_removed_are_in_nobodys_way() {
    let host = Host::new();
    crash_with_place(&host);
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let root = Identity { pid: NOBODYS, start: Ticks(5) };
    older_rows(&host, &format!("s-{NOBODYS}-5"), &boot_id, root).make_dir(0o755).unwrap();
    assert_eq!((one(&host.recover()).error.as_deref(), host.left().len()), (None, 0));
    assert_eq!(host.recover(), []);
}

fn same(enrollment: &mut Enrollment) {
    enrollment.session_id = "same".to_owned();
}

#[test]
fn a_session_of_somebody_else_under_the_same_id_is_not_touched_and_the_crash_gets_one_beside_it() {
    let host = Host::new();
    let beside = format!("same-pid{}", NOBODYS + 1);
    host.enrol(NOBODYS, same);
    host.recover();
    for _ in 0..2 {
        host.enrol(NOBODYS + 1, same);
        let reports = host.recover();
        let (id, enrolled) = (&one(&reports).session_id, &one(&reports).enrolled_id);
        assert_eq!((id.as_deref(), enrolled.as_deref()), (Some(&*beside), Some("same")));
    }
    assert_eq!((host.summary("same")["pid"].as_u64(), host.left().len()), (Some(NOBODYS.into()), 0));
    assert_eq!(host.summary(&beside)["session_id"], *beside);
    let lines = host.lines("sessions.jsonl");
    let ids: Vec<_> = lines.iter().map(|line| line["session_id"].as_str().unwrap()).collect();
    assert_eq!((ids, host.sessions().len()), (vec!["same", &beside], 2));
}

#[test]
fn an_id_is_left_to_the_run_that_is_on() {
    let host = Host::new();
    let log = host.log().to_str().unwrap().to_owned();
    let beside = format!("same-pid{NOBODYS}");
    // By the word of the run beside which this is done.
    let reserved = Some(super::Reserved { id: "same".parse().unwrap(), log_dir: host.log() });
    host.enrol(NOBODYS, same);
    reports(&Request { reserved, ..host.request() });
    assert_eq!(host.sessions(), [&*beside]);
    fs::remove_dir_all(host.log()).unwrap();
    // By its sidecar, which it holds; but not if its session will be elsewhere.
    for (there, expected) in [(&*log, &*beside), ("/elsewhere", "same")] {
        host.enrol(NOBODYS, same);
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
        let mut live = Enrollment { boot_id, log_dir: Some(there.to_owned()), ..made(NOBODYS + 1, 5) };
        same(&mut live);
        let live = Enrolled::write(&host.runtime, &live).unwrap();
        host.recover();
        assert_eq!((host.sessions(), host.left().len()), (vec![expected.to_owned()], 1));
        live.withdraw().unwrap();
        fs::remove_dir_all(host.log()).unwrap();
    }
}

#[test]
fn what_a_killed_builder_left_goes_and_what_another_builds_stays() {
    let host = Host::new();
    let sessions = host.log().join("sessions");
    let me = Stat::read(std::process::id()).unwrap();
    let (pid, start) = (me.pid, me.start.0);
    let id = format!("s-{NOBODYS}-5");
    let gone =
        [format!(".{id}.{NOBODYS}_1"), format!(".{id}.{pid}_{}", start + 1), format!(".{id}.{NOBODYS}")];
    let beside = [format!(".{id}-pid{NOBODYS}.{NOBODYS}_1"), format!(".{id}-pid{NOBODYS}-2.{NOBODYS}_1")];
    let others =
        [format!(".{id}.{pid}_{start}"), format!(".{id}.1.{NOBODYS}_1"), format!(".{id}-pid7.{NOBODYS}_1")];
    gone.iter()
        .chain(&beside)
        .chain(&others)
        .for_each(|name| fs::create_dir_all(sessions.join(name)).unwrap());
    host.crash(NOBODYS);
    let elsewhere = Request {
        reserved: Some(super::Reserved { id: id.parse().unwrap(), log_dir: host.log() }),
        ..host.request()
    };
    reports(&elsewhere);
    let mut expected = others.to_vec();
    expected.push(format!("{id}-pid{NOBODYS}"));
    let mut left = host.sessions();
    expected.sort();
    left.sort();
    assert_eq!(left, expected);
}

#[test]
fn a_tracer_that_died_before_its_first_row_has_a_session_too() {
    let host = Host::new();
    host.enrol(NOBODYS, |_| {});
    assert_eq!(one(&host.recover()).decision.action, Action::Finish);
    let summary = host.summary(&format!("s-{NOBODYS}-5"));
    assert_eq!((&summary["pid"], &summary["process_count"]), (&NOBODYS.into(), &0.into()));
}

/// A file of older rows there.
fn older_rows(host: &Host, id: &str, boot_id: &str, root: Identity) -> Entry {
    let sessions = LogPlace::made(&host.log()).unwrap().dirs().unwrap().sessions;
    sessions.entry(older::name(id, boot_id, root))
}

/// A crash whose first row was moved to the log directory: its path, and the trace file's.
fn moved(host: &Host, pid: u32, rows: &str) -> [PathBuf; 2] {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let log = host.log().to_str().unwrap().to_owned();
    host.enrol(pid, |it| it.log_dir = Some(log));
    let first = rows.lines().next().unwrap().len() + 1;
    host.trace(pid, &("\0".repeat(first) + &rows[first..]));
    let root = Identity { pid, start: Ticks(5) };
    let older = older_rows(host, &format!("s-{pid}-5"), &boot_id, root);
    drop(older::create(&older).unwrap());
    // A move that was cut off had more of it.
    fs::write(&older, &rows[..first + 20]).unwrap();
    [older.path().to_owned(), host.runtime.join(format!("tracer_trace_{pid}_5.jsonl"))]
}

#[test]
fn rows_that_were_moved_are_in_the_session_and_gone_afterwards() {
    let host = Host::new();
    let [older, _] = moved(&host, NOBODYS, &rows(NOBODYS));
    let elsewhere = host.dir.path().join("elsewhere");
    let reports = reports(&Request { log_dir: Some(elsewhere.clone()), ..host.request() });
    assert_eq!((one(&reports).error.as_deref(), one(&reports).damaged_lines), (None, 0));
    let session = elsewhere.join(format!("sessions/s-{NOBODYS}-5"));
    let events = fs::read_to_string(session.join("events.jsonl")).unwrap();
    assert_eq!(events, rows(NOBODYS));
    assert!(!older.exists() && host.left().is_empty());
}

#[test]
fn what_is_removed_takes_the_rows_that_were_moved_with_it() {
    let host = Host::new();
    let [older, trace] = moved(&host, NOBODYS, &rows(NOBODYS + 1));
    let sidecar = host.runtime.join(format!("tracer_enrollment_{NOBODYS}_5.json"));
    let text = fs::read_to_string(&sidecar).unwrap().replace("\"comm\":\"sh\"", "\"comm\":\"zsh\"");
    fs::write(sidecar, text).unwrap();
    assert_eq!(one(&host.recover()).decision.gate, Gate::G4);
    assert!(!older.exists() && !trace.exists() && host.left().is_empty());
}

#[test]
fn where_the_oldest_rows_are_gone_the_first_of_the_others_may_be_anybodys() {
    let host = Host::new();
    let alien = rows(NOBODYS + 1).replace("\"comm\":\"sh\"", "\"comm\":\"make\"");
    let [older, _] = moved(&host, NOBODYS, &(rows(NOBODYS) + &alien));
    fs::remove_file(older).unwrap();
    host.trace(NOBODYS, &("\0".repeat(rows(NOBODYS).len()) + &alien));
    let reports = host.recover();
    let (decision, lost) = (one(&reports).decision, one(&reports).lost_bytes);
    assert_eq!((decision.gate, lost), (Gate::G5, rows(NOBODYS).len() as u64), "{reports:?}");
    assert_eq!(host.lines(&format!("sessions/s-{NOBODYS}-5/events.jsonl")).len(), 2);
    // The same rows with nothing before them are an alien file.
    let host = Host::new();
    host.enrol(NOBODYS, |_| {});
    host.trace(NOBODYS, &alien);
    assert_eq!((one(&host.recover()).decision.gate, host.sessions().len()), (Gate::G4, 0));
}

#[test]
fn large_files_come_last_and_the_largest_at_the_end() {
    let host = Host::new();
    let sizes = [19, 18, 0, 20, 0, 17];
    for (pid, size) in (NOBODYS..).zip(sizes) {
        host.enrol(pid, |_| {});
        host.trace(pid, &(rows(pid) + &"x".repeat(size << 20) + "\n"));
    }
    let mut order = Vec::new();
    recover(&host.request(), &AtomicBool::new(false), |report| order.push(report.file)).unwrap();
    let size =
        |file: &String| (NOBODYS..).zip(sizes).find(|(pid, _)| file.contains(&pid.to_string())).unwrap().1;
    assert_eq!(order.iter().map(size).collect::<Vec<_>>(), [0, 0, 17, 18, 19, 20]);
}

#[test]
fn what_is_in_its_place_is_not_made_again_by_who_goes_on_after_a_stop() {
    let host = Host::new();
    (0..200).for_each(|number| host.crash(NOBODYS + number));
    let mut left = vec![host.left().len()];
    // Each is stopped as soon as it has told of something, as beside a run that ends.
    while *left.last().unwrap() > 0 {
        let stop = AtomicBool::new(false);
        let told = |_| stop.store(true, std::sync::atomic::Ordering::Relaxed);
        recover(&host.request(), &stop, told).unwrap();
        left.push(host.left().len());
        assert!(left.len() < 10, "{left:?}");
    }
    assert!(left.is_sorted_by(|before, after| before > after), "each goes on: {left:?}");
    assert_eq!((host.sessions().len(), host.lines("sessions.jsonl").len()), (200, 200));
}

#[test]
fn a_link_in_the_place_of_older_rows_is_not_followed_and_the_crash_stays() {
    let host = Host::new();
    let [older, _] = moved(&host, NOBODYS, &rows(NOBODYS));
    let outside = host.dir.path().join("outside");
    fs::rename(&older, &outside).unwrap();
    symlink(&outside, &older).unwrap();
    let reports = host.recover();
    assert!(one(&reports).error.as_ref().unwrap().contains(".spool"), "{reports:?}");
    assert_eq!((host.left().len(), outside.exists(), older.is_symlink()), (2, true, true));
}

#[test]
fn without_their_log_directory_older_rows_may_come_back_and_without_their_file_they_do_not() {
    let host = Host::new();
    let [older, _] = moved(&host, NOBODYS, &rows(NOBODYS));
    let away = host.dir.path().join("away");
    fs::rename(host.log(), &away).unwrap();
    let there = Request { log_dir: Some(host.dir.path().join("there")), ..host.request() };
    assert!(one(&reports(&there)).error.as_ref().unwrap().contains("is not there"));
    assert_eq!(host.left().len(), 2);
    fs::rename(&away, host.log()).unwrap();
    fs::remove_file(&older).unwrap();
    let lost = rows(NOBODYS).lines().next().unwrap().len() as u64 + 1;
    let last = reports(&there);
    assert_eq!((one(&last).error.as_deref(), one(&last).lost_bytes, host.left().len()), (None, lost, 0));
}

#[test]
fn a_directory_of_another_file_system_is_not_the_one_that_older_rows_were_put_into() {
    use super::older::is_same_place;
    let then = Some((1, 10));
    assert!(is_same_place(None, (2, 20)), "an older sidecar does not say");
    assert!(is_same_place(then, (1, 10)) && is_same_place(then, (1, 11)), "it was made again");
    assert!(is_same_place(then, (2, 10)), "it was mounted again");
    assert!(!is_same_place(then, (2, 20)), "what it was mounted on");
}

#[test]
fn on_a_bare_mount_point_where_somebody_made_the_directory_again_a_crash_waits_for_its_older_rows() {
    let host = Host::new();
    let [older, _] = moved(&host, NOBODYS, &rows(NOBODYS));
    let sidecar = host.runtime.join(format!("tracer_enrollment_{NOBODYS}_5.json"));
    let text = fs::read_to_string(&sidecar).unwrap();
    fs::write(&sidecar, text.replace("\"sessions_dir\":null", "\"sessions_dir\":[1000000,1]")).unwrap();
    let away = host.dir.path().join("away");
    fs::rename(host.log(), &away).unwrap();
    fs::create_dir_all(host.log().join("sessions")).unwrap();
    for request in [host.request(), Request { dry_run: true, ..host.request() }] {
        assert!(one(&reports(&request)).error.as_ref().unwrap().contains("another file system"));
        assert_eq!((host.left().len(), host.sessions().len()), (2, 0));
    }
    // By the word of whoever knows that they are gone.
    fs::write(&older, "").unwrap();
    assert_eq!(one(&host.recover()).error, None);
    assert_eq!((host.left().len(), host.sessions().len()), (0, 1));
}

#[test]
fn older_rows_of_another_boot_go_once_nobody_has_them() {
    let host = Host::new();
    let root = Identity { pid: 7, start: Ticks(5) };
    let mine = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned();
    let [young, old, held, this] =
        [("young", "other"), ("old", "other"), ("held", "other"), ("this", mine.as_str())].map(
            |(id, boot)| {
                let entry = older_rows(&host, id, boot, root);
                (older::create(&entry).unwrap(), entry.path().to_owned())
            },
        );
    let year = std::time::SystemTime::now() - Duration::from_hours(24 * 365);
    [&old, &held, &this].into_iter().for_each(|(file, _)| file.set_modified(year).unwrap());
    drop((young.0, old.0, this.0));
    let dry = reports(&Request { dry_run: true, ..host.request() });
    assert!(old.1.exists() && one(&dry).decision.gate == Gate::G2);
    assert_eq!(one(&dry).file, old.1.to_str().unwrap(), "whose it is nobody else tells");
    assert_eq!(one(&host.recover()).decision, one(&dry).decision);
    assert_eq!([young.1, old.1, held.1, this.1].map(|path| path.exists()), [true, false, true, true]);
    drop(held.0);
}

#[test]
fn hostile_things_are_named_once_and_left_as_they_are() {
    let host = Host::new();
    let outside = host.dir.path().join("outside");
    fs::write(&outside, "theirs").unwrap();
    let at = |name: &str| host.runtime.join(name);
    symlink(&outside, at("tracer_trace_1_1.jsonl")).unwrap();
    fs::hard_link(&outside, at("tracer_trace_1_2.jsonl")).unwrap();
    fs::create_dir(at("tracer_trace_1_3.jsonl")).unwrap();
    fs::File::create(at("tracer_trace_1_4.jsonl")).unwrap().set_len(10 << 30).unwrap();
    fs::write(at("a\nname"), "").unwrap();
    host.trace(NOBODYS, "");
    symlink(&outside, at(&format!("tracer_enrollment_{NOBODYS}_5.json"))).unwrap();
    let before = host.left();
    let reports = host.recover();
    assert_eq!(reports.len(), 6, "{reports:#?}");
    assert!(reports.iter().all(|report| report.decision.action == Action::Leave));
    assert_eq!((host.left(), fs::read(&outside).unwrap()), (before, b"theirs".to_vec()));
}

#[test]
#[ignore = "a measurement; in the release profile"]
fn a_thousand_crashes() {
    // Where their tracers wanted them, and elsewhere: that is noted in each sidecar first.
    for elsewhere in [false, true] {
        let host = Host::new();
        let log = host.log().to_str().unwrap().to_owned();
        for number in 0..1000 {
            host.enrol(NOBODYS + number, |it| it.log_dir = Some(log.clone()));
            host.trace(NOBODYS + number, &rows(NOBODYS + number));
        }
        let there = host.dir.path().join("there");
        let request = Request { log_dir: elsewhere.then_some(there), ..host.request() };
        let begin = std::time::Instant::now();
        assert_eq!(reports(&request).len(), 1000);
        println!("1,000 crashes in {:?}, elsewhere: {elsewhere}", begin.elapsed());
    }
}
