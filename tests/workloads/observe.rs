//! Waits for children and writes down how they ended.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, WaitId, WaitIdOptions, set_child_subreaper, waitid};
use tests::truth::{Reaped, Row};

use crate::{environment, sys};

/// `observe -- CASE [ARG]…`: runs the case, and reaps it and whatever it leaves behind.
pub(crate) fn observe(args: &[String]) -> i32 {
    let case = args.strip_prefix(["--".to_owned()].as_slice()).expect("observe -- CASE");
    let stat = fs::read("/proc/self/stat").unwrap();
    environment::note("root", std::process::id(), stat_field(&stat, 22).cast_signed());
    set_child_subreaper(Some(Pid::INIT)).unwrap();
    sys::fork(|| {
        let error = Command::new(environment::me()).args(case).exec();
        panic!("exec of the case: {error}")
    });
    reap_all();
    0
}

/// Waits until there are no more children, those that were adopted included. The truth about each is written.
pub(crate) fn reap_all() {
    while let Some(pid) = next_ended() {
        reap(pid);
    }
}

/// Waits for the next child that has ended, and leaves it unreaped. None if there are no children.
fn next_ended() -> Option<i32> {
    // SAFETY: siginfo_t is integers and pointers that are not followed, so zeros are a value of it.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local of the right type.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOWAIT) };
    // SAFETY: waitid(2) with WEXITED fills in the fields of SIGCHLD.
    (result == 0).then(|| unsafe { info.si_pid() })
}

/// Waits for one child and writes the truth about it: first `/proc` of the zombie, then wait4.
pub(crate) fn reap(pid: i32) {
    let child = WaitId::Pid(Pid::from_raw(pid).unwrap());
    waitid(child, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap();
    let mut comm = fs::read(format!("/proc/{pid}/comm")).unwrap();
    comm.pop();
    let (status, usage) = wait4(pid);
    environment::tell(&Row::Reaped(Reaped {
        pid: pid.cast_unsigned(),
        starttime_ticks: stat_field(&stat, 22),
        comm,
        waiter: std::process::id(),
        exit_code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        exit_signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        core_dumped: libc::WIFSIGNALED(status) && libc::WCOREDUMP(status),
        has_waited: stat_field(&stat, 11) > 0,
        max_rss_kb: usage.ru_maxrss.cast_unsigned(),
        cpu_us: microseconds(usage.ru_utime) + microseconds(usage.ru_stime),
        min_flt: usage.ru_minflt.cast_unsigned(),
        maj_flt: usage.ru_majflt.cast_unsigned(),
        nvcsw: usage.ru_nvcsw.cast_unsigned(),
        nivcsw: usage.ru_nivcsw.cast_unsigned(),
    }));
}

/// Waits for a child of which nobody asks more than its status.
pub(crate) fn wait(pid: i32) -> i32 {
    wait4(pid).0
}

/// Waits for any child; its pid and status. None if there are no children.
pub(crate) fn wait_any() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: the pointer is to a local of the right type.
    let pid = unsafe { libc::wait(&raw mut status) };
    (pid > 0).then_some((pid, status))
}

fn wait4(pid: i32) -> (i32, libc::rusage) {
    let mut status = 0;
    // SAFETY: rusage is integers only, so zeros are a value of it.
    let mut usage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to locals of the right types.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid, "wait4: {}", std::io::Error::last_os_error());
    (status, usage)
}

/// A field of `/proc/PID/stat`, numbered as in proc(5). The comm may hold anything, so fields count from its end.
pub(crate) fn stat_field(stat: &[u8], number: usize) -> u64 {
    let after_comm = stat.iter().rposition(|&byte| byte == b')').unwrap() + 2;
    let rest = std::str::from_utf8(&stat[after_comm..]).unwrap();
    rest.split(' ').nth(number - 3).unwrap().parse().unwrap()
}

fn microseconds(time: libc::timeval) -> u64 {
    (time.tv_sec * 1_000_000 + time.tv_usec).cast_unsigned()
}
