//! The eBPF object: with what it is built, how, and what ties the committed one to its sources.
//!
//! - [`toolchain`]: a rustc with the standard library's source, its cargo, and a linker.
//! - [`linker`]: bpf-linker, and its LLVM.
//! - [`compile`]: the one way in which the object is built, paths remapped out of it.
//! - [`strip`]: debug sections out, everything that a loader reads stays.
//! - [`sources`]: one hash over all that goes in.
//! - [`compare`]: two objects, as a loader reads them.
//! - [`manifest`]: `MANIFEST.json` beside the object.

pub(crate) mod compare;
pub(crate) mod compile;
pub(crate) mod linker;
pub(crate) mod manifest;
pub(crate) mod sources;
pub(crate) mod strip;
pub(crate) mod toolchain;

/// The object's file name in `tracer-ebpf/prebuilt/`.
pub(crate) const OBJECT: &str = "tracer.bpf.o";
/// The manifest's file name beside it.
pub(crate) const MANIFEST: &str = "MANIFEST.json";
