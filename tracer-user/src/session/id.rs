//! Session ids: the name of a directory, so only what is safe as one.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A session's id. By default a UUID of version 7 (RFC 9562): unique without asking anybody, and sorting by time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
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
        if begins_well && text.len() <= 128 && text.bytes().all(allowed) {
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
    fn what_could_leave_the_directory_is_refused() {
        for bad in ["", ".", "..", "a/b", "/a", ".hidden", "-x", "a b", "a\n", &"a".repeat(129)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_ci_job_can_give_its_own() {
        assert_eq!("job-17_a.2".parse::<SessionId>().unwrap().as_str(), "job-17_a.2");
        assert!(SessionId::generate().as_str().parse::<SessionId>().is_ok());
    }
}
