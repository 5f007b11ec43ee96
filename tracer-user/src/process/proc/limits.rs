//! The soft limit of open descriptors: by `prlimit`, and where that is refused, from `/proc/PID/limits`.
//!
//! `prlimit` is the cheaper of the two by three microseconds, but wants the caller's own user or CAP_SYS_RESOURCE
//! (kernel/sys.c, `check_prlimit_permission`); the file is open to everybody.

use rustix::io::Errno;

use super::number::decimal;

/// A limit that is none: `RLIM_INFINITY`.
pub const UNLIMITED: u64 = u64::MAX;

/// The soft limit of descriptors of whoever has this pid now. It takes a bare pid: the caller makes sure whose it was.
pub fn of_pid(pid: u32) -> Result<u64, Errno> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::SRCH)?;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the old limits, and a null pointer for new ones changes nothing.
    let failed = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limit) } != 0;
    if failed {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL));
    }
    Ok(limit.rlim_cur)
}

/// The same from the bytes of `/proc/PID/limits`.
#[must_use]
pub fn parse(file: &[u8]) -> Option<u64> {
    let line = file.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Max open files"))?;
    match line.split(|byte| *byte == b' ').find(|word| !word.is_empty())? {
        b"unlimited" => Some(UNLIMITED),
        soft => decimal(soft),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{UNLIMITED, of_pid, parse};

    #[test]
    fn the_soft_limit_comes_first() {
        let file = b"Limit                     Soft Limit  Hard Limit  Units\nMax processes             unlimited  5  processes\n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(parse(file), Some(1024));
        assert_eq!(
            parse(b"Max open files            unlimited            unlimited            files\n"),
            Some(UNLIMITED)
        );
        assert_eq!((parse(b"Max open files\n"), parse(b"")), (None, None));
    }

    #[test]
    fn the_call_and_the_file_agree_on_this_process() {
        let file = std::fs::read("/proc/self/limits").unwrap();
        assert_eq!(of_pid(std::process::id()).ok(), parse(&file));
        assert!(parse(&file).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_parsed(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = parse(&[b"Max open files".as_slice(), &bytes].concat());
        }
    }
}
