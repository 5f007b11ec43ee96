//! Its fields are private.

use tracer::kernel::event::Comm;
use tracer::process::identity::{Identity, Ticks};
use tracer::process::target::{How, Rule, TraceTarget};

fn main() {
    let id = Identity { pid: 1, start: Ticks(1) };
    let how = How { rule: Rule::Direct, name: Vec::new(), at_ns: 0, wrappers: Vec::new() };
    let _ = TraceTarget { id, comm: Comm::default(), args: None, boot_id: "boot".into(), resolved_ns: 0, how };
}
