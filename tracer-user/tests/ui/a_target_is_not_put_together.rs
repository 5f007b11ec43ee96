//! Its fields are private, and so is its constructor.

use std::sync::Arc;

use tracer::kernel::event::Comm;
use tracer::process::identity::{Identity, Ticks};
use tracer::process::target::{How, Rule, TraceTarget};

fn main() {
    let id = Identity { pid: 1, start: Ticks(1) };
    let how = How { rule: Rule::Direct, name: Vec::new(), at_ns: 0, wrappers: Vec::new() };
    let comm = Comm::default();
    let boot_id: Arc<str> = Arc::from("boot");
    let _ = TraceTarget { id, comm, args: None, boot_id: boot_id.clone(), resolved_ns: 0, how: how.clone() };
    let _ = TraceTarget::new(id, comm, None, boot_id, 0, how);
    let _ = TraceTarget::default();
}
