//! Nobody gives a target another pid.

use tracer::process::target::TraceTarget;

fn redirect(target: &mut TraceTarget) {
    target.id.pid = 1;
}

fn main() {}
