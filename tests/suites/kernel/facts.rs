//! What came with which release: asserted on both sides of it.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use serde_json::json;
use tests::machine::{is_linux, tell};
use tests::{Trace, traced};
use tracer::kernel::btf::{Btf, Image};
use tracer::kernel::facts::read_kernel_facts;
use tracer::process::proc::dir::Counting;

/// In the version of a kernel from before `mark_victim` changed (proc_version(5)).
const BEFORE: &str = "Debian 5.10.223-1";

/// Whether a structure of this kernel has a field.
fn has_field(of: &'static str, field: &str) -> bool {
    let image = Image::of_kernel().unwrap();
    let btf = Btf::scan(&image, &[of], &[]).unwrap();
    assert!(btf.size_of(of).is_some(), "there is a struct {of}");
    btf.offset_of(of, field).is_some()
}

/// Whether `ioctl(pidfd, PIDFD_GET_INFO)` is known; an older kernel knows no ioctl of a pidfd of that size.
fn has_pidfd_info() -> bool {
    // `_IOWR(0xFF, 11, struct pidfd_info)`, whose first version has 64 bytes (include/uapi/linux/pidfd.h).
    const GET_INFO: libc::c_ulong = 0xC040_FF0B;
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let mut info = [0_u64; 8];
    // SAFETY: the kernel writes at most the 64 bytes that the request says, and they are there.
    let result = unsafe { libc::ioctl(own.as_raw_fd(), GET_INFO, info.as_mut_ptr()) };
    let refused = std::io::Error::last_os_error().raw_os_error();
    assert!(result == 0 || refused == Some(libc::ENOTTY) || refused == Some(libc::EINVAL), "{refused:?}");
    result == 0
}

/// Whether a pidfd of a thread can be had (`PIDFD_THREAD`).
fn has_pidfd_of_threads() -> bool {
    match pidfd_open(getpid(), PidfdFlags::from_bits_retain(libc::O_EXCL.cast_unsigned())) {
        Ok(_) => true,
        Err(Errno::INVAL) => false,
        Err(error) => panic!("pidfd_open: {error}"),
    }
}

#[test]
fn the_last_threads_exit_says_so_itself_from_6_16_on() {
    let kernel = read_kernel_facts().unwrap();
    let group_dead = kernel.facts.exit_has_group_dead == 1;
    assert_eq!(group_dead, is_linux(6, 16), "sched_process_exit of {}", kernel.release);
    // Where it does not, `signal->live` decides; either way a process ends once.
    let session = traced(["thread-storm", "16"]);
    assert_eq!(session.events("exit").len(), 2, "the observer and the case");
}

#[test]
fn an_oom_victim_is_named_whether_as_a_task_or_as_a_bare_pid() {
    let kernel = read_kernel_facts().unwrap();
    assert!(kernel.tracepoints.mark_victim);
    // `mark_victim(int pid)` became `mark_victim(task, uid)` in 6.9, and in later point releases of older series. Taken for the
    // other, it names a pid that nobody has, and there is no event.
    assert!(kernel.facts.mark_victim_is_task == 1 || !is_linux(6, 9), "mark_victim of {}", kernel.release);
    let version = fs::read_to_string("/proc/version").unwrap();
    assert!(kernel.facts.mark_victim_is_task == 0 || !version.contains(BEFORE), "mark_victim of {version}");
    let session = traced(["oom"]);
    let victim = session.note("victim").pid;
    assert_eq!(session.events_of(victim, "oom").len(), 1);
}

#[test]
fn the_start_of_a_process_has_its_newer_name_on_every_kernel_that_is_supported() {
    assert!(has_field("task_struct", "start_boottime"));
    assert!(!has_field("task_struct", "real_start_time"), "its name before 5.5");
}

#[test]
fn descriptors_are_counted_by_size_from_6_2_on_and_one_by_one_before() {
    let proc = OwnedFd::from(File::open("/proc").unwrap());
    let expected = if is_linux(6, 2) { Counting::BySize } else { Counting::ByEntry };
    assert_eq!(Counting::detect(&proc), expected);
    // Whichever it is, the count is right.
    let session = Trace::case(["posture"]).flags(["--interval", "10ms"]).run();
    let posing = session.note("posing").pid;
    let told = session.note("fd_count").value;
    assert!(session.rows_of(posing).iter().any(|row| row["fd_count"] == told), "{told} descriptors");
}

#[test]
fn a_pidfd_knows_what_it_knew_when_the_kernel_was_made() {
    assert_eq!(has_pidfd_of_threads(), is_linux(6, 9), "PIDFD_THREAD");
    assert_eq!(has_pidfd_info(), is_linux(6, 13), "PIDFD_GET_INFO");
    // What tracer needs of it is older than 5.10: to wait for an end, and to signal that very process.
    let session =
        Trace::sh("sleep 60").flags(["--target", "nobody-by-this-name", "--resolve-timeout", "300ms"]).run();
    assert_eq!(session.summary["subtype"], "unresolved");
    assert!(session.processes.iter().all(|row| row["ended_at"].is_string()), "{:#?}", session.processes);
}

#[test]
fn what_is_different_on_this_kernel_is_told() {
    let kernel = read_kernel_facts().unwrap();
    let proc = OwnedFd::from(File::open("/proc").unwrap());
    let facts = json!({
        "group_dead": kernel.facts.exit_has_group_dead == 1,
        "mark_victim_task": kernel.facts.mark_victim_is_task == 1,
        "unpreempted": kernel.facts.preempted == 0,
        "fd_by_size": Counting::detect(&proc) == Counting::BySize,
        "pidfd_info": has_pidfd_info(),
        "fields": kernel.facts.present.count_ones(),
    });
    assert!(facts["fields"].as_u64() > Some(30), "{facts}");
    tell("facts", &facts);
}
