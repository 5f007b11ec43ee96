//! Work that is done when somebody asks for it, and timed from the inside: what the bench measures.

use std::io::stdin;
use std::path::PathBuf;
use std::time::Instant;

use crate::{CASES, observe, sys};

/// `on-demand CASE [ARG]…`: for each line on stdin does the case once and answers with the nanoseconds that it took.
///
/// Whoever starts tracer or strace before it is so not timed with it.
pub(crate) fn on_demand(args: &[String]) -> i32 {
    let (name, rest) = args.split_first().expect("on-demand CASE");
    let (_, case) = CASES.iter().find(|(known, _)| known == name).expect("a known case");
    for _line in stdin().lines() {
        sys::limit_life();
        let start = Instant::now();
        let code = case(rest);
        let elapsed = start.elapsed().as_nanos();
        assert_eq!(code, 0, "{name} failed");
        println!("{elapsed}");
    }
    0
}

/// `spawn COUNT PATH [ARG]…`: so many times posix_spawn(3) of PATH, one after the other, each waited for.
pub(crate) fn spawn_many(args: &[String]) -> i32 {
    let count: u32 = args[0].parse().unwrap();
    let argv: Vec<&[u8]> = args[1..].iter().map(String::as_bytes).collect();
    let file = PathBuf::from(&args[1]);
    (0..count).map(|_| observe::wait(sys::spawn(&file, &argv))).fold(0, std::cmp::max)
}
