//! `tracer run` at a real terminal: each scene is played bare and under tracer, by a person at an interactive shell.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod apart;
mod keys;
mod live;
mod pipes;
mod programs;
mod shells;
mod window;
