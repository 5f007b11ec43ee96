use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::place::{Place, Version};
use super::{LimitHit, Watch, limit, value};
use crate::process::identity::{Identity, Ticks};
use crate::process::stat::Stat;

const ID: Identity = Identity { pid: 7, start: Ticks(5) };

/// A directory that is to look like a hierarchy.
fn hierarchy() -> TempDir {
    crate::scratch()
}

fn watch(version: Version, mount: &Path, below: &[&str]) -> Watch {
    let below = below.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mount = mount.as_os_str().as_bytes().to_vec();
    Watch::on(ID, &Place { version, mount, root: Vec::new(), below })
}

fn group(dir: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(dir).unwrap();
    files.iter().for_each(|(name, text)| fs::write(dir.join(name), text).unwrap());
}

fn events(oom: u32) -> String {
    format!("low 0\nhigh 3\nmax 70\noom {oom}\noom_kill 9\noom_group_kill 0\n")
}

#[test]
fn the_cgroup_whose_own_limit_was_reached_is_named() {
    let mount = hierarchy();
    let (outer, inner) = (mount.path().join("jobs"), mount.path().join("jobs/7"));
    group(&outer, &[("memory.events.local", &events(1)), ("memory.max", "67108864\n")]);
    group(&inner, &[("memory.events.local", &events(0)), ("memory.max", "max\n")]);
    let watch = watch(Version::V2, mount.path(), &["jobs", "7"]);
    assert_eq!(watch.limit_hit(), None, "nothing rose");
    fs::write(outer.join("memory.events.local"), events(2)).unwrap();
    let expected = LimitHit {
        path: b"/jobs".to_vec(),
        limit_bytes: Some(67_108_864),
        counter: "memory.events.local oom",
        before: 1,
        after: 2,
    };
    assert_eq!(watch.limit_hit(), Some(expected));
    fs::write(inner.join("memory.events.local"), events(1)).unwrap();
    let innermost = watch.limit_hit().unwrap();
    assert_eq!((innermost.path.as_slice(), innermost.limit_bytes), (b"/jobs/7".as_slice(), None));
}

#[test]
fn either_limit_of_version_1_counts() {
    let mount = hierarchy();
    let dir = mount.path().join("x");
    group(&dir, &[("memory.failcnt", "0\n"), ("memory.limit_in_bytes", "9223372036854771712\n")]);
    group(&dir, &[("memory.memsw.failcnt", "4\n"), ("memory.memsw.limit_in_bytes", "16777216\n")]);
    let watch = watch(Version::V1, mount.path(), &["x"]);
    fs::write(dir.join("memory.memsw.failcnt"), "6\n").unwrap();
    let hit = watch.limit_hit().unwrap();
    assert_eq!(
        (hit.counter, hit.before, hit.after, hit.limit_bytes),
        ("memory.memsw.failcnt", 4, 6, Some(16_777_216))
    );
}

#[test]
fn a_cgroup_that_is_gone_gives_no_answer_and_neither_does_another_of_its_name() {
    let mount = hierarchy();
    let dir = mount.path().join("x");
    group(&dir, &[("memory.failcnt", "1\n")]);
    let watch = watch(Version::V1, mount.path(), &["x"]);
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(watch.limit_hit(), None);
    group(&dir, &[("memory.failcnt", "5\n")]);
    assert_eq!(watch.limit_hit(), None);
}

#[test]
fn a_counter_that_fell_or_makes_no_sense_did_not_rise() {
    let mount = hierarchy();
    group(mount.path(), &[("memory.failcnt", "5\n")]);
    let watch = watch(Version::V1, mount.path(), &["gone"]);
    for text in ["4\n", "5\n", "", "many\n", "-6\n", "99999999999999999999999\n"] {
        fs::write(mount.path().join("memory.failcnt"), text).unwrap();
        assert_eq!(watch.limit_hit(), None, "{text:?}");
    }
}

#[test]
fn a_field_is_found_by_its_whole_name() {
    assert_eq!(value(events(4).as_bytes(), Some(b"oom")), Some(4));
    assert_eq!(value(b"oom_kill 1\n", Some(b"oom")), None);
    assert_eq!(value(b"12\n", None), Some(12));
}

#[test]
fn no_limit_is_none() {
    assert_eq!([&b"max\n"[..], b"9223372036854771712\n", b""].map(limit), [None; 3]);
    assert_eq!(limit(b"16777216\n"), Some(16_777_216));
}

#[test]
fn another_process_under_the_same_pid_is_not_watched() {
    let own = Stat::read(std::process::id()).unwrap().identity();
    assert!(Watch::begin(Identity { start: Ticks(own.start.0 + 1), ..own }).is_none());
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_none(text: Vec<u8>) {
        let _ = (value(&text, None), value(&text, Some(b"oom")), limit(&text));
        let _ = value(&[b"oom ".as_slice(), &text].concat(), Some(b"oom"));
    }
}
