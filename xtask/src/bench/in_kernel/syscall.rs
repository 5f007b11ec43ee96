//! bpf(2) for the three calls that the bench makes itself.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// What a command of bpf(2) is given (`union bpf_attr`, include/uapi/linux/bpf.h); the kernel takes what is left out
/// at the end as zeroes.
///
/// # Safety
/// The type must be `repr(C)` without padding, laid out as the command's part of the union is, and whatever its
/// addresses point at must be as the command wants it.
pub(super) unsafe trait Attributes {
    /// `enum bpf_cmd`. One that returns a new descriptor.
    const COMMAND: libc::c_int;
}

/// Makes the call.
pub(super) fn bpf<A: Attributes>(attributes: &A) -> io::Result<OwnedFd> {
    // SAFETY: `Attributes` promises that the command can read these bytes as its own; the size is theirs.
    let fd =
        unsafe { libc::syscall(libc::SYS_bpf, A::COMMAND, std::ptr::from_ref(attributes), size_of::<A>()) };
    let Some(fd) = i32::try_from(fd).ok().filter(|fd| *fd >= 0) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
