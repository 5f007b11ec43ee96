//! What the running kernel has and lacks, and what its verifier makes of the programs.
//!
//! Both sides of each version are held: what came later must be absent before, and then it is the older way that works.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what goes wrong fails the test with a backtrace"
)]

mod facts;
mod growth;
mod object;
mod settings;
mod verified;
