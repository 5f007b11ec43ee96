//! The scanner on BTF that was written for it (`builder`), and on excerpts of real kernels' (`excerpt` cuts them).

pub(in crate::kernel) mod builder;
mod excerpt;

use proptest::prelude::*;

use super::*;
use crate::kernel::facts;
use builder::{Builder, Draft, FWD};

fn offset(bytes: &[u8], path: &str) -> Option<u32> {
    Btf::scan(bytes, &["s"], &[]).unwrap().offset_of("s", path)
}

#[test]
fn a_member_is_found_through_unnamed_members_typedefs_and_qualifiers() {
    let mut to = Builder::new();
    let int = to.int();
    let inner = to.structure("inner", 16, &[("a", int, 0), ("b", int, 64)]);
    let constant = to.refer(kind::CONST, "", inner);
    let volatile = to.refer(kind::VOLATILE, "", constant);
    let inner_t = to.refer(kind::TYPEDEF, "inner_t", volatile);
    let unnamed = to.structure("", 24, &[("x", int, 0), ("in", inner_t, 64)]);
    to.structure("s", 40, &[("first", int, 0), ("", unnamed, 128)]);
    let bytes = to.finish();
    assert_eq!(offset(&bytes, "x"), Some(16));
    assert_eq!(offset(&bytes, "in"), Some(24));
    assert_eq!(offset(&bytes, "in.b"), Some(32));
    assert_eq!(offset(&bytes, "in.c"), None);
    assert_eq!(offset(&bytes, "b"), None, "members of a named struct are not the holder's");
    assert_eq!(offset(&bytes, "first.b"), None, "an int has no members");
}

#[test]
fn a_bit_field_is_absent_and_its_width_does_not_move_its_neighbours() {
    let mut to = Builder::new();
    let int = to.int();
    let (bits, whole, s) = (to.name("bits"), to.name("whole"), to.reserve());
    let members = [bits, int, 3 << 24 | 64, whole, int, 96];
    to.fill(s, Draft { name: "s", kind: kind::STRUCT, flag: true, vlen: 2, size_or_type: 16 }, &members);
    let bytes = to.finish();
    assert_eq!(offset(&bytes, "bits"), None);
    assert_eq!(offset(&bytes, "whole"), Some(12));
}

#[test]
fn without_kind_flag_an_offset_may_pass_24_bits() {
    let mut to = Builder::new();
    let int = to.int();
    to.structure("s", 1 << 26, &[("far", int, 1 << 28)]);
    assert_eq!(offset(&to.finish(), "far"), Some(1 << 25));
}

#[test]
fn of_declarations_and_duplicates_the_first_struct_with_the_member_counts() {
    let mut to = Builder::new();
    let int = to.int();
    to.refer(FWD, "s", 0);
    to.structure("s", 4, &[("a", int, 0)]);
    to.structure("s", 8, &[("b", int, 32)]);
    to.structure("s", 16, &[("b", int, 64)]);
    assert_eq!(offset(&to.finish(), "b"), Some(4));
}

#[test]
fn a_name_is_compared_to_its_last_byte() {
    let mut to = Builder::new();
    let int = to.int();
    to.structure("sx", 4, &[("a", int, 0)]);
    to.structure("s", 8, &[("ab", int, 0), ("a", int, 32)]);
    assert_eq!(offset(&to.finish(), "a"), Some(4));
}

#[test]
fn a_type_is_found_again_across_marks() {
    let mut to = Builder::new();
    let ids: Vec<_> = (0..4 * u32::try_from(STRIDE).unwrap())
        .map(|i| to.structure("", i, &[(&format!("m{i}"), 0, i * 8)]))
        .collect();
    let members: Vec<_> = ids.iter().map(|&id| ("", id, 0)).collect();
    to.structure("s", 0, &members);
    let bytes = to.finish();
    for i in 0..ids.len() {
        assert_eq!(offset(&bytes, &format!("m{i}")), u32::try_from(i).ok());
    }
}

#[test]
fn parameters_are_told_apart() {
    let mut to = Builder::new();
    let int = to.int();
    let pid_t = to.refer(kind::TYPEDEF, "pid_t", int);
    let pointer = to.refer(kind::PTR, "", 0);
    let held = to.refer(kind::CONST, "", pointer);
    let other = to.structure("other", 0, &[]);
    to.callback("t", &[held, pid_t, other, 0]);
    to.refer(kind::TYPEDEF, "not_a_function", int);
    let bytes = to.finish();
    let btf = Btf::scan(&bytes, &[], &["t", "not_a_function"]).unwrap();
    assert_eq!(btf.params("t"), Some(vec![Param::Pointer, Param::Int, Param::Other, Param::Other]));
    assert_eq!(btf.params("not_a_function"), None);
    assert_eq!(btf.params("absent"), None);
}

