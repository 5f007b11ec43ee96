//! `/proc/PID` as an open directory: whatever is read through it is of that one process.
//!
//! The directory's inode holds a reference on the kernel's `struct pid`, which is never given to another process: its number
//! is. So once the process is reaped, look-ups below the directory fail with `ENOENT` (fs/proc/base.c,
//! `proc_pident_lookup`) and reads of files that are already open with `ESRCH` (`proc_single_show`), also when the number is
//! somebody else's by then.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, RawDir, openat, statat};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::path::DecInt;

/// No file of `/proc/PID` that is read here comes near it; `status` of a process with all 65,536 groups has 0.7 MB.
const LARGEST_FILE: usize = 4 << 20;

/// How to count a process's descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// The size of `fd` is their number: Linux 6.2 and newer (fs/proc/fd.c, `proc_fd_getattr`).
    BySize,
    /// Entry by entry.
    ByEntry,
}

impl Counting {
    /// The way that this kernel offers. Whoever asks has descriptors open, so a size of 0 says that it counts nothing.
    #[must_use]
    pub fn detect(proc: &OwnedFd) -> Self {
        match statat(proc, c"self/fd", rustix::fs::AtFlags::empty()) {
            Ok(found) if found.st_size > 0 => Self::BySize,
            _ => Self::ByEntry,
        }
    }
}

/// `/proc/PID`, open.
#[derive(Debug)]
pub(super) struct ProcessDir(OwnedFd);

impl ProcessDir {
    /// Opens the directory of whoever has this pid now.
    pub(super) fn open(proc: &OwnedFd, pid: u32) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        openat(proc, DecInt::new(pid), flags, Mode::empty()).map(Self)
    }

    /// A whole file. `buffer` grows where it is too small, and keeps its size.
    pub(super) fn file<'b>(&self, name: &CStr, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Errno> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut len = 0;
        loop {
            let got = retry_on_intr(|| read(&file, &mut buffer[len..]))?;
            len += got;
            // The kernel makes such a file as one piece, so a read that leaves room has reached its end
            // (fs/seq_file.c, `single_open`).
            if got == 0 || len < buffer.len() {
                return Ok(&buffer[..len]);
            }
            if len >= LARGEST_FILE {
                return Err(Errno::FBIG);
            }
            buffer.resize(len * 2, 0);
        }
    }

    /// How many descriptors it has open.
    pub(super) fn descriptors(&self, counting: Counting) -> Result<u64, Errno> {
        match counting {
            Counting::BySize => {
                let found = statat(&self.0, c"fd", rustix::fs::AtFlags::empty())?;
                u64::try_from(found.st_size).map_err(|_| Errno::RANGE)
            }
            Counting::ByEntry => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                count_entries(&openat(&self.0, c"fd", flags, Mode::empty())?)
            }
        }
    }
}

fn count_entries(dir: &impl AsFd) -> Result<u64, Errno> {
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(dir.as_fd(), &mut space);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            count += 1;
        }
    }
    Ok(count)
}
