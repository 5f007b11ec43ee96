//! The times of a session's rows: strictly increasing, whatever the machine's clock does (S1). Pure.

use jiff::{Timestamp, ToSpan};

/// Gives each row its time: the clock's, in whole microseconds, or a microsecond after the row before where the clock stands or
/// has stepped back. A jump ahead is taken over; after a step back, rows are a microsecond apart until the clock
/// has caught up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StrictlyIncreasing {
    last: Option<Timestamp>,
}

impl StrictlyIncreasing {
    /// The time of the next row, now that the clock says `clock`.
    pub fn next(&mut self, clock: Timestamp) -> Timestamp {
        let clock = Timestamp::from_microsecond(clock.as_microsecond()).unwrap_or(clock);
        let next = match self.last {
            // The end of the calendar, in the year 9999, is the one time that has no next.
            Some(last) if clock <= last => last.checked_add(1.microsecond()).unwrap_or(last),
            _ => clock,
        };
        self.last = Some(next);
        next
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::StrictlyIncreasing;

    fn at(microsecond: i64) -> Timestamp {
        Timestamp::from_microsecond(microsecond).unwrap()
    }

    fn times(clock: &[i64]) -> Vec<i64> {
        let mut rule = StrictlyIncreasing::default();
        clock.iter().map(|now| rule.next(at(*now)).as_microsecond()).collect()
    }

    #[test]
    fn a_clock_that_runs_is_followed() {
        assert_eq!(times(&[5, 6, 100]), [5, 6, 100]);
    }

    #[test]
    fn a_clock_that_stands_advances_by_a_microsecond() {
        assert_eq!(times(&[5, 5, 5, 9]), [5, 6, 7, 9]);
    }

    #[test]
    fn a_clock_that_steps_back_advances_by_a_microsecond_until_it_has_caught_up() {
        assert_eq!(times(&[100, 3, 50, 102, 103, 200]), [100, 101, 102, 103, 104, 200]);
    }

    #[test]
    fn a_jump_ahead_is_taken_over_and_a_step_back_from_it_is_not() {
        assert_eq!(times(&[5, 1_000_000, 6]), [5, 1_000_000, 1_000_001]);
    }

    #[test]
    fn parts_of_a_microsecond_do_not_count() {
        let mut rule = StrictlyIncreasing::default();
        let first = rule.next(Timestamp::from_nanosecond(5_100).unwrap());
        let second = rule.next(Timestamp::from_nanosecond(5_900).unwrap());
        assert_eq!((first.as_nanosecond(), second.as_nanosecond()), (5_000, 6_000));
    }

    #[test]
    fn the_end_of_the_calendar_is_no_panic() {
        let mut rule = StrictlyIncreasing::default();
        rule.next(Timestamp::MAX);
        assert!(rule.next(Timestamp::MAX) <= Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_times_increase_and_are_never_behind_it(clock in proptest::collection::vec(-1_000_i64..1_000, 0..50)) {
            let times = times(&clock);
            prop_assert!(times.windows(2).all(|two| two[0] < two[1]));
            prop_assert!(times.iter().zip(&clock).all(|(time, clock)| time >= clock));
        }
    }
}
