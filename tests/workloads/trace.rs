//! What tracer has written so far, as a case sees it that waits for that: the trace file in the runtime directory.

use std::ffi::OsStr;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::inotify;
use tests::truth;

/// Waits until there are `count` snapshots of a process. SIGALRM ends a wait in vain.
pub(crate) fn await_rows(pid: u32, count: usize) {
    let (runtime, own) = dirs();
    let changes = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    loop {
        // Watched before it is read, so that nothing is missed in between; watching again changes nothing.
        let _ = watch(&changes, &runtime).and_then(|()| watch(&changes, &own));
        if rows(&own, pid) >= count {
            return;
        }
        await_change(&changes);
    }
}

/// Waits until there are `more` snapshots than there are now.
pub(crate) fn await_more_rows(pid: u32, more: usize) {
    await_rows(pid, rows(&dirs().1, pid) + more);
}

/// The directory that tracer was given, and tracer's own in it.
fn dirs() -> (PathBuf, PathBuf) {
    let truth = std::env::var_os(truth::FILE).expect("a truth file, for the runtime directory is beside it");
    let runtime = Path::new(&truth).with_file_name("run");
    let own = runtime.join(format!("tracer-{}", rustix::process::geteuid().as_raw()));
    (runtime, own)
}

fn watch(changes: &OwnedFd, dir: &Path) -> rustix::io::Result<()> {
    let what = inotify::WatchFlags::CREATE | inotify::WatchFlags::MODIFY;
    inotify::add_watch(changes, dir, what).map(drop)
}

fn await_change(changes: impl AsFd) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    inotify::Reader::new(changes, &mut buffer).next().unwrap();
}

fn rows(dir: &Path, pid: u32) -> usize {
    let of_pid = format!("\"pid\":{pid},");
    let is_row = |line: &&str| line.starts_with("{\"captured_at\":") && line.contains(&of_pid);
    let is_trace = |path: &PathBuf| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("tracer_trace_"))
    };
    let files = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).filter(is_trace);
    files.map(|file| fs::read_to_string(file).unwrap_or_default().lines().filter(is_row).count()).sum()
}
