//! A small, fast scanner of BTF, the kernel's own description of its types (`/sys/kernel/btf/vmlinux`).
//!
//! Not a general parser, because start-up is a budget: one pass over the records finds a fixed set of structs and
//! typedefs by exact name, and the few questions that follow ([`Btf::offset_of`], [`Btf::size_of`], [`Btf::params`])
//! walk from those. A type id is found again from a mark at every 64th record.
//!
//! Promises: whatever the bytes are, it ends, does not panic, and holds at most a small multiple of their length.
//! What is malformed where the pass comes by is a [`BtfError`]; what a question meets is `None`, the same as absent.
//! Leaves to others: which types matter ([`super::facts`]); big-endian images, which are refused by their magic.

mod image;
mod raw;
mod walk;

#[cfg(test)]
pub(in crate::kernel) mod tests;

pub use image::Image;
use raw::{Raw, Record, kind};
use thiserror::Error;

/// One mark for this many records: a lookup walks half of them, and the marks fit in a few pages.
const STRIDE: usize = 64;

/// Bytes that are not BTF, or not whole.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    /// There is no room for a header.
    #[error("BTF of {len} bytes has no whole header")]
    TooShort {
        /// Bytes there are.
        len: usize,
    },
    /// Not BTF, or BTF of the other byte order.
    #[error("not little-endian BTF: magic {found:#06x} instead of 0xeb9f")]
    Magic {
        /// The first two bytes, read as little-endian.
        found: u16,
    },
    /// The header points outside the file.
    #[error("BTF section of {what} at {start}, {len} bytes long, is outside the file of {file} bytes")]
    Section {
        /// "types" or "strings".
        what: &'static str,
        /// Its first byte.
        start: usize,
        /// Its length in bytes.
        len: u32,
        /// Length of the file in bytes.
        file: usize,
    },
    /// A record runs over the end of the type section.
    #[error("BTF type record at {at} is cut short")]
    Truncated {
        /// Byte of the type section.
        at: usize,
    },
    /// A kind that this scanner cannot step over, since it does not know its length.
    #[error("BTF type record at {at} is of the unknown kind {kind}")]
    Kind {
        /// Byte of the type section.
        at: usize,
        /// `BTF_KIND_*`.
        kind: u8,
    },
}

/// What a parameter of a function is, as far as tracepoints differ between kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// A pointer to anything.
    Pointer,
    /// An integer of any size, `bool` included.
    Int,
    /// Something else.
    Other,
}

/// The wanted types of one BTF image, found.
pub struct Btf<'a> {
    raw: Raw<'a>,
    /// Where each [`STRIDE`]th record starts, from type id 1.
    marks: Vec<usize>,
    structs: Vec<Found>,
    typedefs: Vec<Found>,
}

/// A wanted type. A name can have several, when the kernel's build could not fold them into one.
struct Found {
    name: &'static str,
    record: Record,
}

impl<'a> Btf<'a> {
    /// Finds the `structs` and `typedefs` with exactly these names in one pass.
    pub fn scan(
        bytes: &'a [u8],
        structs: &[&'static str],
        typedefs: &[&'static str],
    ) -> Result<Self, BtfError> {
        let (struct_names, typedef_names) = (Names::new(structs), Names::new(typedefs));
        let raw = Raw::parse(bytes)?;
        let mut btf = Self { raw, marks: Vec::new(), structs: Vec::new(), typedefs: Vec::new() };
        let (mut at, mut until_mark) = (0, 0);
        while at < raw.types.len() {
            let record = raw.record(at)?;
            if until_mark == 0 {
                btf.marks.push(at);
                until_mark = STRIDE;
            }
            until_mark -= 1;
            match record.kind {
                kind::STRUCT => btf.structs.extend(struct_names.find(raw, record)),
                kind::TYPEDEF => btf.typedefs.extend(typedef_names.find(raw, record)),
                _ => {}
            }
            at = record.end();
        }
        Ok(btf)
    }
}

/// Wanted names, by their first byte: most types of a kernel are told apart by that alone.
struct Names {
    sorted: Vec<&'static str>,
    /// For each first byte, the range of `sorted` that starts with it.
    starting: [(usize, usize); 256],
}

impl Names {
    fn new(names: &[&'static str]) -> Self {
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        let mut starting = [(0, 0); 256];
        for (i, name) in sorted.iter().enumerate() {
            if let Some(&first) = name.as_bytes().first() {
                let (start, end) = &mut starting[usize::from(first)];
                *start = if *end == 0 { i } else { *start };
                *end = i + 1;
            }
        }
        Self { sorted, starting }
    }

    #[inline]
    fn find(&self, raw: Raw<'_>, record: Record) -> Option<Found> {
        let (start, end) = self.starting[usize::from(raw.name_starts(record.name))];
        let name = self.sorted[start..end].iter().find(|name| raw.name_is(record.name, name))?;
        Some(Found { name, record })
    }
}
