//! Sizes on the command line: `4096`, `64K`, `4M`, and the pair for `--ring-size`.

/// Parses a number of bytes with an optional unit: K, M or G, powers of 1024.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 =
        digits.parse().map_err(|_| format!("'{text}' is no size; give bytes, or K, M or G: 64K, 4M"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("'{text}' is more than a computer has"))
}

/// The least that `--spool-limit` may be: rows move in pieces of half of it, and each time that costs a write to the disk.
const SPOOL_LEAST: u64 = 64 << 10;

/// The most: a recovery takes no larger trace file, and what can't be moved stays in it beyond the limit.
const SPOOL_MOST: u64 = 1 << 30;

/// Parses `--spool-limit`.
pub(super) fn parse_spool(text: &str) -> Result<u64, String> {
    match parse(text)? {
        size if size < SPOOL_LEAST => Err(format!("'{text}' is too small; give 64K or more")),
        size if size > SPOOL_MOST => Err(format!("'{text}' is too large; give 1G or less")),
        size => Ok(size),
    }
}

/// Sizes of the two rings; `None` keeps the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RingSizes {
    pub(super) life: Option<u32>,
    pub(super) detail: Option<u32>,
}

/// Parses `SIZE` for both rings, or `life=SIZE,detail=SIZE`, of which one may be left out.
pub(super) fn parse_rings(text: &str) -> Result<RingSizes, String> {
    if !text.contains('=') {
        let size = Some(ring(text)?);
        return Ok(RingSizes { life: size, detail: size });
    }
    let mut sizes = RingSizes::default();
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("life", size)) => sizes.life = Some(ring(size)?),
            Some(("detail", size)) => sizes.detail = Some(ring(size)?),
            _ => return Err(format!("'{part}' is neither life=SIZE nor detail=SIZE")),
        }
    }
    Ok(sizes)
}

fn ring(text: &str) -> Result<u32, String> {
    let page = rustix::param::page_size() as u64;
    let size = parse(text)?;
    let fits = size.is_power_of_two() && size >= page && size <= 1 << 30;
    u32::try_from(size).ok().filter(|_| fits).ok_or_else(|| {
        format!(
            "'{text}': the kernel takes a power of two from {page} bytes to 1G; the next larger one is {}",
            size.next_power_of_two().clamp(page, 1 << 30)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{RingSizes, parse, parse_rings, parse_spool};

    #[test]
    fn units_are_powers_of_1024() {
        assert_eq!((parse("64K"), parse("4m"), parse("7")), (Ok(65536), Ok(4 << 20), Ok(7)));
    }

    #[test]
    fn what_is_no_size_is_named() {
        for bad in ["", "K", "-1", "4.5M", "99999999999G", "é"] {
            assert!(parse(bad).unwrap_err().contains(bad), "{bad}");
        }
    }

    #[test]
    fn a_spool_without_room_is_refused() {
        assert_eq!(parse_spool("64K"), Ok(65536));
        assert!(parse_spool("63K").unwrap_err().contains("64K"));
        assert!(parse_spool("2G").unwrap_err().contains("1G"));
    }

    #[test]
    fn one_size_serves_both_rings_and_each_can_have_its_own() {
        assert_eq!(parse_rings("64K"), Ok(RingSizes { life: Some(65536), detail: Some(65536) }));
        assert_eq!(parse_rings("detail=1M"), Ok(RingSizes { life: None, detail: Some(1 << 20) }));
        assert!(parse_rings("both=1M").is_err());
    }

    #[test]
    fn a_ring_that_the_kernel_would_refuse_is_refused_with_the_next_one() {
        assert!(parse_rings("5000").unwrap_err().contains("8192"));
        assert!(parse_rings("1").unwrap_err().contains("4096"));
    }
}
