//! `tracer run -- CMD` in the place of CMD: each case runs bare and under tracer, and nothing may tell the two apart but that
//! there is a parent in between.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod arguments;
mod descriptors;
mod given;
mod limits;
mod signals;
mod statuses;
mod streams;
mod surroundings;
mod table;
mod users;
