//! The harness of the live tests: runs `tracer run` on a program that misbehaves on purpose, and compares the session
//! with what the kernel told the program's own parent.
//!
//! - [`Trace`] runs tracer in a directory of its own and gives an [`Outcome`], or the [`Session`] that it left.
//! - [`conform`] runs a command bare and under wrappers and compares what each saw; [`terminal`] is a person at a real
//!   pseudo-terminal.
//! - [`truth`] is the ground truth: rows that the workloads write about themselves and the children they wait for.
//! - `agree` compares the two; `whole` and `order` hold what every session promises, whatever ran.
//! - [`faults`] kills tracer at each of its system calls.
//! - [`watch`] is what the kernel says of the directories meanwhile.
//! - [`Ledger`] is a session that is too large to be held; [`Weight`] is how large tracer was meanwhile.
//! - [`schema`] holds every file against its published schema.
//! - [`machine`]: its kernel, and how slow it is.
//! - [`escape`] undoes the escapes of bytes that are not UTF-8, written from the contract and not from tracer's code.
//!
//! Nothing here is shared between tests, so any number may run at once. Nothing is skipped: without the privileges or
//! the binary that it needs, a test panics with the command that helps.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness reports by panicking: the test that called it fails with a backtrace"
)]

mod agree;
pub mod conform;
pub mod escape;
pub mod faults;
mod ledger;
pub mod machine;
mod order;
mod place;
mod recover;
pub mod schema;
mod session;
pub mod terminal;
mod trace;
pub mod truth;
pub mod watch;
mod weight;
mod whole;

pub use ledger::Ledger;
pub use order::assert_ordered;
pub use place::{reveal, tracer, workload};
pub use recover::Recovered;
pub use session::{Session, files_below, is_alive, lines, words};
pub use trace::{Outcome, Trace};
pub use weight::Weight;
pub use whole::{Identity, assert_family, identity};

/// A session of an observed case that is whole and agrees with the truth.
///
/// # Panics
/// If it is not, or does not.
#[track_caller]
pub fn traced<const N: usize>(case: [&str; N]) -> Session {
    let session = Trace::observed(case).run();
    session.assert_whole().assert_agrees();
    session
}
