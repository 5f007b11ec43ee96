//! Stories: a few lines of what processes do, and which of them is the target. `story` says how to write one.

mod any;
mod life;
mod named;
mod shells;
mod shims;
mod story;
mod wrappers;
