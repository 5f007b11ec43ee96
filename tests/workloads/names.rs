//! Names that are no plain words, and threads that take another name.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::environment::me;
use crate::sys;

/// `odd-comm HEX`: takes these bytes as comm, then ends with 2.
pub(crate) fn odd_comm(args: &[String]) -> i32 {
    set_comm(&unhex(&args[0]));
    2
}

/// `odd-file-name HEX`: execs `show` by a link of this name.
pub(crate) fn odd_file_name(args: &[String]) -> i32 {
    let name = unhex(&args[0]);
    let path = Path::new(".").join(OsStr::from_bytes(&name));
    symlink(me(), &path).unwrap();
    sys::exec(&path, &[&name, b"show", b"\xff argument \\x41 \xc3\xa9\n"])
}

/// The main thread takes two names in turn.
pub(crate) fn rename_main(_args: &[String]) -> i32 {
    set_comm(b"first name");
    fs::write("/proc/thread-self/comm", "second name").unwrap();
    0
}

/// Other threads take names, one of them by its own hand: the process keeps its own.
pub(crate) fn rename_thread(_args: &[String]) -> i32 {
    let named = std::thread::Builder::new().name("by pthread".to_owned());
    named.spawn(|| set_comm(b"by prctl")).unwrap().join().unwrap();
    0
}

/// Sets the calling thread's comm.
pub(crate) fn set_comm(name: &[u8]) {
    rustix::thread::set_name(&sys::c_string(name)).unwrap();
}

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}
