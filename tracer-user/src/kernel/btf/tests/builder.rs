//! Writes BTF, for tests: kernels that do not exist, and excerpts of those that do.

use std::collections::HashMap;

use crate::kernel::btf::raw::kind;

/// `BTF_KIND_FWD`, which the scanner only steps over.
pub(in crate::kernel) const FWD: u8 = 7;

/// BTF in the making. Type ids count from 1 in the order of [`Builder::reserve`] and [`Builder::add`].
pub(in crate::kernel) struct Builder {
    records: Vec<Vec<u32>>,
    strings: Vec<u8>,
    names: HashMap<String, u32>,
}

/// A record but for its id.
#[derive(Clone, Copy)]
pub(in crate::kernel) struct Draft<'a> {
    pub(in crate::kernel) name: &'a str,
    pub(in crate::kernel) kind: u8,
    pub(in crate::kernel) flag: bool,
    pub(in crate::kernel) vlen: u32,
    pub(in crate::kernel) size_or_type: u32,
}

impl Builder {
    pub(in crate::kernel) fn new() -> Self {
        Self { records: Vec::new(), strings: vec![0], names: HashMap::from([(String::new(), 0)]) }
    }

    /// An id whose record comes later.
    pub(in crate::kernel) fn reserve(&mut self) -> u32 {
        self.records.push(Vec::new());
        u32::try_from(self.records.len()).unwrap()
    }

    pub(in crate::kernel) fn fill(&mut self, id: u32, draft: Draft<'_>, tail: &[u32]) {
        let info = u32::from(draft.flag) << 31 | u32::from(draft.kind) << 24 | draft.vlen;
        let mut record = vec![self.name(draft.name), info, draft.size_or_type];
        record.extend(tail);
        self.records[id as usize - 1] = record;
    }

    /// A record without items that refers to the type `to`.
    pub(in crate::kernel) fn refer(&mut self, kind: u8, name: &str, to: u32) -> u32 {
        let id = self.reserve();
        self.fill(id, Draft { name, kind, flag: false, vlen: 0, size_or_type: to }, &[]);
        id
    }

    /// A struct with these members: name, type, place in bits.
    pub(in crate::kernel) fn structure(
        &mut self,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32)],
    ) -> u32 {
        let id = self.reserve();
        self.fill_structure(id, name, size, members);
        id
    }

    pub(in crate::kernel) fn fill_structure(
        &mut self,
        id: u32,
        name: &str,
        size: u32,
        members: &[(&str, u32, u32)],
    ) {
        let tail: Vec<_> = members.iter().flat_map(|&(name, ty, bits)| [self.name(name), ty, bits]).collect();
        let vlen = u32::try_from(members.len()).unwrap();
        self.fill(id, Draft { name, kind: kind::STRUCT, flag: false, vlen, size_or_type: size }, &tail);
    }

    pub(in crate::kernel) fn int(&mut self) -> u32 {
        let id = self.reserve();
        self.fill(id, Draft { name: "int", kind: kind::INT, flag: false, vlen: 0, size_or_type: 4 }, &[32]);
        id
    }

    /// `typedef void (*name)(params)`.
    pub(in crate::kernel) fn callback(&mut self, name: &str, params: &[u32]) -> u32 {
        let (proto, vlen) = (self.reserve(), u32::try_from(params.len()).unwrap());
        let tail: Vec<_> = params.iter().flat_map(|&ty| [0, ty]).collect();
        self.fill(
            proto,
            Draft { name: "", kind: kind::FUNC_PROTO, flag: false, vlen, size_or_type: 0 },
            &tail,
        );
        let pointer = self.refer(kind::PTR, "", proto);
        self.refer(kind::TYPEDEF, name, pointer)
    }

    /// The offset of a name, each written once.
    pub(in crate::kernel) fn name(&mut self, name: &str) -> u32 {
        *self.names.entry(name.to_owned()).or_insert_with(|| {
            let at = u32::try_from(self.strings.len()).unwrap();
            self.strings.extend(name.bytes().chain([0]));
            at
        })
    }

    pub(in crate::kernel) fn finish(self) -> Vec<u8> {
        let types: Vec<_> = self.records.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
        let (types_len, strings_len) = (types.len(), self.strings.len());
        let lengths = [24, 0, types_len, types_len, strings_len].map(|n| u32::try_from(n).unwrap());
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        bytes.extend(lengths.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(types);
        bytes.extend(self.strings);
        bytes
    }
}
