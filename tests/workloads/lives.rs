//! Steps in the life of a target, each of which ends as the case behind it: `workload rename cli sampled 2 exit 3`.

use std::io::Write;

use crate::environment::{me, note};
use crate::{names, observe, sys, trace};

/// `rename NAME CASE…`: takes a name, and goes on as the case.
pub(crate) fn rename(args: &[String]) -> i32 {
    names::set_comm(args[0].as_bytes());
    crate::run(&args[1..])
}

/// `become NAME CASE…`: execs itself under this `argv[0]`, as the case.
pub(crate) fn become_(args: &[String]) -> i32 {
    let words: Vec<&[u8]> = args.iter().map(String::as_bytes).collect();
    sys::exec(&me(), &words)
}

/// `sampled ROWS CASE…`: waits until tracer has written so many snapshots of this process, and goes on as the case.
pub(crate) fn sampled(args: &[String]) -> i32 {
    trace::await_rows(std::process::id(), args[0].parse().unwrap());
    crate::run(&args[1..])
}

/// `hold KIB CASE…`: takes so much memory, touches all of it, notes it, and goes on as the case.
pub(crate) fn hold(args: &[String]) -> i32 {
    let kib: usize = args[0].parse().unwrap();
    let memory = vec![1_u8; kib << 10];
    std::hint::black_box(&memory);
    note("holds", std::process::id(), i64::try_from(kib).unwrap());
    let code = crate::run(&args[1..]);
    std::hint::black_box(memory);
    code
}

/// `spin MILLISECONDS CASE…`: uses so much CPU time, by its own clock, and goes on as the case.
pub(crate) fn spin(args: &[String]) -> i32 {
    let enough: i64 = args[0].parse().unwrap();
    let used = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    };
    while used() < enough {
        std::hint::spin_loop();
    }
    crate::run(&args[1..])
}

/// `child CASE…`: runs the case in a child that only forked, reaps it, and ends as it did.
pub(crate) fn child(args: &[String]) -> i32 {
    let child = sys::fork(|| crate::run(args));
    note("child", child.cast_unsigned(), -1);
    libc::WEXITSTATUS(observe::wait(child))
}

/// `head`: writes to a pipe for as long as somebody reads it, and nobody does.
pub(crate) fn write_to_nobody(_args: &[String]) -> i32 {
    let (reader, mut writer) = std::io::pipe().unwrap();
    drop(reader);
    let written = writer.write_all(b"y\n");
    panic!("a write to nobody came back: {written:?}")
}
