//! Processes: who they are, and the tree that they form.

pub mod identity;
