//! What stays of the sessions that there are. Pure.

use std::time::Duration;

use jiff::Timestamp;

/// What stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// At most so many sessions.
    pub sessions: usize,
    /// Sessions of at most so many bytes together.
    pub bytes: Option<u64>,
    /// Sessions that ended less than this ago.
    pub age: Option<Duration>,
}

impl Default for Keep {
    fn default() -> Self {
        Self { sessions: 500, bytes: None, age: None }
    }
}

/// What is known of a session: in the order of the index, the oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// When it ended; `None`: its line does not say.
    pub ended_at: Option<Timestamp>,
    /// How large it is; only asked for where that matters.
    pub bytes: u64,
}

impl Keep {
    /// Which are to go; the latest one never is. Pure.
    ///
    /// The index is in the order in which sessions were written, which need not be that in which they ended: a clock was set
    /// back, or a crash was recovered late. So each is old by its own line alone, and of the others the first go.
    #[must_use]
    pub fn surplus(&self, sessions: &[Known], now: Timestamp) -> Vec<bool> {
        let mut goes: Vec<bool> = sessions.iter().map(|known| self.is_too_old(known, now)).collect();
        if let Some(latest) = goes.last_mut() {
            *latest = false;
        }
        let (mut others, mut bytes) = (0_usize, 0_u64);
        for (goes, known) in goes.iter_mut().zip(sessions).rev().filter(|(goes, _)| !**goes) {
            bytes = bytes.saturating_add(known.bytes);
            *goes = others > 0 && (others >= self.sessions || self.bytes.is_some_and(|most| bytes > most));
            others += 1;
        }
        goes
    }

    /// Whether it ended too long ago. What does not say when is not old, and neither is what ended in time to come: the clock
    /// was set back.
    fn is_too_old(&self, known: &Known, now: Timestamp) -> bool {
        let since = known.ended_at.and_then(|ended| Duration::try_from(now.duration_since(ended)).ok());
        self.age.zip(since).is_some_and(|(age, since)| since >= age)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Keep, Known};

    fn known(ended: i64, bytes: u64) -> Known {
        Known { ended_at: Timestamp::from_second(ended).ok(), bytes }
    }

    #[test]
    fn the_oldest_go_until_number_age_and_size_are_kept() {
        let sessions = [known(10, 5), known(20, 5), known(30, 5), known(40, 5)];
        let now = Timestamp::from_second(50).unwrap();
        let count = |goes: Vec<bool>| goes.into_iter().filter(|goes| *goes).count();
        let surplus = |keep: Keep| count(keep.surplus(&sessions, now));
        let all = Keep::default();
        assert_eq!(surplus(all), 0);
        assert_eq!(surplus(Keep { sessions: 3, ..all }), 1);
        assert_eq!(surplus(Keep { age: Some(Duration::from_secs(25)), ..all }), 2);
        let set_back = Timestamp::from_second(-1_000_000).unwrap();
        let brief = Keep { age: Some(Duration::from_secs(25)), ..all };
        assert_eq!(
            count(brief.surplus(&sessions, set_back)),
            0,
            "a clock that is set back makes nothing old"
        );
        assert_eq!(surplus(Keep { bytes: Some(19), ..all }), 1);
        assert_eq!(surplus(Keep { bytes: Some(0), ..all }), 3);
        assert_eq!(surplus(Keep { sessions: 1, bytes: Some(19), age: None }), 3);
    }

    #[test]
    fn what_is_young_does_not_go_with_what_is_old_behind_it() {
        let now = Timestamp::from_second(1_000).unwrap();
        let keep = Keep { age: Some(Duration::from_secs(100)), ..Keep::default() };
        let silent = Known { ended_at: None, bytes: 5 };
        let sessions = [known(950, 5), known(10, 5), known(2_000, 5), silent, known(20, 5), known(990, 5)];
        assert_eq!(keep.surplus(&sessions, now), [false, true, false, false, true, false]);
        let two = Keep { sessions: 2, ..keep };
        assert_eq!(two.surplus(&sessions, now), [true, true, true, false, true, false], "two of the others");
        let small = Keep { bytes: Some(10), ..keep };
        assert_eq!(small.surplus(&sessions, now), [true, true, true, false, true, false]);
        assert_eq!(keep.surplus(&[known(10, 5)], now), [false], "the latest one stays");
        assert!(keep.surplus(&[], now).is_empty());
    }
}
