//! `--until`: looks for a match in output as it comes, in pieces that may end anywhere.
//!
//! Each line is looked at by itself, without its end, and as soon as a part of it is there: a prompt has no end of line. What
//! matches only because nothing follows yet (`$`, `\b`) waits until nothing does. Of a line that is longer than [`LONGEST`] the
//! last part counts, and a match of up to half of that is never cut in two.

use regex::bytes::Regex;

/// Bytes of a line that are kept.
const LONGEST: usize = 16 << 10;

/// Looks at one stream.
#[derive(Clone, Debug)]
pub(super) struct Lookout {
    regex: Regex,
    line: Vec<u8>,
}

impl Lookout {
    pub(super) fn new(regex: Regex) -> Self {
        Self { regex, line: Vec::new() }
    }

    /// Whether a line has a match, now that this follows.
    pub(super) fn sees(&mut self, bytes: &[u8]) -> bool {
        bytes.split_inclusive(|byte| *byte == b'\n').any(|part| self.sees_part(part))
    }

    fn sees_part(&mut self, part: &[u8]) -> bool {
        // At most half is new, so that what was there before is looked at together with it.
        for piece in part.chunks(LONGEST / 2) {
            if self.line.len() + piece.len() > LONGEST {
                let old = self.line.len() - LONGEST / 2;
                self.line.drain(..old);
            }
            self.line.extend_from_slice(piece);
            if self.line.ends_with(b"\n") {
                return self.ends();
            }
            if self.has_a_match_that_stays() {
                return true;
            }
        }
        false
    }

    /// Whether the line has a match, now that nothing more of it comes.
    pub(super) fn ends(&mut self) -> bool {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let is_there = !self.line.is_empty();
        let matches = is_there && self.regex.is_match(line.strip_suffix(b"\r").unwrap_or(line));
        self.line.clear();
        matches
    }

    /// Whether an unfinished line has one whatever follows: a letter, or none.
    fn has_a_match_that_stays(&mut self) -> bool {
        let line = &mut self.line;
        self.regex.is_match(line)
            && b"a ".iter().all(|&next| {
                line.push(next);
                let matches = self.regex.is_match(line);
                line.pop();
                matches
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::{LONGEST, Lookout};

    fn sees(regex: &str, pieces: &[&[u8]]) -> bool {
        let mut lookout = Lookout::new(Regex::new(regex).unwrap());
        pieces.iter().any(|piece| lookout.sees(piece))
    }

    #[test]
    fn a_match_may_come_in_pieces_and_without_the_end_of_its_line() {
        assert!(sees("ready", &[b"not yet\nrea", b"dy"]));
        assert!(sees("^ready$", &[b"x\n", b"r", b"eady", b"\r\n"]));
        assert!(sees("password: ", &[b"pass", b"word: "]), "a prompt");
        assert!(!sees("^ready$", &[b"al", b"ready\n"]));
    }

    #[test]
    fn the_end_of_what_has_come_so_far_is_not_the_end_of_the_line() {
        for regex in ["^ready$", r"ready\b", r"ready\z", "ready$"] {
            assert!(!sees(regex, &[b"ready", b"ness in 5 minutes\n"]), "{regex}");
            assert!(sees(regex, &[b"ready", b"\n"]), "{regex}");
            let mut lookout = Lookout::new(Regex::new(regex).unwrap());
            assert!(!lookout.sees(b"ready") && lookout.ends(), "{regex}");
            assert!(!lookout.ends(), "once");
        }
    }

    #[test]
    fn a_match_lies_within_a_line() {
        assert!(!sees("a.*b", &[b"a\nb"]));
        assert!(!sees(r"a\s+b", &[b"a\nb", b"a", b"\nb\n"]));
        assert!(sees("^$", &[b"a\n\n"]), "an empty line is a line");
    }

    #[test]
    fn output_need_not_be_text() {
        assert!(sees(r"(?-u)\xff\x00", &[b"\xfe\xff", b"\x00"]));
    }

    #[test]
    fn of_a_very_long_line_the_last_part_counts() {
        let long = vec![b'.'; 5 * LONGEST];
        assert!(sees("end", &[&long, b"en", b"d"]));
        let match_of_half = format!("a.{{{}}}b", LONGEST / 2 - 2);
        let text = [b"a".as_slice(), &long[..LONGEST / 2 - 2], b"b"].concat();
        for cut in [1, 7, LONGEST / 4, LONGEST / 2 - 1] {
            let regex = match_of_half.replace(&format!("{{{}}}", LONGEST / 2 - 2), "{4000,}");
            assert!(sees(&regex, &[&long, &text[..cut], &text[cut..]]), "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn where_the_pieces_end_makes_no_difference(
            lines in prop::collection::vec("[abc]{0,12}", 0..12),
            cuts in prop::collection::vec(0_usize..150, 0..8),
        ) {
            let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
            let expected = lines.iter().any(|line| line.contains("abca"));
            prop_assert_eq!(sees("abca", &pieces), expected);
            let expected = lines.iter().any(|line| line.starts_with("a") && line.ends_with("b"));
            prop_assert_eq!(sees("^a.*b$", &pieces), expected);
        }
    }
}
