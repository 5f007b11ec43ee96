//! The questions that are asked of a scanned image: where a member is, how big a struct is, what a tracepoint passes.
//!
//! Types refer to each other by id and nothing keeps broken ones from going in circles, so each walk has a limit:
//! qualifiers by [`HOPS`], nesting by [`DEPTH`], members looked at by [`FUEL`], parameters by
//! [`PARAMS`].

use super::raw::{Record, kind};
use super::{Btf, Found, Param, STRIDE};

/// Typedefs and qualifiers between a use and its type. Real chains have two or three.
const HOPS: usize = 32;
/// Structs within structs. Real paths have four or five.
const DEPTH: usize = 16;
/// Members looked at for one path. The largest structs of a kernel have a few hundred.
const FUEL: u32 = 1 << 14;
/// Parameters of a function. A BPF program is passed twelve at most (`MAX_BPF_FUNC_ARGS`, include/linux/bpf.h).
const PARAMS: usize = 16;

impl Btf<'_> {
    /// Where the member `path` of a scanned struct is, in bytes from the struct's start.
    ///
    /// `path` is dotted (`se.sum_exec_runtime`) and ignores unnamed structs and unions, as C does. Where several
    /// structs have that name, the first with that member counts. A bit field is as good as absent.
    #[must_use]
    pub fn offset_of(&self, name: &str, path: &str) -> Option<u32> {
        let mut fuel = FUEL;
        named(&self.structs, name).find_map(|holder| self.find(holder, path, DEPTH, &mut fuel))
    }

    /// `sizeof` a scanned struct.
    #[must_use]
    pub fn size_of(&self, name: &str) -> Option<u32> {
        named(&self.structs, name).next().map(|record| record.size_or_type)
    }

    /// The first 16 parameters of a scanned typedef of a pointer to a function.
    #[must_use]
    pub fn params(&self, typedef: &str) -> Option<Vec<Param>> {
        named(&self.typedefs, typedef).find_map(|record| {
            let pointer = self.bare(record.size_or_type).filter(|r| r.kind == kind::PTR)?;
            let proto = self.bare(pointer.size_or_type).filter(|r| r.kind == kind::FUNC_PROTO)?;
            Some(self.raw.params(proto).take(PARAMS).map(|id| self.param(id)).collect())
        })
    }

    fn param(&self, id: u32) -> Param {
        match self.bare(id).map(|record| record.kind) {
            Some(kind::PTR) => Param::Pointer,
            Some(kind::INT) => Param::Int,
            _ => Param::Other,
        }
    }

    fn find(&self, holder: Record, path: &str, depth: usize, fuel: &mut u32) -> Option<u32> {
        let depth = depth.checked_sub(1)?;
        let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
        for member in self.raw.members(holder) {
            *fuel = fuel.checked_sub(1)?;
            let path_inside = if member.name == 0 {
                path
            } else if !self.raw.name_is(member.name, head) {
                continue;
            } else if let Some(rest) = rest {
                rest
            } else {
                return member.offset;
            };
            let inside = self.aggregate(member.type_id);
            if let Some(found) = inside.and_then(|inside| self.find(inside, path_inside, depth, fuel)) {
                return member.offset?.checked_add(found);
            }
        }
        None
    }

    fn aggregate(&self, id: u32) -> Option<Record> {
        self.bare(id).filter(|record| matches!(record.kind, kind::STRUCT | kind::UNION))
    }

    /// The type behind typedefs and qualifiers.
    fn bare(&self, mut id: u32) -> Option<Record> {
        for _ in 0..HOPS {
            let record = self.by_id(id)?;
            match record.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = record.size_or_type;
                }
                _ => return Some(record),
            }
        }
        None
    }

    /// The record of a type id; `None` for 0, which is void.
    pub(super) fn by_id(&self, id: u32) -> Option<Record> {
        let nth = id.checked_sub(1)? as usize;
        let mut at = *self.marks.get(nth / STRIDE)?;
        for _ in 0..nth % STRIDE {
            at = self.raw.record(at).ok()?.end();
        }
        self.raw.record(at).ok()
    }
}

fn named<'f>(found: &'f [Found], name: &'f str) -> impl Iterator<Item = Record> + 'f {
    found.iter().filter(move |f| f.name == name).map(|f| f.record)
}
