//! Stored `/proc` trees, each with one oddity, and this process itself.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::dir::Counting;
use super::reader::{NoRow, Reader, Reading};
use super::unread::Unread;
use crate::process::identity::{Identity, Ticks};
use crate::process::last_row::LastRow;
use crate::process::snapshot::Values;

const START: Ticks = Ticks(12345);

fn stored(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/process/proc/testdata").join(case)
}

/// A reader on a stored tree, where `prlimit` is refused as it is to an ordinary user.
fn reader(root: &Path) -> Reader {
    let root = OwnedFd::from(File::open(root).unwrap());
    Reader::on(root, Counting::ByEntry, |_| Err(Errno::PERM))
}

fn read(case: &str, pid: u32) -> (Result<Reading, NoRow>, Vec<String>) {
    read_at(&stored(case), pid)
}

fn read_at(root: &Path, pid: u32) -> (Result<Reading, NoRow>, Vec<String>) {
    let mut unread = Unread::default();
    let reading = reader(root).read(Identity { pid, start: START }, &mut unread);
    (reading, missing(&unread))
}

fn missing(unread: &Unread) -> Vec<String> {
    let line = |row: &serde_json::Value| {
        format!("{}: {}", row["field"].as_str().unwrap(), row["reason"].as_str().unwrap())
    };
    serde_json::to_value(unread.rows()).unwrap().as_array().unwrap().iter().map(line).collect()
}

/// What the stored trees say, where nothing is odd.
fn usual() -> Values {
    Values {
        state: Some(b'S'),
        vm_rss_kb: Some(1700),
        vm_hwm_kb: Some(1788),
        vm_swap_kb: Some(12),
        threads: Some(1),
        fd_count: Some(3),
        fd_soft_limit: Some(1024),
        oom_score: Some(666),
        oom_score_adj: Some(-17),
        sig_pnd: Some(0x201),
        sig_blk: Some(0x10000),
        sig_cgt: Some(0x1_8000_0000),
        wchan: Some(b"do_wait".as_slice().into()),
        ctx_switches_voluntary: Some(12),
        ctx_switches_involuntary: Some(3),
        utime_ticks: Some(Ticks(150)),
        stime_ticks: Some(Ticks(50)),
        read_bytes: Some(4096),
        write_bytes: Some(8192),
    }
}

#[test]
fn a_name_of_any_bytes_comes_with_every_value() {
    let (reading, missing) = read("odd_comm", 77);
    let reading = reading.unwrap();
    assert_eq!(reading.comm.bytes(), b"a) S 1\n(\xff\xfe");
    assert_eq!((reading.values, missing), (usual(), vec![]));
}

#[test]
fn a_zombie_has_no_memory_and_no_descriptors_and_none_of_it_is_zero() {
    let (reading, missing) = read("zombie", 78);
    let values = Values {
        state: Some(b'Z'),
        vm_rss_kb: None,
        vm_hwm_kb: None,
        vm_swap_kb: None,
        fd_count: None,
        oom_score: None,
        oom_score_adj: Some(0),
        wchan: None,
        ..usual()
    };
    assert_eq!(reading.unwrap().values, values);
    let ended = |field: &str| format!("{field}: the process or its main thread has ended (zombie)");
    assert_eq!(missing, ["vm_rss_kb", "vm_hwm_kb", "vm_swap_kb", "fd_count", "oom_score"].map(ended));
}

#[test]
fn a_kernel_without_io_costs_two_fields() {
    let (reading, missing) = read("no_io", 79);
    assert_eq!(reading.unwrap().values, Values { read_bytes: None, write_bytes: None, ..usual() });
    let not_given = |field: &str| format!("{field}: this kernel does not give it for such a process");
    assert_eq!(missing, ["read_bytes", "write_bytes"].map(not_given));
}

#[test]
fn a_kernel_thread_has_no_memory() {
    let values = read("kernel_thread", 80).0.unwrap().values;
    assert_eq!((values.vm_rss_kb, values.vm_hwm_kb, values.vm_swap_kb), (None, None, None));
    assert_eq!(values.wchan.as_deref(), Some(b"kthreadd".as_slice()));
}

