//! All that knows eBPF: what the running kernel looks like, and (loader, rings) what its programs tell.
//!
//! - [`btf`]: finds a few named types in the kernel's own description of its types, fast.
//! - [`facts`]: which fields the programs need, under which names, and what it means when one is missing.

pub mod btf;
pub mod facts;
