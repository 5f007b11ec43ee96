//! Undoes the escapes of session files: a byte that is not UTF-8 stands as `\xNN`, a backslash before an `x` as `\x5c`.

/// The bytes that `text` stands for. Panics on a `\x` without two lower-case hex digits, which the contract forbids.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    let mut pieces = text.split(r"\x");
    let mut out = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let hex = piece.get(..2).filter(|hex| !hex.bytes().any(|digit| digit.is_ascii_uppercase()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or_else(|| panic!("a bare \\x in {text:?}")));
        out.extend_from_slice(&piece.as_bytes()[2..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn text_without_escapes_is_its_own_bytes() {
        assert_eq!(bytes("a b\n\"é\\n"), "a b\n\"é\\n".as_bytes());
    }

    #[test]
    fn escaped_bytes_and_an_escaped_backslash_come_back() {
        assert_eq!(bytes(r"\xff-\x5cx41\xc3"), b"\xff-\\x41\xc3");
    }

    #[test]
    #[should_panic(expected = "a bare \\x")]
    fn an_escape_that_is_cut_short_is_refused() {
        let _never = bytes(r"\xf");
    }
}
