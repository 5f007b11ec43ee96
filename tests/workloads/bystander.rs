//! Things done while tracer itself stands still, so that its rings surely overflow.

use std::fs;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, getppid, kill_process, pidfd_open};

use crate::oom::{self, Group};
use crate::{names, observe, signals, sys};

/// More than one: the last bytes of a ring that is too full for a fork may still hold one OOM record, which is smaller.
const OOM_VICTIMS: usize = 3;

/// `behind-its-back WHAT COUNT`: stops its parent, tracer, does something so many times, and lets tracer go on.
///
/// WHAT is `forks`, `renames`, `signals` (each kills a child), or `oom` (three
/// victims) after so many forks.
pub(crate) fn behind_its_back(args: &[String]) -> i32 {
    let count: usize = args[1].parse().unwrap();
    let act: fn(usize) = match args[0].as_str() {
        "forks" => fork_each,
        "renames" => rename_each,
        "signals" => signal_each,
        "oom" => starve_after_forks,
        other => panic!("no way to {other:?}"),
    };
    let tracer = getppid().unwrap();
    stop(tracer);
    act(count);
    kill_process(tracer, Signal::CONT).unwrap();
    0
}

/// `dies-behind-its-back FORKS`: stops tracer, forks so often, and ends with 11; tracer goes on after that.
pub(crate) fn dies_behind_its_back(args: &[String]) -> i32 {
    let tracer = getppid().unwrap();
    stop(tracer);
    fork_each(args[0].parse().unwrap());
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    sys::fork(|| {
        poll(&mut [PollFd::new(&own, PollFlags::IN)], None).unwrap();
        kill_process(tracer, Signal::CONT).unwrap();
        0
    });
    11
}

/// Stops a process, and waits until each of its threads stands. Nothing reports that to a child, so this asks.
pub(crate) fn stop(process: Pid) {
    kill_process(process, Signal::STOP).unwrap();
    let tasks = format!("/proc/{}/task", process.as_raw_nonzero());
    let stands = |stat: String| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"));
    let mut all_stand = false;
    while !all_stand {
        std::thread::yield_now();
        let mut threads = fs::read_dir(&tasks).unwrap();
        all_stand =
            threads.all(|task| fs::read_to_string(task.unwrap().path().join("stat")).is_ok_and(stands));
    }
}

fn fork_each(count: usize) {
    for _ in 0..count {
        observe::wait(sys::fork(|| 5));
    }
}

fn rename_each(count: usize) {
    for index in 0..count {
        names::set_comm(format!("name {index}").as_bytes());
    }
}

fn signal_each(count: usize) {
    for _ in 0..count {
        let victim = sys::fork(signals::wait_for_ever);
        kill_process(Pid::from_raw(victim).unwrap(), Signal::KILL).unwrap();
        observe::wait(victim);
    }
}

fn starve_after_forks(count: usize) {
    let group = Group::new();
    fork_each(count);
    for _ in 0..OOM_VICTIMS {
        let victim = sys::fork(|| {
            group.join();
            oom::eat();
            1
        });
        observe::wait(victim);
    }
}
