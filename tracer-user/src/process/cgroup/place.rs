//! Where a process's memory cgroup lies: pure parsers of `/proc/PID/cgroup` and `/proc/self/mountinfo`.
//!
//! Version 1 with the memory controller comes first; without it, it is version 2's one hierarchy (cgroups(7), "/proc files").

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Which interface a hierarchy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy of the memory controller's own, or shared with other controllers.
    V1,
    /// The unified hierarchy.
    V2,
}

/// A memory cgroup, and where its hierarchy is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The interface.
    pub version: Version,
    /// Where the hierarchy, or a part of it, is mounted.
    pub mount: Vec<u8>,
    /// Which cgroup is at the mount point: without the last `/`, so "" for the hierarchy's root.
    pub root: Vec<u8>,
    /// The names from there to the cgroup.
    pub below: Vec<Vec<u8>>,
}

impl Place {
    /// The memory cgroup of the process whose `/proc/PID/cgroup` this is. `None`: no hierarchy that could have the
    /// controller is mounted where it can be seen, or the texts make no sense.
    #[must_use]
    pub fn parse(cgroup: &[u8], mountinfo: &[u8]) -> Option<Self> {
        let (version, path) = own(cgroup)?;
        lines(mountinfo).find_map(|line| {
            let mount = Mount::parse(line).filter(|mount| mount.is_memory(version))?;
            let root = mount.root.strip_suffix(b"/").unwrap_or(&mount.root).to_vec();
            let rest = path.strip_prefix(root.as_slice())?;
            let below: Vec<Vec<u8>> = match rest.strip_prefix(b"/") {
                Some(rest) => names(rest),
                None if rest.is_empty() => Vec::new(),
                None => return None,
            };
            // Outside of this mount, or of the reader's cgroup namespace.
            let is_outside = below.iter().any(|name| name == b"..");
            (!is_outside).then_some(Self { version, mount: mount.point, root, below })
        })
    }

    /// The cgroup and all above it that can be seen, from the inside out: its path in the hierarchy, and its directory.
    pub fn levels(&self) -> impl Iterator<Item = (Vec<u8>, PathBuf)> {
        (0..=self.below.len()).rev().map(|depth| {
            let (mut path, mut dir) = (self.root.clone(), self.mount.clone());
            for name in &self.below[..depth] {
                for place in [&mut path, &mut dir] {
                    place.push(b'/');
                    place.extend_from_slice(name);
                }
            }
            if path.is_empty() {
                path.push(b'/');
            }
            (path, PathBuf::from(OsString::from_vec(dir)))
        })
    }
}

/// The line of the memory controller, or else that of version 2: `ID:CONTROLLERS:PATH`.
fn own(cgroup: &[u8]) -> Option<(Version, &[u8])> {
    let fields = |line| {
        let mut fields = <[u8]>::splitn(line, 3, |byte| *byte == b':');
        Some((fields.next()?, fields.next()?, fields.next()?))
    };
    let all = || lines(cgroup).filter_map(fields);
    let old = all().find(|(_, controllers, _)| has(controllers, b"memory"));
    let new = || all().find(|(id, controllers, _)| *id == b"0" && controllers.is_empty());
    match old {
        Some((_, _, path)) => Some((Version::V1, path)),
        None => new().map(|(_, _, path)| (Version::V2, path)),
    }
}

/// What is used of a line of mountinfo (proc_pid_mountinfo(5)).
struct Mount<'a> {
    root: Vec<u8>,
    point: Vec<u8>,
    kind: &'a [u8],
    options: &'a [u8],
}

impl<'a> Mount<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let root = unescaped(fields.nth(3)?);
        let point = unescaped(fields.next()?);
        // Any number of optional fields, ended by a dash.
        let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
        let kind = fields.next()?;
        Some(Self { root, point, kind, options: fields.nth(1)? })
    }

    fn is_memory(&self, version: Version) -> bool {
        match version {
            Version::V1 => self.kind == b"cgroup" && has(self.options, b"memory"),
            Version::V2 => self.kind == b"cgroup2",
        }
    }
}

/// Blanks, tabs, newlines and backslashes are three octal digits there (fs/proc_namespace.c, `mangle`).
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(octal).filter(|_| *first == b'\\');
        bytes.push(digits.unwrap_or(*first));
        rest = if digits.is_some() { &after[3..] } else { after };
    }
    bytes
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

fn has(list: &[u8], word: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|item| item == word)
}

fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Place, Version};

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 master:2 - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const UNIFIED: &str = "25 1 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    fn levels(cgroup: &str, mountinfo: &str) -> Option<(Version, Vec<String>)> {
        let place = Place::parse(cgroup.as_bytes(), mountinfo.as_bytes())?;
        let level = |(path, dir): (Vec<u8>, std::path::PathBuf)| {
            format!("{} at {}", String::from_utf8_lossy(&path), dir.display())
        };
        Some((place.version, place.levels().map(level).collect()))
    }

    #[test]
    fn the_memory_controllers_own_hierarchy_comes_before_the_unified_one() {
        let cgroup = "5:devices:/else\n4:cpuacct,memory:/jobs/a:b\n0::/unified\n";
        let expected = [
            "/jobs/a:b at /sys/fs/cgroup/memory/jobs/a:b",
            "/jobs at /sys/fs/cgroup/memory/jobs",
            "/ at /sys/fs/cgroup/memory",
        ];
        assert_eq!(levels(cgroup, HYBRID), Some((Version::V1, expected.map(str::to_owned).to_vec())));
    }

    #[test]
    fn without_it_the_unified_hierarchy_is_the_one() {
        let expected =
            ["/system.slice at /sys/fs/cgroup/system.slice", "/ at /sys/fs/cgroup"].map(str::to_owned);
        assert_eq!(levels("0::/system.slice\n", UNIFIED), Some((Version::V2, expected.to_vec())));
    }

    #[test]
    fn a_mount_of_a_part_shows_that_part() {
        let part = "25 1 0:23 /docker/x /mnt/a\\040b rw - cgroup2 cgroup2 rw\n";
        let expected = ["/docker/x/job at /mnt/a b/job", "/docker/x at /mnt/a b"].map(str::to_owned);
        assert_eq!(levels("0::/docker/x/job\n", part), Some((Version::V2, expected.to_vec())));
        for outside in ["0::/docker/xy\n", "0::/docker\n", "0::/docker/x/../y\n"] {
            assert_eq!(levels(outside, part), None, "{outside}");
        }
    }

    #[test]
    fn what_is_not_mounted_has_no_place() {
        assert_eq!(levels("4:memory:/a\n", UNIFIED), None);
        assert_eq!(levels("", HYBRID), None);
        assert_eq!(levels("4:memory\n", HYBRID), None);
        assert_eq!(levels("0::/\n", "25 1 0:23 / /sys/fs/cgroup rw - cgroup2\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_place_or_none(cgroup: Vec<u8>, mountinfo: Vec<u8>) {
            let _ = Place::parse(&cgroup, &mountinfo);
            let _ = Place::parse(&cgroup, UNIFIED.as_bytes());
            let _ = Place::parse(b"0::/a", &mountinfo);
            let line = [b"1 2 3 ".as_slice(), &mountinfo, b" x - cgroup2 y z"].concat();
            if let Some(place) = Place::parse(&[b"0::".as_slice(), &cgroup].concat(), &line) {
                prop_assert_eq!(place.levels().count(), place.below.len() + 1);
            }
        }
    }
}
