//! Numbers in `/proc`'s texts, by hand: a snapshot reads some forty of them, and no text is made on the way.
//!
//! Strict: a number is digits and nothing else, and one that does not fit is no number.

/// A decimal number.
#[must_use]
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// A hexadecimal number, as `/proc/PID/status` writes signal sets.
#[must_use]
pub fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

/// A file that holds one decimal number and a line's end, as `oom_score`.
#[must_use]
pub fn lone(file: &[u8]) -> Option<u64> {
    decimal(file.trim_ascii())
}

/// The same with a sign, as `oom_score_adj`.
#[must_use]
pub fn lone_signed(file: &[u8]) -> Option<i64> {
    let text = file.trim_ascii();
    match text.strip_prefix(b"-") {
        Some(digits) => i64::try_from(decimal(digits)?).ok()?.checked_neg(),
        None => i64::try_from(decimal(text)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decimal, hexadecimal, lone, lone_signed};

    #[test]
    fn a_number_that_does_not_fit_is_none() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(hexadecimal(b"ffffffffffffffff"), Some(u64::MAX));
        assert_eq!(hexadecimal(b"10000000000000000"), None);
    }

    #[test]
    fn nothing_and_no_digits_are_none_and_not_zero() {
        for text in [b"".as_slice(), b" ", b"-", b"+1", b"1x", b"\n"] {
            assert_eq!((decimal(text), hexadecimal(text)), (None, None), "{text:?}");
            assert_eq!((lone(text), lone_signed(text)), (None, None), "{text:?}");
        }
    }

    #[test]
    fn a_lone_number_may_have_a_sign_and_a_lines_end() {
        assert_eq!(
            (lone(b"666\n"), lone_signed(b"-1000\n"), lone_signed(b"0\n")),
            (Some(666), Some(-1000), Some(0))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_number_or_none(bytes: Vec<u8>) {
            let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.starts_with('+'));
            prop_assert_eq!(decimal(&bytes), text.and_then(|text| text.parse().ok()));
            let _ = (hexadecimal(&bytes), lone(&bytes), lone_signed(&bytes));
        }

        #[test]
        fn every_number_comes_back(value: u64, signed: i64) {
            prop_assert_eq!(decimal(value.to_string().as_bytes()), Some(value));
            prop_assert_eq!(hexadecimal(format!("{value:016x}").as_bytes()), Some(value));
            if signed != i64::MIN {
                prop_assert_eq!(lone_signed(format!("{signed}\n").as_bytes()), Some(signed));
            }
        }
    }
}
