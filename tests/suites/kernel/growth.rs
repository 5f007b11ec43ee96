//! The verifier's work is recorded in `tracer-ebpf/prebuilt/VERIFIER.json`, and must not grow unnoticed: long before a kernel
//! refuses a program, its verifier works more.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::machine;

use crate::object::Work;
use crate::verified;

/// Written by `cargo xtask test --kernel LIST --record`.
const RECORDED: &str = include_str!("../../../tracer-ebpf/prebuilt/VERIFIER.json");

/// What is recorded of a kernel, and whether it is of this very series. Of a series that is not recorded, that of the nearest
/// older one.
fn recorded(all: &Value, series: (u32, u32)) -> Option<((u32, u32), &Value)> {
    let of = |name: &str| {
        name.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
    };
    let known: BTreeMap<(u32, u32), &Value> =
        all.as_object()?.iter().filter_map(|(name, works)| Some((of(name)?, works))).collect();
    known.range(..=series).next_back().map(|(series, works)| (*series, *works))
}

/// What grew by more than a fifth. On a kernel that is not recorded, by more than double: verifiers differ.
fn grown(works: &BTreeMap<String, Work>, recorded: &Value, is_same: bool) -> Vec<String> {
    let limit = |was: u64| if is_same { was + was / 5 } else { was * 2 };
    let mut grown = Vec::new();
    for (name, work) in works {
        for (what, now) in
            [("instructions", work.instructions), ("states", work.states), ("peak_states", work.peak_states)]
        {
            match recorded[name][what].as_u64() {
                Some(was) if now <= limit(was) => {}
                was => grown.push(format!("{name}: {now} {what}, recorded {was:?}")),
            }
        }
    }
    grown
}

#[test]
fn no_program_is_a_fifth_more_work_than_recorded() {
    let all: Value = serde_json::from_str(RECORDED).unwrap();
    let series = machine::series();
    let (of, recorded) =
        recorded(&all, series).unwrap_or_else(|| panic!("nothing is recorded up to Linux {series:?}"));
    let grown = grown(verified::most(), recorded, of == series);
    assert!(
        grown.is_empty(),
        "if this is meant, run `cargo xtask test --kernel 5.10,6.1,6.12,6.18,newest --record -- the_verifier_takes`; recorded of {of:?}: {grown:#?}"
    );
}

#[test]
fn growth_is_found_and_a_new_program_has_to_be_recorded() {
    let recorded = serde_json::json!({"exit": {"instructions": 100, "states": 10, "peak_states": 10}});
    let with = |instructions| {
        let work = Work { instructions, states: 10, peak_states: 10, stack: 8 };
        BTreeMap::from([("exit".to_owned(), work)])
    };
    assert_eq!(grown(&with(120), &recorded, true), Vec::<String>::new());
    assert_eq!(grown(&with(121), &recorded, true), ["exit: 121 instructions, recorded Some(100)"]);
    assert_eq!(grown(&with(200), &recorded, false), Vec::<String>::new());
    let new = BTreeMap::from([("new".to_owned(), Work::default())]);
    assert_eq!(grown(&new, &recorded, true).len(), 3);
}

#[test]
fn a_kernel_that_is_not_recorded_is_held_against_the_nearest_older_one() {
    let all = serde_json::json!({"5.10": 1, "6.1": 2, "6.12": 3});
    assert_eq!(recorded(&all, (6, 6)), Some(((6, 1), &Value::from(2))));
    assert_eq!(recorded(&all, (6, 12)), Some(((6, 12), &Value::from(3))));
    assert_eq!(recorded(&all, (5, 4)), None);
}
