//! The chain of wrappers between the root and a process, and what an exec at its end means.

use std::sync::Arc;

use super::chores::is_chore;
use super::image::Image;
use super::script::Script;
use super::shims::{self, Step};
use super::trace_target::Wrapper;
use super::wrappers::{Known, wrapper};
use crate::kernel::event::Args;

/// A wrapper, and those around it.
#[derive(Debug)]
pub(super) struct Layer {
    /// The next one outwards; `None`: this is the root.
    pub(super) outer: Option<Arc<Layer>>,
    /// What is told of it.
    pub(super) wrapper: Wrapper,
    /// When it was executed, nanoseconds since boot.
    pub(super) at_ns: u64,
    /// A shell's arguments, for it may yet be the target.
    pub(super) args: Option<Args>,
    /// Which kind it is.
    pub(super) kind: Kind,
}

/// The kinds of wrapper.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A program of the table.
    Known(&'static Known),
    /// `sh -c`.
    Shell(Script),
    /// A version manager's shim of this tool.
    Shim(Vec<u8>),
}

/// What an exec means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// Another wrapper.
    Enter(Kind),
    /// The same wrapper goes on as another image.
    Same,
    /// A wrapper's own doing: neither it nor what it starts is the workload.
    PassOver,
    /// The workload.
    Workload,
}

impl Kind {
    /// The kind of wrapper that `image` is, if it is one.
    pub(super) fn of(image: &Image<'_>) -> Option<Self> {
        if let Some(tool) = shims::tool(image) {
            return Some(Self::Shim(tool.to_vec()));
        }
        if let Some(script) = Script::of(image) {
            return Some(Self::Shell(script));
        }
        wrapper(image).map(Self::Known)
    }

    /// The name under which it is told of.
    pub(super) fn name(&self, image: &Image<'_>) -> String {
        match self {
            Self::Known(known) => known.name.to_owned(),
            Self::Shell(_) => format!("{} -c", String::from_utf8_lossy(image.program())),
            Self::Shim(tool) => format!("shim {}", String::from_utf8_lossy(tool)),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(one), Self::Known(two)) => one.is_script && one.name == two.name,
            _ => false,
        }
    }
}

impl Layer {
    /// This one and those around it, from the inside outwards.
    pub(super) fn outwards(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |layer| layer.outer.as_deref())
    }

    /// What it means that a process at the end of this chain execs `image`: the wrapper itself, or, if `forked`, a copy of it.
    fn meaning(&self, forked: bool, image: &Image<'_>) -> Meaning {
        if let Kind::Shim(tool) = &self.kind {
            match shims::step(tool, forked, image) {
                Step::OnTheWay => return Meaning::Same,
                Step::Helper => return Meaning::PassOver,
                Step::Arrived => {}
            }
        }
        let name = image.name();
        if self.outwards().any(|layer| matches!(layer.kind, Kind::Known(known) if known.has_helper(name))) {
            return Meaning::PassOver;
        }
        let passes_over = match &self.kind {
            Kind::Shell(script) => script.passes_over(image),
            Kind::Known(known) => known.is_script && is_chore(name),
            Kind::Shim(_) => false,
        };
        if forked && passes_over {
            return Meaning::PassOver;
        }
        match Kind::of(image) {
            // `#!/usr/bin/env bash` and the bash that follows are one wrapper.
            Some(kind) if !forked && kind.is_same(&self.kind) => Meaning::Same,
            Some(kind) => Meaning::Enter(kind),
            None => Meaning::Workload,
        }
    }
}

/// What an exec means at the end of a chain; `None` is the root before its first exec.
pub(super) fn meaning(layer: Option<&Layer>, forked: bool, image: &Image<'_>) -> Meaning {
    match layer {
        Some(layer) => layer.meaning(forked, image),
        None => Kind::of(image).map_or(Meaning::Workload, Meaning::Enter),
    }
}
