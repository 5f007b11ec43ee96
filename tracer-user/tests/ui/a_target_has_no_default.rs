//! There is no empty one.

use tracer::process::target::TraceTarget;

fn has_default<T: Default>() {}

fn main() {
    has_default::<TraceTarget>();
}