#[test]
fn a_process_that_vanishes_half_way_gives_no_row_and_no_reasons() {
    assert_eq!(read("vanished_half_way", 82), (Err(NoRow::Gone), vec![]));
    assert_eq!(read("plain", 4).0, Err(NoRow::Gone));
}

#[test]
fn another_start_time_is_another_process() {
    let mut unread = Unread::default();
    let reading = reader(&stored("plain")).read(Identity { pid: 81, start: Ticks(12344) }, &mut unread);
    assert_eq!(reading, Err(NoRow::Reused(Identity { pid: 81, start: START })));
}

#[test]
fn what_makes_no_sense_is_none() {
    let (reading, missing) = read("damaged", 83);
    let values = Values {
        fd_soft_limit: None,
        oom_score: None,
        oom_score_adj: None,
        wchan: None,
        read_bytes: None,
        write_bytes: None,
        ..usual()
    };
    assert_eq!(reading.unwrap().values, values);
    assert!(missing.contains(&"oom_score: what was read makes no sense".to_owned()), "{missing:?}");
}

/// A copy of the plain tree, whose `change` somebody without privileges then reads.
fn forbidden(change: impl Fn(&Path)) -> (Result<Reading, NoRow>, Vec<String>) {
    let scratch = crate::scratch();
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o755)).unwrap();
    copy(&stored("plain"), scratch.path());
    change(&scratch.path().join("81"));
    let mut reader = reader(scratch.path());
    // A thread of its own, since it gives up its rights (capabilities(7), "Effect of user ID changes").
    let reading = std::thread::spawn(move || {
        // SAFETY: setfsuid(2) touches no memory, and with 65534 takes effect on this thread alone.
        unsafe { libc::setfsuid(65534) };
        let mut unread = Unread::default();
        (reader.read(Identity { pid: 81, start: START }, &mut unread), missing(&unread))
    });
    let reading = reading.join().unwrap();
    fs::set_permissions(scratch.path().join("81"), Permissions::from_mode(0o755)).unwrap();
    reading
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (path, target) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn io_that_is_forbidden_costs_two_fields_and_names_the_reason() {
    let (reading, missing) =
        forbidden(|dir| fs::set_permissions(dir.join("io"), Permissions::from_mode(0o000)).unwrap());
    assert_eq!(reading.unwrap().values, Values { read_bytes: None, write_bytes: None, ..usual() });
    let denied = |field: &str| format!("{field}: Permission denied (os error 13)");
    assert_eq!(missing, ["read_bytes", "write_bytes"].map(denied));
}

#[test]
fn a_directory_that_is_hidden_gives_no_row_and_a_reason() {
    let (reading, _) = forbidden(|dir| fs::set_permissions(dir, Permissions::from_mode(0o000)).unwrap());
    let no_row = reading.unwrap_err();
    assert_eq!(no_row, NoRow::Unreadable(Errno::ACCESS));
    assert_eq!(no_row.reason().unwrap().to_string(), "Permission denied (os error 13)");
}

#[test]
fn a_file_larger_than_the_buffer_is_read_whole() {
    let scratch = crate::scratch();
    copy(&stored("plain"), scratch.path());
    let status = scratch.path().join("81/status");
    let groups =
        [b"Groups:\t".as_slice(), &b"65535 ".repeat(20_000), b"\n", &fs::read(&status).unwrap()].concat();
    fs::write(&status, groups).unwrap();
    assert_eq!(read_at(scratch.path(), 81).0.unwrap().values, usual());
}

#[test]
fn a_process_that_vanishes_before_its_last_file_gives_no_row() {
    let scratch = crate::scratch();
    copy(&stored("plain"), scratch.path());
    let dir = scratch.path().join("81");
    let vanish = move |_| {
        fs::remove_file(dir.join("stat")).unwrap();
        fs::remove_file(dir.join("io")).unwrap();
        Ok(1024)
    };
    let root = OwnedFd::from(File::open(scratch.path()).unwrap());
    let mut unread = Unread::default();
    let id = Identity { pid: 81, start: START };
    assert_eq!(Reader::on(root, Counting::ByEntry, vanish).read(id, &mut unread), Err(NoRow::Gone));
    assert_eq!(unread, Unread::default());
}

