//! Which process of a tree is the workload, and which are only its wrappers. Pure: events in, at most one target out.
//!
//! With `--target NAME` it is the first process, in kernel order, one of whose names is NAME ([`names`]). Without it,
//! the resolver walks inwards from the root: a process counts as long as it runs a wrapper (`wrappers`) or was forked by
//! one that counts; the first of them to exec anything else is the target. So a command that is no wrapper is its own
//! target at its first exec, and a process that a workload starts is never looked at.
//!
//! What makes that harder than a list of names, and where it is settled:
//!
//! - a wrapper's own helpers (`Xvfb`, `dbus-daemon`) are passed over, with all that they start (`wrappers`);
//! - a version manager's shim (`~/.pyenv/shims/python3`) runs dozens of processes and then, in its own process, the real
//!   program: what it forks is passed over, unless it is the program itself (`chain`, `shims`);
//! - `sh -c SCRIPT` may run several commands. The first is taken, but small utilities that are forked on the way
//!   (`mkdir x; make`) are passed over, and so are a login shell's start-up files (`script`, `chores`);
//! - a shell that never runs a program is the workload itself: without `--target`, when the root ends or the time is up
//!   and the innermost wrapper is a `sh -c`, that shell becomes the target, as [`Rule::OnlyAShell`]. So
//!   `tracer run -- sh -c 'exit 3'` exits with 3. Any other wrapper in that place is [`Unresolved`], and with `--target` every
//!   one is: a name that was asked for is never given to something else.
//!
//! Several matches: the first stays the target, also when it ends while a later one lives. A target that execs another
//! image or renames itself stays the target, because it is an identity and not a name; [`history`] keeps what it was called.
//!
//! A sampler or a recorder asks for a [`TraceTarget`]. Only the resolver makes one.

mod chain;
mod chores;
pub mod history;
mod image;
mod interpreters;
pub mod names;
mod options;
pub mod resolver;
mod script;
mod shims;
mod trace_target;
pub mod unresolved;
mod wrappers;

pub use history::TargetHistory;
pub use names::Wanted;
pub use resolver::Resolver;
pub use trace_target::{How, Rule, TraceTarget, Wrapper};
pub use unresolved::Unresolved;

#[cfg(test)]
mod tests;
