//! Which kernel is meant: a series, `6.1`, or `newest`, the newest that Debian has.

use std::fmt;
use std::str::FromStr;

use anyhow::{Error, Result, bail};

/// A kernel, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Series {
    /// The newest point release of this series.
    Of(u32, u32),
    /// Whatever is newest in Debian's development suites.
    Newest,
}

impl Series {
    /// The suites to look in. The older series are where they are maintained; from 6.16 on backports keeps one of each. Of 5.10 it
    /// is what Debian 11 was last released with, the oldest kernel to be had: its security updates have had later changes since.
    pub(super) fn suites(self) -> &'static [&'static str] {
        match self {
            Self::Of(5, 10) => &["bullseye"],
            Self::Of(6, 1) => &["bookworm", "bookworm-security"],
            Self::Of(6, 12) => &["trixie", "trixie-security"],
            Self::Of(..) => &["trixie-backports", "sid", "experimental"],
            Self::Newest => &["sid", "experimental"],
        }
    }

    /// Whether a kernel of these numbers, `[6, 1, 0, 37]`, is of the series.
    pub(super) fn takes(self, numbers: &[u32]) -> bool {
        match self {
            Self::Of(major, minor) => numbers.starts_with(&[major, minor]),
            Self::Newest => numbers.len() >= 2,
        }
    }
}

impl FromStr for Series {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "newest" {
            return Ok(Self::Newest);
        }
        let numbers = text.split_once('.').map(|(major, minor)| (major.parse(), minor.parse()));
        let Some((Ok(major), Ok(minor))) = numbers else {
            bail!("`{text}` is no kernel: give a series, as in 6.1, or `newest`");
        };
        if (major, minor) < (5, 10) {
            bail!("{text} is older than 5.10, which tracer needs");
        }
        Ok(Self::Of(major, minor))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(major, minor) => write!(f, "{major}.{minor}"),
            Self::Newest => f.write_str("newest"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_read_as_it_is_written() {
        for text in ["5.10", "6.18", "newest"] {
            assert_eq!(text.parse::<Series>().unwrap().to_string(), text);
        }
        for text in ["", "6", "6.1.3", "latest", "5.4"] {
            assert!(text.parse::<Series>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_series_takes_its_own_kernels_alone() {
        assert!(Series::Of(6, 1).takes(&[6, 1, 0, 37]));
        assert!(!Series::Of(6, 1).takes(&[6, 12, 3]));
        assert!(Series::Newest.takes(&[7, 3]));
    }
}