/// What is read of a process that had other `io` and `wchan` before, after a change of its files.
fn read_again(change: impl Fn(&str, String) -> String) -> (Option<u64>, Option<Vec<u8>>) {
    let scratch = crate::scratch();
    copy(&stored("plain"), scratch.path());
    for name in ["stat", "status"] {
        let path = scratch.path().join("81").join(name);
        fs::write(&path, change(name, fs::read_to_string(&path).unwrap())).unwrap();
    }
    let before = Values {
        read_bytes: Some(1),
        write_bytes: Some(1),
        wchan: Some(b"then".as_slice().into()),
        ..usual()
    };
    let id = Identity { pid: 81, start: START };
    let reading =
        reader(scratch.path()).read_after(Some(&LastRow::of(&before)), id, &mut Unread::default()).unwrap();
    (reading.values.read_bytes, reading.values.wchan.map(|symbol| symbol.to_vec()))
}

#[test]
fn io_and_wchan_of_a_process_that_slept_are_those_of_the_row_before() {
    assert_eq!(read_again(|_, file| file), (Some(1), Some(b"then".to_vec())));
}

#[test]
fn io_and_wchan_of_a_process_that_may_have_run_are_read() {
    let changes: [fn(&str, String) -> String; 5] = [
        |_, file| file.replace("\nvoluntary_ctxt_switches:\t12", "\nvoluntary_ctxt_switches:\t13"),
        |_, file| file.replace("nonvoluntary_ctxt_switches:\t3", "nonvoluntary_ctxt_switches:\t4"),
        |_, file| file.replace("nonvoluntary_ctxt_switches", "other"),
        |_, file| file.replace("State:\tS", "State:\tR"),
        |name, file| if name == "stat" { file.replace(" 20 0 1 0 ", " 20 0 2 0 ") } else { file },
    ];
    for change in changes {
        assert_eq!(read_again(change), (Some(4096), Some(b"do_wait".to_vec())));
    }
}

fn me() -> Identity {
    crate::process::stat::Stat::read(std::process::id()).unwrap().identity()
}

#[test]
fn this_process_agrees_with_other_sources() {
    let mut unread = Unread::default();
    let values = Reader::new().unwrap().read(me(), &mut unread).unwrap().values;
    assert_eq!(values.fd_soft_limit, getrlimit(Resource::Nofile).current);
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the place is valid for a `rusage`.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) }, 0);
    // SAFETY: getrusage(2) succeeded, so it is filled.
    let usage = unsafe { usage.assume_init() };
    // The kernel keeps parts of these counts on each processor, so each is a little behind; and other tests run.
    let slack = 16 << 10;
    let (rss, peak) = (values.vm_rss_kb.unwrap(), values.vm_hwm_kb.unwrap());
    assert!(rss.abs_diff(walked_rss_kb()) < slack, "{rss} KiB here, {} KiB there", walked_rss_kb());
    // getrusage(2) counts from before the exec, so it may be far more: whoever forked this process was larger.
    let max_rss = u64::try_from(usage.ru_maxrss).unwrap();
    assert!(rss <= peak && peak <= max_rss + slack, "{rss}, {peak}, {max_rss} KiB");
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    let ticks = values.cpu().unwrap().0 as f64 / rustix::param::clock_ticks_per_second() as f64;
    assert!(ticks <= cpu + 0.02, "{ticks} s can't be more than {cpu} s, which were asked for later");
    assert!(values.threads.unwrap() >= 1);
}

/// The resident set as the kernel counts it page by page.
fn walked_rss_kb() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn both_ways_to_count_descriptors_agree_with_a_third() {
    let proc = || OwnedFd::from(File::open("/proc").unwrap());
    let mut unread = Unread::default();
    let mut count = |counting| {
        let mut reader = Reader::on(proc(), counting, super::limits::of_pid);
        reader.read(me(), &mut unread).unwrap().values.fd_count.unwrap()
    };
    // Other tests open and close files meanwhile, so this asks until nothing changed in between. Each way sees what is
    // open for its own work: the third its directory; the reader `/proc`, its directory and `fd`.
    let agreed = std::iter::repeat_with(|| {
        let third = || fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        (third() + 2, count(Counting::ByEntry), third() + 2)
    });
    assert!(agreed.take(10_000).any(|(before, by_entry, after)| before == by_entry && by_entry == after));
    if Counting::detect(&proc()) == Counting::BySize {
        assert!(count(Counting::BySize) > 0);
    }
}
