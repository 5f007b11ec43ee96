//! Sampling, enrolling and recording take a target.

use tracer::process::target::TraceTarget;

fn sample(target: &TraceTarget) -> u32 {
    target.pid()
}

fn main() {
    let pid = std::process::id();
    sample(&pid);
    sample(pid);
}
