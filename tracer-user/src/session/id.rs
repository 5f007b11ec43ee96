//! Session ids: the name of a directory, so only what is safe as one.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Bytes that an id may have.
const LENGTH: usize = 128;

/// Names that a session takes where its own is another's. More of one pid can't be without some intent.
const NAMES: u32 = 100;

/// Bytes that such a name has more, at the most.
const MORE: usize = "-pid4294967295-100".len();

/// A session's id. By default a UUID of version 7 (RFC 9562): unique without asking anybody, and sorting by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SessionId(String);

/// What is no session id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' can't be a session id: it names a directory; use 1 to 128 letters, digits, '.', '_' and '-', \
     beginning with a letter or a digit"
)]
pub struct BadSessionId(String);

impl SessionId {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// The names under which the session of the root `pid` may be: its own, and those that it takes where that is another
    /// session's.
    pub fn names(&self, pid: u32) -> impl Iterator<Item = Self> + use<'_> {
        std::iter::once(self.clone()).chain((1..=NAMES).map(move |nth| self.beside(pid, nth)))
    }

    /// Whether that is one of [`Self::names`].
    #[must_use]
    pub fn has_name(&self, pid: u32, name: &str) -> bool {
        // All of them begin alike, and hardly any other does.
        let alike = &self.0[..self.0.len().min(LENGTH - MORE)];
        name.starts_with(alike) && self.names(pid).any(|one| one.0 == name)
    }

    /// The `nth` name (from 1) beside this one, as long as a name may be.
    fn beside(&self, pid: u32, nth: u32) -> Self {
        let more = if nth == 1 { format!("-pid{pid}") } else { format!("-pid{pid}-{nth}") };
        Self(self.0[..self.0.len().min(LENGTH - more.len())].to_owned() + &more)
    }

    /// Whether [`Self::generate`] makes such ids, which nobody has twice.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        uuid::Uuid::try_parse(&self.0).is_ok_and(|uuid| uuid.get_version_num() == 7)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = BadSessionId;

    fn from_str(text: &str) -> Result<Self, BadSessionId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins_well && text.len() <= LENGTH && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadSessionId(text.chars().take(160).collect()))
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SessionId;

    #[test]
    fn it_knows_its_names_and_no_other() {
        for text in ["a", "nightly", &"x".repeat(100), &"y".repeat(110), &"z".repeat(128)] {
            let id: SessionId = text.parse().unwrap();
            for pid in [1, u32::MAX] {
                assert!(id.names(pid).all(|name| id.has_name(pid, name.as_str())));
                let another = id.names(7).nth(1).unwrap();
                assert!(!id.has_name(pid, another.as_str()) && !id.has_name(pid, "nightl"));
            }
        }
    }

    #[test]
    fn what_could_leave_the_directory_is_refused() {
        for bad in ["", ".", "..", "a/b", "/a", ".hidden", "-x", "a b", "a\n", &"a".repeat(129)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_beside_an_id_are_ids_and_no_two_are_the_same() {
        for id in ["a", "nightly.2", &"a".repeat(128)] {
            let id: SessionId = id.parse().unwrap();
            let names: Vec<SessionId> = id.names(4_194_304).collect();
            assert!(names[0] == id && names.iter().all(|name| name.as_str().parse() == Ok(name.clone())));
            assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), 101);
        }
        let nightly: SessionId = "nightly".parse().unwrap();
        let names: Vec<String> = nightly.names(17).take(3).map(|name| name.to_string()).collect();
        assert_eq!(names, ["nightly", "nightly-pid17", "nightly-pid17-2"]);
        assert!(SessionId::generate().is_generated() && !nightly.is_generated());
    }

    #[test]
    fn a_ci_job_can_give_its_own() {
        assert_eq!("job-17_a.2".parse::<SessionId>().unwrap().as_str(), "job-17_a.2");
        assert!(SessionId::generate().as_str().parse::<SessionId>().is_ok());
    }
}
