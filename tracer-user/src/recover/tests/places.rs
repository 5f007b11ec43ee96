//! Sessions that are in a place already, ids that are taken, and builders that were killed.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::recover::Reserved;

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
fn a_session_whose_log_directory_is_on_a_file_system_that_is_not_mounted_is_not_made_again() {
    let host = Host::new();
    let log = host.log().to_str().unwrap().to_owned();
    let elsewhere = Request { log_dir: Some(host.dir.path().join("there")), ..host.request() };
    let crash = |dev| {
        host.enrol(NOBODYS, |it| (it.log_dir, it.sessions_dir) = (Some(log.clone()), Some((dev, 1))));
        host.trace(NOBODYS, &rows(NOBODYS));
    };
    crash(1_000_000);
    // The bare mount point, with nothing in it; and where somebody made the directory again.
    for made in [host.dir.path().to_owned(), host.log(), host.log().join("sessions")] {
        fs::create_dir_all(made).unwrap();
        for request in [host.request(), elsewhere.clone(), Request { dry_run: true, ..host.request() }] {
            let reports = reports(&request);
            assert!(one(&reports).error.as_ref().unwrap().contains("another file system"), "{reports:?}");
            assert_eq!((host.left().len(), host.sessions().len()), (2, 0));
        }
    }
    // By the word of whoever knows that it is gone.
    let told = one(&host.recover()).error.clone().unwrap();
    fs::write(told.split_once("touch ").unwrap().1, "").unwrap();
    assert_eq!(
        (one(&host.recover()).error.as_deref(), host.left().len(), host.sessions().len()),
        (None, 0, 1)
    );
    // A directory that was removed from the same file system is made again.
    fs::remove_dir_all(host.log()).unwrap();
    crash(fs::metadata(host.dir.path()).unwrap().dev());
    assert_eq!(
        (one(&host.recover()).error.as_deref(), host.left().len(), host.sessions().len()),
        (None, 0, 1)
    );
}

#[test]
fn a_log_directory_that_was_never_had_and_cannot_be_looked_into_keeps_no_session_from_another() {
    let nowhere = format!("/{}", "x".repeat(300));
    for (then, noted, is_made) in
        [(None, None, true), (Some((1, 1)), None, false), (None, Some(nowhere.clone()), false)]
    {
        let host = Host::new();
        host.enrol(NOBODYS, |it| {
            (it.log_dir, it.unwritten) = (Some(nowhere.clone()), true);
            (it.sessions_dir, it.recovered_to) = (then, noted.clone());
        });
        host.trace(NOBODYS, &rows(NOBODYS));
        let dry = reports(&Request { dry_run: true, ..host.request() });
        assert_eq!(one(&dry).error.is_none(), is_made, "{dry:?}");
        let reports = host.recover();
        assert_eq!(one(&reports).error.is_none(), is_made, "{reports:?}");
        assert_eq!((host.left().is_empty(), host.sessions().len()), (is_made, usize::from(is_made)));
    }
}

#[test]
fn of_a_log_directory_that_was_never_had_it_is_noted_that_a_recovery_puts_the_session_there() {
    let host = Host::new();
    let log = host.log().to_str().unwrap().to_owned();
    host.enrol(NOBODYS, |it| (it.log_dir, it.unwritten) = (Some(log.clone()), true));
    host.trace(NOBODYS, &rows(NOBODYS));
    // It is told of when the other is in its place and its files are still there.
    host.trace(NOBODYS + 1, "");
    let mut noted = Vec::new();
    recover(&host.request(), &AtomicBool::new(false), |_| {
        let sidecar = fs::read_to_string(host.runtime.join(format!("tracer_enrollment_{NOBODYS}_5.json")));
        noted.extend(sidecar.ok().map(|text| text.contains(&format!("\"recovered_to\":\"{log}\""))));
    })
    .unwrap();
    assert_eq!((noted, host.sessions().len()), (vec![true], 1));
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
fn a_session_that_was_put_in_place_gets_its_line_beside_that_of_an_earlier_one_of_its_id() {
    let host = Host::new();
    let index = host.log().join("sessions.jsonl");
    host.enrol(NOBODYS, same);
    host.recover();
    let earlier = fs::read(&index).unwrap();
    fs::remove_dir_all(host.log().join("sessions/same")).unwrap();
    host.enrol(NOBODYS + 1, same);
    host.recover();
    // It died before it could add the line.
    fs::write(&index, &earlier).unwrap();
    for _ in 0..2 {
        host.enrol(NOBODYS + 1, same);
        assert_eq!(one(&host.recover()).error, None);
        let lines = host.lines("sessions.jsonl");
        let pids: Vec<_> = lines.iter().map(|line| line["pid"].as_u64()).collect();
        assert_eq!(pids, [Some(NOBODYS.into()), Some((NOBODYS + 1).into())]);
    }
}

#[test]
fn an_id_is_left_to_the_run_that_is_on() {
    let host = Host::new();
    let log = host.log().to_str().unwrap().to_owned();
    let beside = format!("same-pid{NOBODYS}");
    // By the word of the run beside which this is done.
    let reserved = Some(Reserved { id: "same".parse().unwrap(), log_dir: host.log() });
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
        let live = host.enrolled(&live);
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
        reserved: Some(Reserved { id: id.parse().unwrap(), log_dir: host.log() }),
        ..host.request()
    };
    reports(&elsewhere);
    let mut expected = others.to_vec();
    expected.push(format!("{id}-pid{NOBODYS}"));
    expected.sort();
    assert_eq!(host.sessions(), expected);
}

