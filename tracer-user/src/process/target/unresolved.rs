//! No target: an error, never the wrapper in its place.

use std::fmt;

use super::trace_target::Wrapper;
use crate::process::identity::Identity;

/// No process of the tree was the target in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The root.
    pub root: Identity,
    /// The basename that was asked for; `None`: whatever the wrappers run.
    pub expected: Option<Vec<u8>>,
    /// What ended the search.
    pub after: After,
    /// The wrappers that were seen, from the root to the last.
    pub wrappers: Vec<Wrapper>,
}

/// What ended the search for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The root ended.
    RootEnded,
    /// `--resolve-timeout` passed.
    TimedOut,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.root.pid;
        let when = match self.after {
            After::RootEnded => "before the root ended",
            After::TimedOut => "before the time to find it was up",
        };
        match &self.expected {
            Some(name) => write!(f, "no process called \"{}\" below root {root} {when}", shown(name))?,
            None => write!(f, "no process but wrappers below root {root} {when}")?,
        }
        for (at, wrapper) in self.wrappers.iter().enumerate() {
            let before = if at == 0 { "; seen: " } else { ", " };
            write!(f, "{before}{} ({})", wrapper.name.escape_debug(), wrapper.id.pid)?;
        }
        Ok(())
    }
}

impl std::error::Error for Unresolved {}

/// A name in an error message: readable, on one line.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}
