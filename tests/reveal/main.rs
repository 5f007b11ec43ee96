//! `reveal FILE [ARG]…`: writes down all that this process was given by whoever started it, as a JSON object of texts.
//!
//! It has C's `main`: Rust's runtime opens descriptors that are closed and changes SIGPIPE before a program can look.
//! First of all it looks at its descriptors, since a look at anything else opens one.

#![no_main]
#![expect(clippy::unwrap_used, reason = "what can't be revealed must fail its test")]

mod calls;
mod descriptors;
mod texts;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What is known, by name.
type Facts = BTreeMap<String, String>;

/// What the C library calls.
// SAFETY: the only `main` of this program, with the signature that C gives it. Arguments are taken from `std::env`.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: libc::c_int, _argv: *const *const libc::c_char) -> libc::c_int {
    let mut facts = Facts::new();
    descriptors::look(&mut facts);
    calls::ask(&mut facts);
    texts::read(&mut facts);
    let args: Vec<_> = std::env::args_os().collect();
    for (index, arg) in args.iter().enumerate() {
        facts.insert(format!("argv {index}"), escaped(arg));
    }
    for (index, (name, value)) in std::env::vars_os().enumerate() {
        facts.insert(format!("environment {index}"), format!("{}={}", escaped(&name), escaped(&value)));
    }
    std::fs::write(&args[1], serde_json::to_vec(&facts).unwrap()).unwrap();
    0
}

/// Any bytes, told apart.
fn escaped(bytes: &OsStr) -> String {
    bytes.as_bytes().escape_ascii().to_string()
}
