//! Snapshots where it takes privileges to bring the case about: a pid that is reused half-way, files that are kept from a
//! user.
//!
//! Where nobody else may take pids, or `/proc` is mounted in another way, a test runs itself in namespaces of its own.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what goes wrong here fails the test with a backtrace"
)]

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tests::machine;
use tracer::process::identity::Identity;
use tracer::process::proc::dir::Counting;
use tracer::process::proc::limits;
use tracer::process::proc::reader::{NoRow, Reader};
use tracer::process::proc::unread::Unread;
use tracer::process::stat::Stat;
use tracer::run::kill::{Sent, send};

const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

/// Set where a test runs as the first process of its pid namespace.
const INSIDE: &str = "SAMPLES_INSIDE";

/// Runs `body` as the first process of a pid namespace, with a `/proc` of that namespace: the test of this name calls itself.
#[track_caller]
fn inside(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        assert_eq!(std::process::id(), 1, "this belongs into a pid namespace of its own");
        return body();
    }
    assert!(rustix::process::geteuid().is_root(), "the live tests need root; run: cargo xtask test");
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(std::env::current_exe().unwrap());
    unshare.args(["--exact", test, "--test-threads", "1", "--nocapture"]).env(INSIDE, "1");
    let output = unshare.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn sleeper() -> Child {
    Command::new("sleep").arg("30").stdin(Stdio::null()).spawn().unwrap()
}

fn identity(pid: u32) -> Identity {
    Stat::read(pid).unwrap().identity()
}

/// Ends a process and starts another under its pid, which differs in its start: only then is it another identity.
fn replace(victim: &mut Child) -> Child {
    let (pid, old) = (victim.id(), identity(victim.id()));
    victim.kill().unwrap();
    victim.wait().unwrap();
    loop {
        fs::write(LAST_PID, (pid - 1).to_string()).unwrap();
        let mut next = sleeper();
        assert_eq!(next.id(), pid, "nobody else takes pids in this namespace");
        if identity(pid) != old {
            return next;
        }
        next.kill().unwrap();
        next.wait().unwrap();
    }
}

/// Whether reading a process gives a row, if another one takes its pid while its limit is asked for.
fn read_while_replaced() -> Result<(), NoRow> {
    let mut victim = sleeper();
    let id = identity(victim.id());
    let (sender, replaced) = std::sync::mpsc::channel();
    let limit = move |pid| {
        sender.send(replace(&mut victim)).unwrap();
        limits::of_pid(pid)
    };
    let proc = OwnedFd::from(File::open("/proc").unwrap());
    let reading = Reader::on(proc, Counting::ByEntry, limit).read(id, &mut Unread::default());
    let mut next = replaced.recv().unwrap();
    let successor = identity(next.id());
    let again = Reader::new().unwrap().read(id, &mut Unread::default());
    assert_eq!(again, Err(NoRow::Reused(successor)), "and from the start, it is another process");
    next.kill().unwrap();
    next.wait().unwrap();
    reading.map(drop)
}

#[test]
fn a_signal_for_who_had_a_pid_before_does_not_reach_who_has_it_now() {
    inside("a_signal_for_who_had_a_pid_before_does_not_reach_who_has_it_now", || {
        let mut victim = sleeper();
        let old = identity(victim.id());
        let mut next = replace(&mut victim);
        assert_eq!(send(old, Signal::KILL), Sent::Gone);
        let new = identity(next.id());
        assert_eq!((new.pid, next.try_wait().unwrap()), (old.pid, None), "it lives on");
        assert_eq!(send(new, Signal::KILL), Sent::Yes { stopped: false });
        next.wait().unwrap();
    });
}

#[test]
fn a_pid_that_is_reused_between_two_reads_gives_no_row() {
    inside("a_pid_that_is_reused_between_two_reads_gives_no_row", || {
        for _ in 0..3 {
            assert_eq!(read_while_replaced(), Err(NoRow::Gone));
        }
    });
}

/// Reads a sleeper of root's as somebody without rights.
fn read_as_nobody() -> (Result<(), NoRow>, String) {
    let mut sleeper = sleeper();
    let id = identity(sleeper.id());
    let reading = std::thread::spawn(move || {
        become_nobody();
        let mut unread = Unread::default();
        let reading = Reader::new().unwrap().read(id, &mut unread).map(drop);
        (reading, serde_json::to_string(&unread.rows()).unwrap())
    });
    let reading = reading.join().unwrap();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    reading
}

/// Takes this thread's rights away, and no other's: libc's functions would change all threads. `/proc` shows everything
/// to group 0 and to whoever may trace, so both go.
fn become_nobody() {
    const NOBODY: libc::uid_t = 65534;
    // SAFETY: no groups are read from a null pointer.
    let groups = unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) };
    // SAFETY: the call takes three numbers.
    let group = unsafe { libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY) };
    // SAFETY: the same.
    let user = unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) };
    assert_eq!((groups, group, user), (0, 0, 0), "{}", std::io::Error::last_os_error());
}

#[test]
fn what_is_kept_from_a_user_is_null_with_its_reason_and_the_rest_is_there() {
    let (reading, unread) = read_as_nobody();
    assert_eq!(reading, Ok(()));
    // Before 6.2 descriptors are counted by listing them, which is the owner's alone.
    let kept: &[&str] = if machine::is_linux(6, 2) {
        &["read_bytes", "write_bytes"]
    } else {
        &["fd_count", "read_bytes", "write_bytes"]
    };
    let row =
        |field| format!(r#"{{"field":"{field}","reason":"Permission denied (os error 13)","count":1}}"#);
    assert_eq!(unread, format!("[{}]", kept.iter().map(row).collect::<Vec<_>>().join(",")));
}

#[test]
fn what_hidepid_keeps_from_a_user_gives_no_row() {
    inside("what_hidepid_keeps_from_a_user_gives_no_row", || {
        remount_proc(c"hidepid=1");
        let refused = read_as_nobody().0.unwrap_err();
        assert_eq!(refused.to_string(), "can't read /proc/PID/stat: Operation not permitted (os error 1)");
        remount_proc(c"hidepid=2");
        assert_eq!(read_as_nobody().0, Err(NoRow::Gone));
    });
}

fn remount_proc(options: &CStr) {
    // SAFETY: C strings that live here; this namespace's `/proc` is seen by nobody else.
    let failed = unsafe {
        libc::mount(
            c"proc".as_ptr(),
            c"/proc".as_ptr(),
            c"proc".as_ptr(),
            libc::MS_REMOUNT,
            options.as_ptr().cast(),
        )
    };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}
