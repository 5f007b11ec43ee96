//! What a run leaves behind while it runs: the spool in the runtime directory.
//!
//! - [`runtime`]: the directory, which only its owner may write.
//! - [`spool`]: the trace file.

pub mod runtime;
pub mod spool;
