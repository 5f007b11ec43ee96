//! The bytes of BTF: header, type records, members, names. Every read is bounds-checked; nothing is copied.
//!
//! Layout: Documentation/bpf/btf.rst and include/uapi/linux/btf.h of the kernel. What a record means is left to the
//! parent module.

use super::BtfError;

/// The kinds (`BTF_KIND_*`) that the scanner tells apart.
pub(super) mod kind {
    pub(in super::super) const INT: u8 = 1;
    pub(in super::super) const PTR: u8 = 2;
    pub(in super::super) const STRUCT: u8 = 4;
    pub(in super::super) const UNION: u8 = 5;
    pub(in super::super) const TYPEDEF: u8 = 8;
    pub(in super::super) const VOLATILE: u8 = 9;
    pub(in super::super) const CONST: u8 = 10;
    pub(in super::super) const RESTRICT: u8 = 11;
    pub(in super::super) const FUNC_PROTO: u8 = 13;
    pub(in super::super) const TYPE_TAG: u8 = 18;
}

/// What follows the 12 bytes of a record, by kind: fixed bytes, and bytes for each of `vlen` items.
const TAIL: [(u8, u8); 20] = [
    (0, 0),  // void: never written
    (4, 0),  // INT
    (0, 0),  // PTR
    (12, 0), // ARRAY
    (0, 12), // STRUCT
    (0, 12), // UNION
    (0, 8),  // ENUM
    (0, 0),  // FWD
    (0, 0),  // TYPEDEF
    (0, 0),  // VOLATILE
    (0, 0),  // CONST
    (0, 0),  // RESTRICT
    (0, 0),  // FUNC: its vlen is a linkage
    (0, 8),  // FUNC_PROTO
    (4, 0),  // VAR
    (0, 12), // DATASEC
    (0, 0),  // FLOAT
    (4, 0),  // DECL_TAG
    (0, 0),  // TYPE_TAG
    (0, 12), // ENUM64
];

const MAGIC: u16 = 0xeb9f;
const RECORD: usize = 12;

/// The two sections of a BTF image.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) types: &'a [u8],
    strings: &'a [u8],
}

/// One type record's own 12 bytes, and where they are.
#[derive(Clone, Copy)]
pub(super) struct Record {
    at: usize,
    end: usize,
    /// Offset of the name in the string section; 0: anonymous.
    pub(super) name: u32,
    pub(super) kind: u8,
    pub(super) flag: bool,
    /// `size` or `type`, as the kind says.
    pub(super) size_or_type: u32,
}

/// One member of a struct or union.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) name: u32,
    pub(super) type_id: u32,
    /// Bytes from the start of the holder; `None` for a bit field.
    pub(super) offset: Option<u32>,
}

impl<'a> Raw<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let short = || BtfError::TooShort { len: bytes.len() };
        let magic = bytes.first_chunk().map(|b| u16::from_le_bytes(*b)).ok_or_else(short)?;
        if magic != MAGIC {
            return Err(BtfError::Magic { found: magic });
        }
        let [body, types_at, types_len, strings_at, strings_len] = header(bytes).ok_or_else(short)?;
        let body = body as usize;
        let section = |what, start: u32, len: u32| {
            let start = body.saturating_add(start as usize);
            bytes.get(start..).and_then(|rest| rest.get(..len as usize)).ok_or(BtfError::Section {
                what,
                start,
                len,
                file: bytes.len(),
            })
        };
        Ok(Self {
            types: section("types", types_at, types_len)?,
            strings: section("strings", strings_at, strings_len)?,
        })
    }

    /// The record at byte `at` of the type section, whole: its tail lies within the section too.
    #[inline]
    pub(super) fn record(self, at: usize) -> Result<Record, BtfError> {
        let cut = BtfError::Truncated { at };
        let Some(head) = self.types.get(at..).and_then(|rest| rest.first_chunk::<RECORD>()) else {
            return Err(cut);
        };
        let [name, info, size_or_type] = words(head);
        // The unused bits between vlen and kind, and above kind, are zero: the kernel refuses anything else
        // (btf_check_meta, kernel/bpf/btf.c). Masks that take them in would read a wider vlen or kind right as well.
        let kind = (info >> 24 & 0x7f).to_le_bytes()[0];
        let vlen = (info & 0x00ff_ffff) as usize;
        let Some(&(fixed, each)) = TAIL.get(usize::from(kind)).filter(|_| kind != 0) else {
            return Err(BtfError::Kind { at, kind });
        };
        let end = at + RECORD + usize::from(fixed) + usize::from(each) * vlen;
        if end > self.types.len() {
            return Err(cut);
        }
        Ok(Record { at, end, name, kind, flag: info >> 31 != 0, size_or_type })
    }

    /// Whether the name at `offset` of the string section is `name`, to the last byte.
    #[inline]
    pub(super) fn name_is(self, offset: u32, name: &str) -> bool {
        let rest = self.strings.get(offset as usize..).and_then(|s| s.strip_prefix(name.as_bytes()));
        rest.is_some_and(|rest| rest.first() == Some(&0))
    }

    /// The first byte of the name at `offset`; 0 for none.
    #[inline]
    pub(super) fn name_starts(self, offset: u32) -> u8 {
        self.strings.get(offset as usize).copied().unwrap_or(0)
    }

    /// The name at `offset`.
    #[cfg(test)]
    pub(super) fn name(self, offset: u32) -> Option<&'a str> {
        let rest = self.strings.get(offset as usize..)?;
        str::from_utf8(rest.split(|&byte| byte == 0).next()?).ok()
    }

    /// The members of a struct or union.
    pub(super) fn members(self, holder: Record) -> impl Iterator<Item = Member> {
        self.tail(holder).as_chunks::<12>().0.iter().map(move |chunk| {
            let [name, type_id, place] = words(chunk);
            Member { name, type_id, offset: byte_offset(place, holder.flag) }
        })
    }

    /// The type ids of a function prototype's parameters.
    pub(super) fn params(self, proto: Record) -> impl Iterator<Item = u32> {
        self.tail(proto).as_chunks::<8>().0.iter().filter_map(|chunk| u32_at(chunk, 4))
    }

    /// What follows a record's own 12 bytes.
    pub(super) fn tail(self, record: Record) -> &'a [u8] {
        self.types.get(record.at + RECORD..record.end).unwrap_or_default()
    }
}

impl Record {
    /// Where the next record starts.
    pub(super) fn end(self) -> usize {
        self.end
    }
}

/// With `kind_flag` the upper 8 bits are the width of a bit field and the lower 24 its place; without, all are the place.
fn byte_offset(place: u32, kind_flag: bool) -> Option<u32> {
    let (width, bits) = if kind_flag { (place >> 24, place & 0x00ff_ffff) } else { (0, place) };
    (width == 0 && bits.is_multiple_of(8)).then_some(bits / 8)
}

/// The words of `struct btf_header` after magic, version and flags.
fn header(bytes: &[u8]) -> Option<[u32; 5]> {
    Some([u32_at(bytes, 4)?, u32_at(bytes, 8)?, u32_at(bytes, 12)?, u32_at(bytes, 16)?, u32_at(bytes, 20)?])
}

fn words(chunk: &[u8; 12]) -> [u32; 3] {
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = *chunk;
    [[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3]].map(u32::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}
