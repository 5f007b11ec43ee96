//! `/proc/self/fdinfo/FD`: what the kernel says of a BPF program or map beyond what aya reads
//! (kernel/bpf/syscall.c, `bpf_prog_show_fdinfo`).

use std::os::fd::RawFd;

/// The number on the line `key:` of a descriptor's fdinfo.
pub(super) fn number(fd: RawFd, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    find(&text, key)
}

fn find(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| *name == key)?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_number_is_found_by_its_whole_key() {
        let text = "pos:\t0\nmisses:\t1\nrecursion_misses:\t7\n";
        assert_eq!(find(text, "recursion_misses"), Some(7));
        assert_eq!(find(text, "run_cnt"), None);
    }
}
