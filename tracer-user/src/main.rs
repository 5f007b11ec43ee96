//! The `tracer` binary: see [`tracer::cli`].
//!
//! It has C's `main`, since Rust's own would ignore SIGPIPE before anybody could see whether the caller did; and the
//! command has to inherit what the caller set.

#![no_main]

/// What the C library calls.
// SAFETY: the only `main` of this program, with the signature that C gives it. Arguments are taken from `std::env`.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: libc::c_int, _argv: *const *const libc::c_char) -> libc::c_int {
    tracer::cli::main().into()
}
