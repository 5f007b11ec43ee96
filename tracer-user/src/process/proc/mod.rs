//! `/proc/PID`, read for what a snapshot needs of one process.
//!
//! - [`number`], [`status`], [`io`], [`limits`]: pure parsers of bytes; none of them can panic, whatever it is given.
//! - [`reader`]: the order in which a process's files are read, and what that proves. [`dir`]: its directory, held open.
//!   `symbols`: names of places in the kernel.
//! - [`unread`]: what could not be read, and why.

pub mod dir;
pub mod io;
pub mod limits;
mod look;
pub mod number;
pub mod reader;
pub mod status;
mod symbols;
pub mod unread;

#[cfg(test)]
mod tests;
