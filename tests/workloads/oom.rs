//! Death by the OOM killer, in a memory cgroup that is made for it and removed again.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};

use crate::environment::{me, note};
use crate::{bystander, names, observe, sys, troubles};

const LIMIT: &str = "16777216";

/// A child takes more memory than its cgroup allows.
pub(crate) fn oom(_args: &[String]) -> i32 {
    let group = Group::new();
    let pid = sys::fork(|| {
        names::set_comm(b"glutton");
        group.join();
        eat();
        1
    });
    note("victim", pid.cast_unsigned(), -1);
    observe::reap(pid);
    0
}

/// `oom-target [inner] [at-once|unseen]`: a child named `glutton` starts in a cgroup, and a moment later takes more memory than
/// that allows. inner: its own cgroup allows anything, the one above does not. The cgroup is removed another moment later;
/// at-once: as soon as it is empty; unseen: then too, and tracer, the parent, stands still until it is gone.
pub(crate) fn oom_target(args: &[String]) -> i32 {
    let [inner, at_once, unseen] =
        ["inner", "at-once", "unseen"].map(|word| args.iter().any(|arg| arg == word));
    let outer = Group::new();
    let inside = inner.then(|| outer.inside());
    let (starts, start) = std::io::pipe().unwrap();
    symlink(me(), "glutton").unwrap();
    let pid = sys::fork(|| {
        inside.as_ref().unwrap_or(&outer).join();
        // SAFETY: both descriptors are open, and this process has one thread.
        unsafe { libc::dup2(starts.as_raw_fd(), 0) };
        sys::exec(Path::new("./glutton"), &[b"glutton", b"glutton"])
    });
    note("limited", pid.cast_unsigned(), -1);
    troubles::hold();
    let tracer = rustix::process::getppid().unwrap();
    if unseen {
        bystander::stop(tracer);
    }
    (&start).write_all(b"!").unwrap();
    observe::reap(pid);
    if !at_once && !unseen {
        troubles::hold();
    }
    drop((inside, outer));
    if unseen {
        kill_process(tracer, Signal::CONT).unwrap();
    }
    0
}

/// Takes memory until the kernel objects, once something comes on stdin.
pub(crate) fn glutton(_args: &[String]) -> i32 {
    std::io::stdin().read_exact(&mut [0]).unwrap();
    eat();
    1
}

/// A memory cgroup of one process, removed when dropped, which must be after its member is reaped.
pub(crate) struct Group(PathBuf);

impl Group {
    /// Makes one, below version 1's memory hierarchy or version 2's, whichever has the controller.
    pub(crate) fn new() -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mounts: Vec<Vec<&str>> = mounts.lines().map(|line| line.split(' ').collect()).collect();
        let old =
            mounts.iter().find(|mount| mount[2] == "cgroup" && mount[3].split(',').any(|it| it == "memory"));
        let new = mounts.iter().find(|mount| mount[2] == "cgroup2" && has_memory(Path::new(mount[1])));
        let (mount, limit) = match (old, new) {
            (Some(old), _) => (old[1], "memory.limit_in_bytes"),
            (None, Some(new)) => (new[1], "memory.max"),
            (None, None) => panic!(
                "no cgroups can limit memory here: mount version 2's file system and write `+memory` to its cgroup.subtree_control"
            ),
        };
        let dir = Path::new(mount).join(format!("tracer-test-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join(limit), LIMIT).unwrap();
        Self(dir)
    }

    /// Makes one inside, without a limit. To be dropped first.
    pub(crate) fn inside(&self) -> Self {
        let dir = self.0.join("inside");
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    /// Moves the calling process into it.
    pub(crate) fn join(&self) {
        fs::write(self.0.join("cgroup.procs"), "0").unwrap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).unwrap();
    }
}

/// Takes memory until the kernel objects.
pub(crate) fn eat() {
    for _ in 0..256 {
        std::hint::black_box(Vec::leak(vec![1_u8; 1 << 20]));
    }
}

fn has_memory(mount: &Path) -> bool {
    let given = fs::read_to_string(mount.join("cgroup.subtree_control")).unwrap_or_default();
    given.split_whitespace().any(|controller| controller == "memory")
}
