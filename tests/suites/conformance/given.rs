//! The system calls that make the surroundings of a case, between fork and exec.

use std::ffi::CStr;
use std::io;

/// An error, if a system call gave one.
pub(crate) fn done(result: impl Into<i64>) -> io::Result<i64> {
    let result = result.into();
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// prctl(2) with numbers.
pub(crate) fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: the options that the tests give take no pointer.
    done(unsafe { libc::prctl(option, value, 0, 0, 0) }).map(drop)
}

/// open(2).
pub(crate) fn open(path: &CStr, flags: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: a C string.
    let fd = done(unsafe { libc::open(path.as_ptr(), flags, 0o600) })?;
    Ok(libc::c_int::try_from(fd).unwrap_or(-1))
}

/// Opens something under a number of its own.
pub(crate) fn open_as(path: &CStr, flags: libc::c_int, number: libc::c_int) -> io::Result<()> {
    let fd = open(path, flags)?;
    move_to(fd, number)
}

/// dup2(2) and close(2).
pub(crate) fn move_to(fd: libc::c_int, number: libc::c_int) -> io::Result<()> {
    if fd == number {
        return Ok(());
    }
    // SAFETY: numbers alone; whatever was open there belongs to nobody in this child.
    done(unsafe { libc::dup2(fd, number) })?;
    close(fd)
}

/// close(2).
pub(crate) fn close(fd: libc::c_int) -> io::Result<()> {
    // SAFETY: a number alone; it belongs to nobody in this child.
    done(unsafe { libc::close(fd) }).map(drop)
}

/// Writes a text to a file of `/proc`.
pub(crate) fn write_to(path: &CStr, text: &[u8]) -> io::Result<()> {
    let fd = open(path, libc::O_WRONLY)?;
    // SAFETY: reads a local.
    done(i64::try_from(unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) }).unwrap_or(-1))?;
    close(fd)
}

/// setrlimit(2), both limits.
pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: libc::rlim_t) -> io::Result<()> {
    limits(resource, value, value)
}

/// setrlimit(2): the soft and the hard limit.
pub(crate) fn limits(
    resource: libc::__rlimit_resource_t,
    soft: libc::rlim_t,
    hard: libc::rlim_t,
) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: reads a local.
    done(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}

/// Sets dispositions to ignore.
pub(crate) fn ignore(signals: &[libc::c_int]) -> io::Result<()> {
    for signal in signals {
        // SAFETY: a constant disposition.
        if unsafe { libc::signal(*signal, libc::SIG_IGN) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Blocks signals.
pub(crate) fn block(signals: &[libc::c_int]) -> io::Result<()> {
    // SAFETY: integers only, so zeros are a value of it: the empty set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in signals {
        // SAFETY: writes a local set.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    // SAFETY: reads a local set.
    done(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) }).map(drop)
}
