//! How much memory tracer itself takes while it runs.

use std::fs;

/// Anonymous memory of a process, in KiB, again and again: its own, without its file and the rings that it maps.
#[derive(Debug, Default)]
pub struct Weight(Vec<u64>);

impl Weight {
    /// Looks once. A process that is gone weighs nothing, and adds nothing.
    pub(crate) fn look(&mut self, pid: u32) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        self.0.extend(anonymous_kib(&status));
    }

    /// The most before half of the time was over, and the most after that.
    ///
    /// # Panics
    /// If nobody looked often enough to tell.
    #[must_use]
    pub fn halves(&self) -> (u64, u64) {
        let (early, late) = self.0.split_at(self.0.len() / 2);
        (*early.iter().max().expect("a look"), *late.iter().max().expect("a look"))
    }
}

fn anonymous_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_halves_of_a_run_are_told_apart() {
        assert_eq!(Weight(vec![1, 3, 2, 9, 4]).halves(), (3, 9));
        assert_eq!(anonymous_kib("VmRSS:\t 9 kB\nRssAnon:\t     416 kB\n"), Some(416));
        assert_eq!(anonymous_kib("Name:\tzombie\n"), None);
    }
}
