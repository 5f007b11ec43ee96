//! What a run leaves behind while it runs: the spool in the runtime directory, and in the log directory what is too much for that.
//!
//! - [`enrollment`]: whose trace file it is, for a recovery.
//! - [`runtime`]: the directory, which only its owner may write.
//! - [`spool`]: the lines of a session; [`trace_file`]: where they lie; [`older`]: where they go when they are many,
//!   by `mover`.
//! - [`scratch`]: a file without a name, for what is too much for memory.
//! - [`log_place`]: the log directory, held open; [`way`]: how it is come to, `lookable`: how it is made;
//!   [`dir`]: a directory by its descriptor, and a name in it.

pub mod dir;
pub mod enrollment;
pub mod log_place;
mod lookable;
mod mover;
pub mod older;
pub mod runtime;
pub mod scratch;
pub mod spool;
pub mod trace_file;
pub mod way;
