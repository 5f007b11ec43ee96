//! Who a process is: never a bare pid, which the kernel gives to somebody else soon after.

use std::fmt;

/// A time in clock ticks since boot, as `/proc/PID/stat` field 22 has it (`sysconf(_SC_CLK_TCK)`, 100 a second).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Ticks(pub u64);

impl Ticks {
    /// Ticks of a time in nanoseconds since boot, rounded down as the kernel does (kernel/time/time.c, `nsec_to_clock_t`).
    #[must_use]
    pub fn from_boot_ns(ns: u64) -> Self {
        Self(ns / Self::ns())
    }

    /// When this tick began, in nanoseconds since boot.
    #[must_use]
    pub fn to_boot_ns(self) -> u64 {
        self.0.saturating_mul(Self::ns())
    }

    /// Nanoseconds of a tick.
    fn ns() -> u64 {
        1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
    }
}

/// A process within one boot: its id and when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Start time, the same as in `/proc/PID/stat`.
    pub start: Ticks,
}

impl Identity {
    /// From the kernel's own figures.
    #[must_use]
    pub fn from_kernel(pid: u32, start_ns: u64) -> Self {
        Self { pid, start: Ticks::from_boot_ns(start_ns) }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Ticks;

    #[test]
    fn ticks_are_rounded_down_as_the_kernel_does() {
        assert_eq!(Ticks::from_boot_ns(19_999_999), Ticks(1));
        assert_eq!(Ticks::from_boot_ns(20_000_000), Ticks(2));
    }
}
