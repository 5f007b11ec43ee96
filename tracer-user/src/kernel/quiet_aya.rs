//! Keeps what aya does beside loading from being felt: the kernel's BTF is not parsed, and the limit on locked memory, which a
//! command inherits, is what it was.
//!
//! `EbpfLoader::new` (aya 0.14) parses all of `/sys/kernel/btf/vmlinux` before `.btf(None)` can decline: some 17 ms,
//! more than the whole start-up may take. It goes on without when the file can't be opened, so for the length of that
//! one call this process may open nothing.
//!
//! Before 5.11 maps and programs count as locked memory (kernel/bpf/syscall.c, `bpf_map_charge_init`), and aya then takes
//! away the limit on it, for good.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Calls `make` while no file can be opened.
pub(super) fn without_kernel_btf<T>(make: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Nofile);
    let none = Rlimit { current: Some(0), maximum: before.maximum };
    let lowered = setrlimit(Resource::Nofile, none);
    let made = make();
    if lowered.is_ok() && setrlimit(Resource::Nofile, before).is_err() {
        log::warn!("the limit on open files could not be set back to {:?}", before.current);
    }
    made
}

/// Calls `load`, and puts the limit on locked memory back. What was made by then stays.
pub(super) fn with_memlock_put_back<T>(load: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Memlock);
    let loaded = load();
    if getrlimit(Resource::Memlock) != before && setrlimit(Resource::Memlock, before).is_err() {
        log::warn!("the limit on locked memory could not be set back to {:?}", before.current);
    }
    loaded
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    #[test]
    fn the_limit_on_locked_memory_is_back_afterwards() {
        let before = getrlimit(Resource::Memlock);
        let other = Rlimit { current: Some(4096), maximum: before.maximum };
        super::with_memlock_put_back(|| setrlimit(Resource::Memlock, other).unwrap());
        assert_eq!(getrlimit(Resource::Memlock), before);
    }

    #[test]
    fn nothing_can_be_opened_inside_and_the_limit_is_back_afterwards() {
        let before = getrlimit(Resource::Nofile);
        let inside = super::without_kernel_btf(|| std::fs::File::open("/proc/self/stat").is_err());
        assert!(inside);
        assert_eq!(getrlimit(Resource::Nofile), before);
    }
}
