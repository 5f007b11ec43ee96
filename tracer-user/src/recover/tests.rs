mod moved;
mod places;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use super::gates::{Action, Gate};
use super::log_dirs::{list_unlisted, without_line};
use super::under_way::UnderWay;
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
        let runtime = runtime::open(dir.path()).unwrap().path().to_owned();
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
            under_way: UnderWay::default(),
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
        drop(self.enrolled(&enrollment));
    }

    fn enrolled(&self, enrollment: &Enrollment) -> Enrolled {
        Enrolled::write(&runtime::open(self.dir.path()).unwrap(), enrollment).unwrap()
    }

    fn trace(&self, pid: u32, text: &str) {
        fs::write(self.runtime.join(format!("tracer_trace_{pid}_5.jsonl")), text).unwrap();
    }

    fn crash(&self, pid: u32) {
        self.enrol(pid, |_| {});
        self.trace(pid, &rows(pid));
    }

    fn left(&self) -> Vec<String> {
        names(fs::read_dir(&self.runtime).unwrap())
    }

    fn sessions(&self) -> Vec<String> {
        names(fs::read_dir(self.log().join("sessions")).into_iter().flatten())
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

/// In order.
fn names(entries: impl Iterator<Item = std::io::Result<fs::DirEntry>>) -> Vec<String> {
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
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

fn older_rows(host: &Host, id: &str, boot_id: &str, root: Identity) -> Entry {
    let sessions = LogPlace::made(&host.log()).unwrap().dirs().unwrap().sessions;
    sessions.entry(older::name(id, boot_id, root))
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
fn a_dry_run_promises_nothing_that_fails() {
    type Case = (&'static str, &'static str, fn(&Host));
    let nothing = |_: &Host| {};
    let log_is_a_file = |host: &Host| fs::write(host.log(), "").unwrap();
    let above_is_a_link = |host: &Host| symlink("/proc/version", host.log()).unwrap();
    let sessions_is_a_link = |host: &Host| {
        fs::create_dir(host.log()).unwrap();
        symlink(host.dir.path(), host.log().join("sessions")).unwrap();
    };
    let cases: [Case; 6] = [
        ("../x", "log", nothing),
        ("fine", "", nothing),
        ("fine", "log", log_is_a_file),
        ("fine", "log/below/it", log_is_a_file),
        ("fine", "log/below/it", above_is_a_link),
        ("fine", "log", sessions_is_a_link),
    ];
    for (id, log_dir, prepare) in cases {
        let host = Host::new();
        prepare(&host);
        host.enrol(NOBODYS, |it| it.session_id = id.to_owned());
        host.trace(NOBODYS, &rows(NOBODYS));
        let log_dir = (!log_dir.is_empty()).then(|| host.dir.path().join(log_dir));
        let wet = Request { log_dir, ..host.request() };
        let dry = reports(&Request { dry_run: true, ..wet.clone() });
        let wet = reports(&wet);
        assert!(one(&wet).error.is_some(), "{id}");
        assert_eq!(one(&dry), one(&wet), "{id}");
    }
}

#[test]
fn a_dry_run_finds_a_session_in_its_place_and_adds_no_line() {
    let host = Host::new();
    host.crash(NOBODYS);
    host.recover();
    host.crash(NOBODYS);
    fs::write(host.log().join("sessions.jsonl"), "").unwrap();
    let dry = reports(&Request { dry_run: true, ..host.request() });
    assert_eq!((one(&dry).error.as_deref(), host.lines("sessions.jsonl").len()), (None, 0));
    assert_eq!((one(&host.recover()).error.as_deref(), host.lines("sessions.jsonl").len()), (None, 1));
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
    // By their files in the runtime directory: the line of one that just got its place may come from another recovery, which says so.
    let finished = finished.filter(|report| !report.file.contains('/'));
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
fn a_session_that_got_its_line_meanwhile_is_not_told_of() {
    let host = Host::new();
    host.crash(NOBODYS);
    host.recover();
    let index = host.log().join("sessions.jsonl");
    let (request, now) = (host.request(), SystemTime::now());
    let line = fs::read(&index).unwrap();
    fs::remove_file(&index).unwrap();
    let lacking = without_line(&request, now);
    let told = |lacking: &[_]| {
        let mut told = Vec::new();
        list_unlisted(&request, lacking, &mut |report| told.push(report));
        told
    };
    fs::write(&index, &line).unwrap();
    assert_eq!((lacking.len(), told(&lacking).len()), (1, 0));
    fs::remove_file(&index).unwrap();
    assert_eq!((told(&lacking).len(), told(&lacking).len()), (1, 0), "whose line it added, and then no more");
    assert_eq!(fs::read(&index).unwrap().iter().filter(|byte| **byte == b'\n').count(), 1);
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
fn a_tracer_that_died_before_its_first_row_has_a_session_too() {
    let host = Host::new();
    host.enrol(NOBODYS, |_| {});
    assert_eq!(one(&host.recover()).decision.action, Action::Finish);
    let summary = host.summary(&format!("s-{NOBODYS}-5"));
    assert_eq!((&summary["pid"], &summary["process_count"]), (&NOBODYS.into(), &0.into()));
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
