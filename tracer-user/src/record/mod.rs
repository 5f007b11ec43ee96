//! What a run leaves behind while it runs: the spool in the runtime directory.
//!
//! - [`enrollment`]: whose trace file it is, for a recovery.
//! - [`runtime`]: the directory, which only its owner may write.
//! - [`spool`]: the trace file.

pub mod enrollment;
pub mod runtime;
pub mod spool;

/// Removes a file. If somebody did that already, it is done.
fn remove(path: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
