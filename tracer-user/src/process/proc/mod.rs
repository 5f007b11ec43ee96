//! `/proc/PID`, read for what a snapshot needs of one process.
//!
//! - [`number`], [`status`], [`io`], [`limits`]: pure parsers of bytes; none of them can panic, whatever it is given.
//! - [`unread`]: what could not be read, and why.

pub mod io;
pub mod limits;
pub mod number;
pub mod status;
pub mod unread;
