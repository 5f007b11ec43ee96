//! Processes: who they are, what `/proc` says of them, and the tree that they form.
//!
//! - [`identity`]: a pid together with its start time.
//! - [`stat`]: the one line of `/proc` that has identity and name together.
//! - [`proc`]: the reading of a process's figures; [`snapshot`]: what was read; [`sampler`]: rounds of it;
//!   [`last_row`]: what is kept of a row for the next.
//! - [`tree`]: a pure fold over events; [`member`] is what it keeps of a process.
//! - [`captured`]: the times of rows, which only ever increase.
//! - [`cgroup`]: whether the limit of a memory cgroup was reached.
//! - [`cwd`]: directories by device and inode -> paths.
//! - [`signal`]: signals by name.
//! - [`target`]: which of them is the workload.
//! - [`settle`]: what `/proc` says, at the end, of those whose end was not seen.

pub mod captured;
pub mod cgroup;
pub mod cwd;
pub mod identity;
pub mod last_row;
pub mod member;
pub mod proc;
pub mod sampler;
pub mod settle;
pub mod signal;
pub mod snapshot;
pub mod stat;
pub mod target;
pub mod tree;
