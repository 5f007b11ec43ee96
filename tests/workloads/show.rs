//! A program that tells how the kernel started it.

use std::ffi::CStr;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use tests::truth::{Row, Shown};

use crate::environment;

/// As much of the arguments as is written down.
const KEPT: usize = 64 * 1024;

/// `show [ARG]…`: whatever the arguments are, they are part of what is shown.
pub(crate) fn show(_args: &[String]) -> i32 {
    let mut args = fs::read("/proc/self/cmdline").unwrap();
    let args_bytes = args.len() as u64;
    args.truncate(KEPT);
    let mut comm = fs::read("/proc/self/comm").unwrap();
    comm.pop();
    environment::tell(&Row::Shown(Shown {
        pid: pid_in_proc(),
        ns_pid: std::process::id(),
        pid_ns: fs::metadata("/proc/self/ns/pid").unwrap().ino(),
        uid: rustix::process::getuid().as_raw(),
        euid: rustix::process::geteuid().as_raw(),
        filename: exec_filename(),
        args,
        args_bytes,
        comm,
        cwd: std::env::current_dir().unwrap().into_os_string().into_vec(),
        cgroup_id: cgroup_id(),
    }));
    0
}

/// This process's id as `/proc` numbers processes, which is the outer namespace.
pub(crate) fn pid_in_proc() -> u32 {
    fs::read_link("/proc/self").unwrap().to_str().unwrap().parse().unwrap()
}

fn exec_filename() -> Vec<u8> {
    // SAFETY: getauxval(3) only reads the auxiliary vector.
    let at = unsafe { libc::getauxval(libc::AT_EXECFN) };
    let pointer: *const libc::c_char = std::ptr::with_exposed_provenance(usize::try_from(at).unwrap());
    // SAFETY: AT_EXECFN is the address of a C string above the stack, there as long as the process.
    unsafe { CStr::from_ptr(pointer) }.to_bytes().to_vec()
}

/// The id of a cgroup is its directory's inode (`kernfs_node.id` on 64-bit hosts).
fn cgroup_id() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount =
        mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|mount| mount[2] == "cgroup2")?;
    fs::metadata(format!("{}{path}", mount[1])).ok().map(|dir| dir.ino())
}
