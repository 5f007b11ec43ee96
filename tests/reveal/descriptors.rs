//! Open descriptors: what each leads to, its flags and its position. Numbers that differ from run to run (inodes of
//! pipes and sockets) become the number of the first descriptor that leads to the same.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::RawFd;

use crate::Facts;

pub(crate) fn look(facts: &mut Facts) {
    let mut first: BTreeMap<String, RawFd> = BTreeMap::new();
    let mut open: Vec<RawFd> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    open.sort_unstable();
    for fd in open {
        // The directory that was just read is closed by now.
        let Ok(target) = fs::read_link(format!("/proc/self/fd/{fd}")) else { continue };
        let target = target.to_string_lossy().into_owned();
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
        let kept: Vec<&str> =
            info.lines().filter(|line| line.starts_with("pos:") || line.starts_with("flags:")).collect();
        let same = *first.entry(target.clone()).or_insert(fd);
        let target = target.split_once(":[").map_or(target.as_str(), |(kind, _)| kind);
        facts.insert(format!("descriptor {fd}"), format!("{target} as {same}; {}", kept.join(" ")));
    }
}
