//! In which order the names of a directory are gone through, and how many of them are held at once.
//!
//! Whoever has little time, as a recovery beside a short run, is not to begin with the same large file each time: large files
//! come last, the smallest of them first. Nothing is handed out while there is room, because some file systems hand on a name
//! again where another one of the directory changed meanwhile.

/// Files of more bytes come last.
const LARGE: u64 = 16 << 20;

/// Names that are held at once.
const HELD: usize = 1 << 16;

/// Names, each with its turn.
pub(super) struct Turns {
    held: Vec<(u64, Vec<u8>)>,
    limit: usize,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { held: Vec::new(), limit: HELD }
    }

    /// When it is a file's turn: at once, unless it is large.
    pub(super) fn of_size(size: u64) -> Option<u64> {
        (size > LARGE).then_some(size)
    }

    /// Takes a name. Where there is no room for more of them, those whose turn it is now.
    pub(super) fn take(&mut self, turn: u64, name: Vec<u8>) -> Vec<Vec<u8>> {
        self.held.push((turn, name));
        if self.held.len() < self.limit {
            return Vec::new();
        }
        let large = self.held.iter().filter(|(turn, _)| *turn > LARGE).count();
        // Only where there are hardly any others, the large ones are not left for the end.
        let least = if large < self.limit / 2 { LARGE } else { u64::MAX };
        in_turn(self.held.extract_if(.., |(turn, _)| *turn <= least).collect())
    }

    /// The others.
    pub(super) fn rest(self) -> Vec<Vec<u8>> {
        in_turn(self.held)
    }
}

fn in_turn(mut names: Vec<(u64, Vec<u8>)>) -> Vec<Vec<u8>> {
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LARGE, Turns};

    fn with_room_for(limit: usize) -> Turns {
        Turns { limit, ..Turns::new() }
    }

    #[test]
    fn large_ones_are_left_for_the_end_the_smallest_of_them_first() {
        let mut turns = with_room_for(6);
        for (turn, name) in [(LARGE + 9, "huge"), (0, "b"), (0, "c"), (LARGE + 1, "large"), (1, "left")] {
            assert_eq!(turns.take(turn, name.into()), [""; 0].map(Vec::from));
        }
        assert_eq!(turns.take(0, "a".into()), ["a", "b", "c", "left"].map(Vec::from));
        assert_eq!(turns.rest(), ["large", "huge"].map(Vec::from));
    }

    #[test]
    fn where_nearly_all_are_large_they_are_not_left_for_the_end() {
        let mut turns = with_room_for(3);
        assert!(turns.take(LARGE + 2, "b".into()).is_empty() && turns.take(LARGE + 3, "c".into()).is_empty());
        assert_eq!(turns.take(LARGE + 1, "a".into()), ["a", "b", "c"].map(Vec::from));
        assert!(turns.rest().is_empty());
    }

    proptest! {
        #[test]
        fn each_name_is_handed_out_and_no_more_are_held_than_allowed(
            limit in 1..9_usize, names in prop::collection::vec((0..2 * LARGE, "[a-z]{8}"), 0..60)
        ) {
            let mut turns = with_room_for(limit);
            let mut out = Vec::new();
            for (turn, name) in &names {
                out.extend(turns.take(*turn, name.clone().into()));
                prop_assert!(turns.held.len() < limit);
            }
            out.extend(turns.rest());
            let mut all: Vec<Vec<u8>> = names.into_iter().map(|(_, name)| name.into()).collect();
            all.sort_unstable();
            out.sort_unstable();
            all.dedup();
            out.dedup();
            prop_assert_eq!(out, all);
        }
    }
}
