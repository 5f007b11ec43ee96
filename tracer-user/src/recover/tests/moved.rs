//! Rows that were moved to a log directory.

use super::*;

/// A file of older rows there.
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
    use crate::recover::older::is_same_place;
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
    let year = SystemTime::now() - Duration::from_hours(24 * 365);
    [&old, &held, &this].into_iter().for_each(|(file, _)| file.set_modified(year).unwrap());
    drop((young.0, old.0, this.0));
    let dry = reports(&Request { dry_run: true, ..host.request() });
    assert!(old.1.exists() && one(&dry).decision.gate == Gate::G2);
    assert_eq!(one(&dry).file, old.1.to_str().unwrap(), "whose it is nobody else tells");
    assert_eq!(one(&host.recover()).decision, one(&dry).decision);
    assert_eq!([young.1, old.1, held.1, this.1].map(|path| path.exists()), [true, false, true, true]);
    drop(held.0);
}
