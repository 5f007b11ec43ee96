//! tracer: what exactly ran, what it cost, and why it died.
//!
//! Data flows one way, and a folder imports only what stands before it in this line (and `process`):
//!
//! ```text
//!  kernel ──────▶ process ───▶ record ──▶ session ──▶ recover ──▶ run ──▶ cli
//!  programs and   identity,    spool in   the files   what the    spawn,   flags ->
//!  rings ->       the tree     the        that stay   killed      the      checked
//!  typed events   of them      runtime                left        wait,    settings
//!                              dir                                the end
//! ```
//!
//! Decisions (merge, tree, settle, verdict) are pure functions of data; the shell around them does the I/O.

pub mod cli;
pub mod kernel;
pub mod process;
pub mod record;
pub mod recover;
pub mod run;
pub mod session;

/// A directory for one test, inside the build directory and removed with the value.
#[cfg(test)]
fn scratch() -> tempfile::TempDir {
    let target = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/scratch");
    std::fs::create_dir_all(&target).expect("the build directory can be written");
    tempfile::tempdir_in(target).expect("the build directory can be written")
}