#[test]
fn what_a_recovery_began_and_left_that_was_killed_after_this_one_had_begun_goes_too() {
    let host = Host::new();
    host.crash(NOBODYS);
    host.crash(NOBODYS + 2);
    let (first, last) = (format!("s-{NOBODYS}-5"), format!("s-{}-5", NOBODYS + 2));
    // It is told of at once, when the one before it is in its place and the one after it is nobody's yet.
    host.trace(NOBODYS + 1, "");
    let mut told = 0;
    recover(&host.request(), &AtomicBool::new(false), |_| {
        told += 1;
        if told == 1 {
            assert_eq!(host.sessions(), [&*first]);
            fs::create_dir(host.log().join(format!("sessions/.{last}.{NOBODYS}_1"))).unwrap();
        }
    })
    .unwrap();
    assert_eq!((told, host.sessions()), (3, vec![first, last]));
}

#[test]
fn what_was_begun_goes_with_a_sidecar_of_which_no_session_is_made() {
    let host = Host::new();
    let begun = host.log().join(format!("sessions/.s-{NOBODYS}-5.{NOBODYS}_1"));
    for gate in [Gate::G2, Gate::G4] {
        fs::create_dir_all(&begun).unwrap();
        fs::write(begun.join("events.jsonl"), "half").unwrap();
        host.enrol(NOBODYS, |it| match gate {
            Gate::G2 => it.boot_id = "another".to_owned(),
            _ => it.comm = Some("zsh".to_owned()),
        });
        host.trace(NOBODYS, &rows(NOBODYS + 1));
        assert_eq!(one(&host.recover()).decision.gate, gate);
        assert_eq!((host.left(), host.sessions()), (vec![], vec![]), "{gate:?}");
    }
}

#[test]
fn what_was_begun_by_the_dead_and_is_old_goes_where_no_sidecar_tells_of_it() {
    let host = Host::new();
    let me = Stat::read(std::process::id()).unwrap();
    let year = SystemTime::now() - Duration::from_hours(24 * 365);
    let make = |name: &str, old: bool| {
        let path = host.log().join("sessions").join(name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("events.jsonl"), "half").unwrap();
        if old {
            fs::File::open(&path).unwrap().set_modified(year).unwrap();
        }
    };
    let gone = format!(".abc.{NOBODYS}_12345");
    make(&gone, true);
    let mine = format!(".abc.{}_{}", me.pid, me.start.0);
    let mut stay = [mine, format!(".young.{NOBODYS}_1"), format!("abc.{NOBODYS}_1"), ".git.d".to_owned()];
    stay.iter().for_each(|name| make(name, !name.starts_with(".young")));
    let dry = reports(&Request { dry_run: true, ..host.request() });
    assert!(one(&dry).file.ends_with(&gone) && host.sessions().contains(&gone), "{dry:?}");
    assert_eq!(one(&host.recover()).decision, one(&dry).decision);
    stay.sort();
    assert_eq!(host.sessions(), stay);
}

#[test]
fn a_session_of_which_only_its_place_tells_gets_its_line_once_it_is_not_young() {
    let host = Host::new();
    host.crash(NOBODYS);
    host.recover();
    let (id, index) = (format!("s-{NOBODYS}-5"), host.log().join("sessions.jsonl"));
    let sessions = host.log().join("sessions");
    fs::create_dir(sessions.join("copy")).unwrap();
    fs::copy(sessions.join(&id).join("summary.json"), sessions.join("copy/summary.json")).unwrap();
    fs::remove_file(&index).unwrap();
    assert_eq!(reports(&Request { min_age: Duration::from_hours(1), ..host.request() }), []);
    let dry = reports(&Request { dry_run: true, ..host.request() });
    assert_eq!((one(&dry).session_id.as_ref(), index.exists()), (Some(&id), false));
    // There need be no runtime directory.
    fs::remove_dir(&host.runtime).unwrap();
    let reports = host.recover();
    assert_eq!((one(&reports).decision, one(&reports).error.as_ref()), (one(&dry).decision, None));
    assert_eq!(host.lines("sessions.jsonl").len(), 1);
    assert_eq!(host.lines("sessions.jsonl")[0]["session_id"], id.as_str());
    assert_eq!(host.recover(), []);
}

#[test]
fn a_sidecar_of_another_boot_does_not_go_before_its_session_has_its_line() {
    let host = Host::new();
    let log = host.log().to_str().unwrap().to_owned();
    host.crash(NOBODYS);
    host.recover();
    let summary = host.log().join(format!("sessions/s-{NOBODYS}-5/summary.json"));
    let mut told = host.summary(&format!("s-{NOBODYS}-5"));
    told["boot_id"] = "another".into();
    fs::write(summary, told.to_string()).unwrap();
    let index = host.log().join("sessions.jsonl");
    fs::remove_file(&index).unwrap();
    fs::create_dir(&index).unwrap();
    host.enrol(NOBODYS, |it| {
        (it.boot_id, it.log_dir, it.finished) = ("another".to_owned(), Some(log), true);
    });
    // Nothing else leads to that log directory.
    let request = Request { log_dir: None, ..host.request() };
    let refused = reports(&request);
    assert_eq!((one(&refused).decision.gate, one(&refused).error.is_some()), (Gate::G2, true));
    assert_eq!(host.left().len(), 1);
    fs::remove_dir(&index).unwrap();
    let removed = reports(&request);
    assert_eq!((one(&removed).decision.gate, one(&removed).error.as_ref()), (Gate::G2, None));
    assert_eq!((host.left().len(), host.lines("sessions.jsonl").len()), (0, 1));
}
