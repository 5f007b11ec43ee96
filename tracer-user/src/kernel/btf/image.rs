//! The running kernel's BTF in memory: mapped where the kernel allows it (6.16), read elsewhere.
//!
//! Reading goes a page a call inside the kernel (`kernfs_file_read_iter`, fs/kernfs/file.c) and copies what the
//! scanner then mostly steps over; a mapping costs neither.

use std::ffi::c_void;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::ptr::{self, NonNull};

use rustix::fs::fstatfs;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// `SYSFS_MAGIC`, include/uapi/linux/magic.h.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// The bytes of a BTF image.
pub struct Image(Bytes);

enum Bytes {
    Mapped(Mapping),
    Read(Vec<u8>),
}

impl Image {
    /// Where the kernel keeps the description of its own types.
    pub const KERNEL: &str = "/sys/kernel/btf/vmlinux";

    /// The running kernel's BTF.
    pub fn of_kernel() -> io::Result<Self> {
        Self::open(Self::KERNEL)
    }

    fn open(path: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        match Mapping::of_sysfs(&file, len) {
            Some(mapping) => Ok(Self(Bytes::Mapped(mapping))),
            None => read(file, len).map(|bytes| Self(Bytes::Read(bytes))),
        }
    }
}

fn read(mut file: File, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Deref for Image {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(mapping) => mapping.bytes(),
            Bytes::Read(bytes) => bytes,
        }
    }
}

/// A private, read-only mapping of a file of sysfs.
struct Mapping {
    start: NonNull<c_void>,
    len: usize,
}

impl Mapping {
    /// `None` where that can't be had; reading the file then says why, if there is anything to say.
    fn of_sysfs(file: &File, len: usize) -> Option<Self> {
        // Any other file system's file could be written or cut by someone while it is mapped.
        let magic = u64::try_from(fstatfs(file).ok()?.f_type).ok()?;
        if magic != SYSFS_MAGIC {
            return None;
        }
        // SAFETY: a new mapping at an address of the kernel's choice; no memory in use is touched.
        let start = unsafe { mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, file, 0) };
        NonNull::new(start.ok()?).map(|start| Self { start, len })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `start` is a mapping of `len` bytes that lives as long as `self`. Its pages are the kernel's own
        // read-only data (btf_sysfs_vmlinux_mmap, kernel/bpf/sysfs_btf.c), which never change.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and no slice of it outlives `self`. Unmapping it cannot fail.
        let _unmapped = unsafe { munmap(self.start.as_ptr(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_someone_could_change_is_read_and_not_mapped() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernel/testdata/6.1.btf");
        let image = Image::open(path).unwrap();
        assert!(matches!(image.0, Bytes::Read(_)));
        assert_eq!(&*image, std::fs::read(path).unwrap());
    }

    #[test]
    #[ignore = "needs a running kernel with BTF, since 6.16 for the mapping"]
    fn the_mapping_shows_what_reading_gives() {
        let image = Image::of_kernel().unwrap();
        assert!(matches!(image.0, Bytes::Mapped(_)));
        assert!(*image == *std::fs::read(Image::KERNEL).unwrap());
    }
}
