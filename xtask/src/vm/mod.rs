//! Other kernels, each in a virtual machine of its own: `cargo xtask test --kernel 5.10,newest`.
//!
//! - [`series`]: which kernel is meant, and in which of Debian's suites it is.
//! - [`apt`], [`kernels`]: its package, taken without touching the host's own, kept in the build directory.
//! - [`image`]: a disk with the test programs, and with those of the host that they run.
//! - [`boot`]: qemu, and what comes out of it.
//! - [`left_out`]: what cannot run inside, by name, with the reason.
//! - [`programs`]: which files of the build a lane needs, and the commands that it runs.
//! - [`lane`], [`reading`]: the suites on one kernel, and what comes out of it.
//! - [`failures`]: what is told at the end of those that failed.
//! - [`record`], [`table`]: what came of it, in a file of the repository and in README.md.
//!
//! Software emulation throughout: hardware virtualisation is often absent where CI runs, and a kernel boots in seconds
//! without it. One emulated CPU: with two, on threads of their own, attaching a BPF program races with the emulator's
//! reading of the code that the kernel patches.

mod apt;
mod boot;
pub(crate) mod failures;
mod image;
mod kernels;
pub(crate) mod lane;
mod left_out;
mod programs;
mod reading;
pub(crate) mod record;
pub(crate) mod series;
pub(crate) mod table;
