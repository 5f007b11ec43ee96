//! What `/proc` tells of this process.

use std::fs;

use crate::Facts;

/// Files of which every byte counts.
const WHOLE: [&str; 13] = [
    "autogroup",
    "cgroup",
    "comm",
    "coredump_filter",
    "gid_map",
    "limits",
    "loginuid",
    "oom_score_adj",
    "personality",
    "projid_map",
    "sessionid",
    "timens_offsets",
    "uid_map",
];
const LINKS: [&str; 2] = ["cwd", "root"];
/// Lines of `status` that tell one run from the next.
const PASSING: [&str; 15] = [
    "Pid", "Tgid", "Ngid", "PPid", "NSpid", "NStgid", "NSpgid", "NSsid", "State", "FDSize", "Vm", "Rss",
    "Hugetlb", "SigQ", "untag",
];
/// Fields of `stat` (proc(5)) that a process is given. 5 and 8 are process ids, which the tests put into words.
const STAT: [(usize, &str); 9] = [
    (5, "process group"),
    (6, "session"),
    (7, "terminal"),
    (8, "foreground group"),
    (18, "priority"),
    (19, "nice"),
    (38, "signal at its end"),
    (40, "real-time priority"),
    (41, "policy"),
];

pub(crate) fn read(facts: &mut Facts) {
    for name in WHOLE {
        let text = fs::read(format!("/proc/self/{name}"));
        facts.insert(
            name.to_owned(),
            text.map_or_else(|error| error.kind().to_string(), |text| text.escape_ascii().to_string()),
        );
    }
    for name in LINKS {
        let target = fs::read_link(format!("/proc/self/{name}")).unwrap();
        facts.insert(name.to_owned(), super::escaped(target.as_os_str()));
    }
    for entry in fs::read_dir("/proc/self/ns").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        facts.insert(format!("namespace {name}"), super::escaped(fs::read_link(&path).unwrap().as_os_str()));
    }
    for line in fs::read_to_string("/proc/self/status").unwrap().lines() {
        let (name, value) = line.split_once(':').unwrap();
        if !PASSING.iter().any(|passing| name.starts_with(passing) || name.ends_with("ctxt_switches")) {
            facts.insert(format!("status {name}"), value.trim().to_owned());
        }
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    for (number, name) in STAT {
        facts.insert(name.to_owned(), fields[number - 3].trim().to_owned());
    }
    facts.insert("pid".to_owned(), std::process::id().to_string());
    facts.insert("parent".to_owned(), fields[4 - 3].to_owned());
}
