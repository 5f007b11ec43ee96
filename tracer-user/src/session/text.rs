//! Bytes as JSON strings, without loss.
//!
//! Linux names are bytes; JSON strings are Unicode. Bytes that are not UTF-8 are written `\xNN` (two lower-case hex
//! digits). So that this can be undone, a backslash that stands before an `x` in the original is itself written
//! `\x5c`. Everything else stays as it is. To decode, replace each `\xNN` by its byte, once, from left to right.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};

/// Bytes that are shown and serialised as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some(at) = rest.find("\\x") {
                write!(f, "{}\\x5c", &rest[..at])?;
                rest = &rest[at + 1..];
            }
            f.write_str(rest)?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(plain) if !plain.contains("\\x") => serializer.serialize_str(plain),
            _ => serializer.collect_str(self),
        }
    }
}

/// The bytes of an escaped text.
#[must_use]
pub fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match escaped_byte(rest) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

fn escaped_byte(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.strip_prefix(b"\\x")?.get(..2)?).ok()?;
    let lower_hex = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if lower_hex { u8::from_str_radix(digits, 16).ok() } else { None }
}

/// The text on one line of a terminal: control characters shown as `\n`, `\u{1b}` …, so that none takes effect.
#[must_use]
pub fn for_terminal(bytes: &[u8]) -> String {
    let mut line = String::new();
    for character in Text(bytes).to_string().chars() {
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            // Writing to a String can't fail.
            let _ = line.write_char(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Text, decode, for_terminal};

    #[test]
    fn bytes_that_are_not_utf_8_are_escaped_and_nothing_else() {
        assert_eq!(Text(b"a\xffb").to_string(), "a\\xffb");
        assert_eq!(Text("é \\n \"".as_bytes()).to_string(), "é \\n \"");
        assert_eq!(Text(b"\\xff").to_string(), "\\x5cxff");
    }

    #[test]
    fn a_terminal_sees_no_control_characters() {
        assert_eq!(for_terminal(b"a\x1b[31m\n"), "a\\u{1b}[31m\\n");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&Text(&bytes).to_string()), bytes);
        }

        #[test]
        fn backslashes_come_back(text in "[\\\\x0-9a-f]{0,12}") {
            prop_assert_eq!(decode(&Text(text.as_bytes()).to_string()), text.into_bytes());
        }
    }
}
