//! execs that fail, repeat, or bring unusual arguments.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::environment::me;
use crate::sys;

/// Two execs that fail: no such file, and a file without the x bit. Then a plain end, with 3.
pub(crate) fn failed_execs(_args: &[String]) -> i32 {
    assert_eq!(sys::exec(Path::new("./is-not-there"), &[b"x"]), libc::ENOENT);
    fs::write("not-executable", "#!/bin/sh\n").unwrap();
    assert_eq!(sys::exec(Path::new("./not-executable"), &[b"x"]), libc::EACCES);
    3
}

/// `exec-again TIMES`: execs itself, then `show`.
pub(crate) fn exec_again(args: &[String]) -> i32 {
    let left: u32 = args[0].parse().unwrap();
    let next = left.saturating_sub(1).to_string();
    let argv: [&[u8]; 3] = if left == 0 {
        [b"workload", b"show", b"in the end"]
    } else {
        [b"workload", b"exec-again", next.as_bytes()]
    };
    sys::exec(&me(), &argv)
}

/// exec with an empty argv. Linux 5.18 and newer make that one empty argument.
pub(crate) fn no_argv(_args: &[String]) -> i32 {
    sys::exec(&me(), &[])
}

/// `big-argv COUNT LENGTH`: `show` with so many arguments of so many bytes each.
pub(crate) fn big_argv(args: &[String]) -> i32 {
    // A quarter of this is what exec takes (execve(2), "Limits on size of arguments and environment").
    setrlimit(Resource::Stack, Rlimit { current: Some(64 << 20), maximum: None }).unwrap();
    let (count, length): (usize, usize) = (args[0].parse().unwrap(), args[1].parse().unwrap());
    let words: Vec<Vec<u8>> = (0..count).map(|index| format!("{index:0length$}").into_bytes()).collect();
    let argv: Vec<&[u8]> =
        [b"workload".as_slice(), b"show"].into_iter().chain(words.iter().map(Vec::as_slice)).collect();
    sys::exec(&me(), &argv)
}

/// `long-path LENGTH`: `show` by a path of so many bytes.
pub(crate) fn long_path(args: &[String]) -> i32 {
    let length: usize = args[0].parse().unwrap();
    symlink(me(), "me").unwrap();
    // Slashes may be repeated, and the kernel keeps the path as it was given.
    let path = format!(".{}me", "/".repeat(length - 3));
    sys::exec(Path::new(&path), &[b"me", b"show"])
}
