//! Cuts what the tests need out of a kernel's BTF, for `testdata/`. A tool in the shape of an ignored test:
//!
//! ```text
//! BTF_FROM=vmlinux.btf BTF_TO=tracer-user/src/kernel/testdata/6.1.btf \
//!     cargo test -p tracer --lib -- --ignored cut_an_excerpt
//! ```
//!
//! `vmlinux.btf` is `/sys/kernel/btf/vmlinux`, or the `.BTF` section of a vmlinux. The wanted types are kept with all
//! their members, unnamed types and those on a path ([`ON_PATH`]) too; other structs become forward declarations,
//! and what a pointer points to becomes void.

use std::collections::HashMap;

use super::builder::{Builder, Draft, FWD};
use crate::kernel::btf::raw::{Record, kind};
use crate::kernel::btf::{Btf, Param};
use crate::kernel::facts::{self, TYPEDEFS};

/// Structs that paths lead through, by value.
const ON_PATH: [&str; 4] = ["sched_entity", "task_io_accounting", "path", "ns_common"];

#[test]
#[ignore = "a tool: cuts BTF_FROM down to BTF_TO"]
fn cut_an_excerpt() {
    let from = std::fs::read(std::env::var("BTF_FROM").unwrap()).unwrap();
    let excerpt = cut(&from);
    assert_eq!(facts::resolve(&excerpt, "x").unwrap(), facts::resolve(&from, "x").unwrap());
    std::fs::write(std::env::var("BTF_TO").unwrap(), excerpt).unwrap();
}

fn cut(bytes: &[u8]) -> Vec<u8> {
    let structs: Vec<_> = facts::structs().into_iter().chain(ON_PATH).collect();
    let from = Btf::scan(bytes, &structs, &TYPEDEFS).unwrap();
    let mut cutter = Cutter { from: &from, structs, to: Builder::new(), kept: HashMap::new() };
    let (mut id, mut at) = (1, 0);
    while at < from.raw.types.len() {
        let record = from.raw.record(at).unwrap();
        let wanted = match record.kind {
            kind::STRUCT => cutter.structs.contains(&cutter.name(record)),
            kind::TYPEDEF => TYPEDEFS.contains(&cutter.name(record)),
            _ => false,
        };
        if wanted {
            cutter.keep(id);
        }
        (id, at) = (id + 1, record.end());
    }
    cutter.to.finish()
}

struct Cutter<'b, 'a> {
    from: &'b Btf<'a>,
    structs: Vec<&'static str>,
    to: Builder,
    /// Old type ids to new ones.
    kept: HashMap<u32, u32>,
}

impl<'a> Cutter<'_, 'a> {
    fn name(&self, record: Record) -> &'a str {
        self.from.raw.name(record.name).unwrap()
    }

    /// The new id of the old type `id`, which is kept as far as it is needed.
    fn keep(&mut self, id: u32) -> u32 {
        let Some(record) = self.from.by_id(id) else { return 0 };
        if let Some(&kept) = self.kept.get(&id) {
            return kept;
        }
        let name = self.name(record);
        let whole = name.is_empty() || self.structs.contains(&name);
        let new = match record.kind {
            kind::STRUCT | kind::UNION if !whole => return self.to.refer(FWD, name, 0),
            kind::INT | kind::PTR | kind::STRUCT | kind::UNION | kind::FUNC_PROTO | kind::TYPE_TAG => {
                self.to.reserve()
            }
            kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT => self.to.reserve(),
            _ => return 0,
        };
        self.kept.insert(id, new);
        let (size_or_type, tail) = self.content(record);
        let (kind, flag) = (record.kind, record.flag);
        let items = match kind {
            kind::STRUCT | kind::UNION => tail.len() / 3,
            kind::FUNC_PROTO => tail.len() / 2,
            _ => 0,
        };
        let vlen = u32::try_from(items).unwrap();
        self.to.fill(new, Draft { name, kind, flag, vlen, size_or_type }, &tail);
        new
    }

    /// What comes after a record's name and info.
    fn content(&mut self, record: Record) -> (u32, Vec<u32>) {
        let words = self.from.raw.tail(record).as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w));
        let mut tail: Vec<_> = words.collect();
        match record.kind {
            kind::STRUCT | kind::UNION => {
                for member in tail.as_chunks_mut::<3>().0 {
                    member[0] = self.to.name(self.from.raw.name(member[0]).unwrap());
                    member[1] = self.keep(member[1]);
                }
            }
            kind::FUNC_PROTO => {
                for param in tail.as_chunks_mut::<2>().0 {
                    *param = [0, self.keep(param[1])];
                }
                return (0, tail);
            }
            kind::INT => {}
            kind::PTR if !self.is_callback(record) => return (0, tail),
            _ => return (self.keep(record.size_or_type), tail),
        }
        (record.size_or_type, tail)
    }

    fn is_callback(&self, pointer: Record) -> bool {
        self.from.by_id(pointer.size_or_type).is_some_and(|to| to.kind == kind::FUNC_PROTO)
    }
}

#[test]
fn an_excerpt_keeps_what_tracepoints_pass() {
    let mut to = Builder::new();
    let int = to.int();
    let pointer = to.refer(kind::PTR, "", int);
    to.callback("btf_trace_mark_victim", &[pointer, int]);
    let excerpt = cut(&to.finish());
    let btf = Btf::scan(&excerpt, &[], &TYPEDEFS).unwrap();
    assert_eq!(btf.params("btf_trace_mark_victim"), Some(vec![Param::Pointer, Param::Int]));
}
