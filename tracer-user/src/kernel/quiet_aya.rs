//! Keeps aya from parsing the kernel's BTF, which nothing here needs.
//!
//! `EbpfLoader::new` (aya 0.14) parses all of `/sys/kernel/btf/vmlinux` before `.btf(None)` can decline: some 17 ms,
//! more than the whole start-up may take. It goes on without when the file can't be opened, so for the length of that
//! one call this process may open nothing.

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

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn nothing_can_be_opened_inside_and_the_limit_is_back_afterwards() {
        let before = getrlimit(Resource::Nofile);
        let inside = super::without_kernel_btf(|| std::fs::File::open("/proc/self/stat").is_err());
        assert!(inside);
        assert_eq!(getrlimit(Resource::Nofile), before);
    }
}
