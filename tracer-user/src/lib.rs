//! tracer: what exactly ran, what it cost, and why it died.

pub mod kernel;
pub mod process;
