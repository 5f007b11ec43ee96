//! The names that a process has, and whether one of them is the one that was asked for.
//!
//! The kernel cuts a comm at 15 bytes, so a longer NAME also matches a comm that is just its first 15. That is allowed
//! where nothing better is known: an exec tells the file's name whole, and then the cut name proves nothing.

use super::image::Image;
use super::trace_target::Rule;
use crate::kernel::event::Comm;

/// The most bytes that a comm holds.
const COMM_MAX: usize = tracer_ebpf::COMM_LEN - 1;

/// What is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever the wrappers run.
    BehindWrappers,
    /// A process of this name.
    Named(Name),
}

/// A name to be found: a basename, not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Vec<u8>);

/// `--target` was given nothing that a program can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a target's name can't be empty, nor end in `/`")]
pub struct NoName;

impl Wanted {
    /// A process of this name. Of a path, the last part counts.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn named(name: &[u8]) -> Result<Self, NoName> {
        let name = basename(name);
        if name.is_empty() { Err(NoName) } else { Ok(Self::Named(Name(name.to_vec()))) }
    }

    /// The basename to be found, if one was asked for.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Self::BehindWrappers => None,
            Self::Named(name) => Some(&name.0),
        }
    }
}

impl Name {
    /// The name's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a process that execs `image` under `comm` has this name, and by which rule.
    pub(super) fn of_exec(&self, image: &Image<'_>, comm: Comm) -> Option<Rule> {
        let is = |name: Option<&[u8]>| name == Some(self.bytes());
        if is(image.script_name()) {
            return Some(Rule::Script);
        }
        if is(image.file_name()) {
            return Some(Rule::Filename);
        }
        if is(image.argv0_name()) {
            return Some(Rule::Argv0);
        }
        let comm = comm.bytes();
        let cut_of_file = image.file_name().is_some_and(|file| comm == cut(file));
        (!cut_of_file && self.is_comm(comm)).then_some(Rule::Comm)
    }

    /// Whether this is the name of a process that calls itself `comm`.
    pub(super) fn is_comm(&self, comm: &[u8]) -> bool {
        basename(comm) == self.bytes() || comm == cut(self.bytes())
    }
}

/// The part behind the last `/`.
pub(super) fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// As much of a name as a comm holds.
fn cut(name: &[u8]) -> &[u8] {
    &name[..name.len().min(COMM_MAX)]
}

#[cfg(test)]
mod tests {
    use super::{NoName, Wanted, basename};

    fn is_comm(name: &str, comm: &[u8]) -> bool {
        let Ok(Wanted::Named(name)) = Wanted::named(name.as_bytes()) else { panic!("{name:?} is a name") };
        name.is_comm(comm)
    }

    #[test]
    fn a_name_is_the_last_part_of_a_path() {
        assert_eq!(Wanted::named(b"/usr/bin/claude").unwrap().name(), Some(b"claude".as_slice()));
        assert_eq!(basename(b"a"), b"a");
        assert_eq!([Wanted::named(b""), Wanted::named(b"bin/")], [Err(NoName), Err(NoName)]);
    }

    #[test]
    fn a_long_name_is_its_first_15_bytes_as_a_comm() {
        assert!(is_comm("dbus-run-session", b"dbus-run-sessio"));
        assert!(!is_comm("dbus-run-session", b"dbus-run-sess"));
        assert!(!is_comm("dbus", b"dbus-run-sessio"));
    }
}
