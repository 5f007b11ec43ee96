//! Boot time -> calendar time, on one fixed difference.
//!
//! The difference is taken once, when the session begins. So times within a session never jump, whatever somebody
//! does to the machine's clock meanwhile.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Where boot time lies on the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    boot_at_ns: i128,
}

impl Clock {
    /// From one moment on both clocks: the calendar, and nanoseconds since boot.
    #[must_use]
    pub fn new(calendar: Timestamp, boot_ns: u64) -> Self {
        Self { boot_at_ns: calendar.as_nanosecond() - i128::from(boot_ns) }
    }

    /// From when the boot began, nanoseconds since 1970.
    #[must_use]
    pub fn booted_at(ns: i64) -> Self {
        Self { boot_at_ns: i128::from(ns) }
    }

    /// When the boot began, nanoseconds since 1970; `None`: in no year that matters.
    #[must_use]
    pub fn boot_at_ns(&self) -> Option<i64> {
        i64::try_from(self.boot_at_ns).ok()
    }

    /// The boot time of a calendar time; 0 if that was before the boot.
    #[must_use]
    pub fn boot_ns_of(&self, at: Timestamp) -> u64 {
        u64::try_from(at.as_nanosecond() - self.boot_at_ns).unwrap_or(0)
    }

    /// The calendar time of a boot time.
    #[must_use]
    pub fn at(&self, boot_ns: u64) -> Time {
        let ns = self.boot_at_ns + i128::from(boot_ns);
        Time(Timestamp::from_nanosecond(ns).unwrap_or(if ns < 0 { Timestamp::MIN } else { Timestamp::MAX }))
    }
}

/// A calendar time as the contract writes it: RFC 3339, UTC, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Clock;

    #[test]
    fn a_boot_time_has_its_calendar_time() {
        let clock = Clock::new(Timestamp::from_second(1_000_000).unwrap(), 5_000_000_000);
        let text = serde_json::to_string(&clock.at(6_000_001_999)).unwrap();
        assert_eq!(text, "\"1970-01-12T13:46:41.000001Z\"");
    }
}