#[test]
fn types_that_go_in_circles_end() {
    let mut to = Builder::new();
    let (a, b) = (to.reserve(), to.reserve());
    to.fill(a, Draft { name: "a", kind: kind::TYPEDEF, flag: false, vlen: 0, size_or_type: b }, &[]);
    to.fill(b, Draft { name: "b", kind: kind::TYPEDEF, flag: false, vlen: 0, size_or_type: a }, &[]);
    let s = to.reserve();
    to.fill_structure(s, "s", 8, &[("loop", a, 0), ("", s, 0), ("self", s, 0)]);
    let bytes = to.finish();
    assert_eq!(offset(&bytes, "loop.x"), None);
    assert_eq!(offset(&bytes, "x"), None);
    assert_eq!(offset(&bytes, "self.self.self"), Some(0));
}

#[test]
fn nesting_that_doubles_at_each_level_ends() {
    let mut to = Builder::new();
    let mut inner = to.structure("", 0, &[]);
    for level in 0..40 {
        let members = [("", inner, 0); 100];
        inner = to.structure(if level == 39 { "s" } else { "" }, 0, &members);
    }
    to.structure("s", 0, &[("", inner, 0); 100]);
    assert_eq!(offset(&to.finish(), "x"), None);
}

#[test]
fn offsets_that_overflow_are_absent() {
    let mut to = Builder::new();
    let int = to.int();
    let mut inner = to.structure("", 0, &[("x", int, u32::MAX - 7)]);
    for level in 0..9 {
        inner = to.structure(if level == 8 { "s" } else { "" }, 0, &[("", inner, u32::MAX - 7)]);
    }
    assert_eq!(offset(&to.finish(), "x"), None);
}

#[test]
fn what_is_not_whole_little_endian_btf_is_refused_by_what_is_wrong() {
    let error = |bytes: &[u8]| Btf::scan(bytes, &[], &[]).err().unwrap();
    let mut to = Builder::new();
    to.int();
    let good = to.finish();
    assert_eq!(error(&[]), BtfError::TooShort { len: 0 });
    assert_eq!(error(&good[..23]), BtfError::TooShort { len: 23 });
    assert_eq!(
        error(b"\xeb\x9f\x01\x00").to_string(),
        "not little-endian BTF: magic 0x9feb instead of 0xeb9f"
    );
    let (strings, file) = (good.len() - 5, good.len() - 1);
    assert_eq!(error(&good[..file]), BtfError::Section { what: "strings", start: strings, len: 5, file });
    let mut cut = good.clone();
    cut[12] -= 4;
    assert_eq!(error(&cut), BtfError::Truncated { at: 0 });
    let mut unknown = good;
    unknown[24 + 7] = 20;
    assert_eq!(error(&unknown).to_string(), "BTF type record at 0 is of the unknown kind 20");
}

const EXCERPT: &[u8] = include_bytes!("../../testdata/6.1.btf");

#[test]
fn an_image_cut_anywhere_never_panics() {
    for len in (0..EXCERPT.len()).step_by(13) {
        assert!(facts::resolve(&EXCERPT[..len], "x").is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn damaged_bytes_never_panic(damage in prop::collection::vec((0..EXCERPT.len(), any::<u8>()), 1..40)) {
        let mut bytes = EXCERPT.to_vec();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let _outcome = facts::resolve(&bytes, "x");
    }

    #[test]
    fn records_of_chance_never_panic(
        types in prop::collection::vec((0..8_u32, 0..20_u32, 0..6_u32, 0..64_u32), 1..200),
    ) {
        // Words that look like records: small names, known kinds, short lists, type ids that exist.
        let words: Vec<u32> = types.iter().flat_map(|&(name, kind, vlen, to)| [name, kind << 24 | vlen, to]).collect();
        let len = u32::try_from(words.len() * 4).unwrap();
        let header = [0x0001_eb9f, 24, 0, len, len, 8];
        let bytes: Vec<u8> = header.iter().chain(&words).flat_map(|w| w.to_le_bytes()).chain(*b"\0s\0t\0s\0\0").collect();
        if let Ok(btf) = Btf::scan(&bytes, &["s"], &["t"]) {
            let _answers = (btf.offset_of("s", "s.s"), btf.offset_of("s", "absent"), btf.params("t"));
        }
    }
}
