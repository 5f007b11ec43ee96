//! The one that there is belongs to the resolver.

use tracer::process::target::TraceTarget;

fn main() {
    let _ = TraceTarget::new;
}
