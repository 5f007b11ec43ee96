//! Many processes.

use std::io::{Read, Write, pipe};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use crate::environment::{me, note};
use crate::{observe, sys};

/// `fork COUNT [exec [ARGUMENT_BYTES]]`: so many children, child N ends with N % 256 (with exec: with 0).
pub(crate) fn fork_many(args: &[String]) -> i32 {
    let count: i32 = args[0].parse().unwrap();
    let padding = args.get(2).map_or(0, |bytes| bytes.parse().unwrap());
    let execs = args.get(1).is_some_and(|word| word == "exec");
    let argument = vec![b'x'; padding];
    for index in 0..count {
        let pid =
            sys::fork(
                || {
                    if execs { sys::exec(&me(), &[b"workload", b"noop", &argument]) } else { index % 256 }
                },
            );
        observe::wait(pid);
    }
    0
}

/// `parallel FORKERS COUNT [exec [ARGUMENT_BYTES]]`: so many processes at once, each of which does `fork COUNT …`.
pub(crate) fn parallel(args: &[String]) -> i32 {
    let forkers: i32 = args[0].parse().unwrap();
    let pids: Vec<i32> = (0..forkers).map(|_| sys::fork(|| fork_many(&args[1..]))).collect();
    pids.into_iter().map(observe::wait).sum()
}

/// `deep LEVELS`: a chain of processes, each the child of the one before; each waits for its own.
pub(crate) fn deep(args: &[String]) -> i32 {
    let levels: i64 = args[0].parse().unwrap();
    descend(levels)
}

fn descend(levels: i64) -> i32 {
    note("level", std::process::id(), levels);
    if levels > 0 {
        observe::wait(sys::fork(|| descend(levels - 1)));
    }
    0
}

/// `crowd COUNT`: so many children that all live at the same time, and end together.
pub(crate) fn crowd(args: &[String]) -> i32 {
    let count: i32 = args[0].parse().unwrap();
    let (gate, keeper) = pipe().unwrap();
    let (ready, arrived) = pipe().unwrap();
    let pids: Vec<i32> = (0..count).map(|_| sys::fork(|| wait_at(&gate, &keeper, &arrived))).collect();
    for _ in 0..count {
        (&ready).read_exact(&mut [0]).unwrap();
    }
    for _ in 0..count {
        (&keeper).write_all(b"!").unwrap();
    }
    pids.into_iter().map(observe::wait).sum()
}

/// `generations`: twelve children, each with a child of its own, one after the other without a pause. Each notes itself first, so
/// the notes are in the order of the forks, and whoever was recorded is among them. With `generations BYTES` the children's children
/// run a program with so long an argument, which makes long rows.
pub(crate) fn generations(args: &[String]) -> i32 {
    let argument = vec![b'x'; args.first().map_or(0, |bytes| bytes.parse().unwrap())];
    member();
    for _ in 0..12 {
        observe::wait(sys::fork(|| {
            member();
            observe::wait(sys::fork(|| {
                member();
                if argument.is_empty() { 0 } else { sys::exec(&me(), &[b"workload", b"noop", &argument]) }
            }));
            0
        }));
    }
    0
}

fn member() {
    let stat = std::fs::read("/proc/self/stat").unwrap();
    note("member", std::process::id(), observe::stat_field(&stat, 22).cast_signed());
}

/// `in-crowd COUNT CASE…`: goes on as the case, with so many children that stand still until this process ends.
pub(crate) fn in_crowd(args: &[String]) -> i32 {
    assemble(args);
    crate::run(&args[1..])
}

/// `assemble COUNT`: so many children stand still until this process ends.
pub(crate) fn assemble(args: &[String]) -> i32 {
    let count: i32 = args[0].parse().unwrap();
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    for _ in 0..count {
        sys::fork(|| {
            poll(&mut [PollFd::new(&own, PollFlags::IN)], None).unwrap();
            0
        });
    }
    0
}

fn wait_at(mut gate: impl Read, _keeper: &impl Write, mut arrived: impl Write) -> i32 {
    arrived.write_all(b"!").unwrap();
    gate.read_exact(&mut [0]).unwrap();
    0
}
