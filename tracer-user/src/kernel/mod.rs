//! All that knows eBPF: what the running kernel looks like, the loader, the rings -> typed events in kernel order.
//!
//! - [`btf`]: finds a few named types in the kernel's own description of its types, fast.
//! - [`facts`]: which fields the programs need, under which names, and what it means when one is missing.
//! - [`load`]: loads and attaches the programs.
//! - [`event`], [`decode`]: ring records -> events.
//! - [`merge`], [`events`]: two rings -> one order.
//! - [`loss`]: what was lost, by kind.

pub mod btf;
pub mod decode;
pub mod event;
pub mod events;
pub mod facts;
mod fdinfo;
pub mod load;
pub mod loss;
pub mod merge;
mod quiet_aya;
mod ring;
