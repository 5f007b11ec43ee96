//! Events in, the target out: the walk from the root inwards.
//!
//! It keeps a place in the chain of wrappers for every living process that still counts, and nothing once the target is
//! known. A lost fork heals: a process without a place takes its parent's.

use std::collections::HashMap;
use std::sync::Arc;

use super::chain::{Kind, Layer, Meaning, meaning};
use super::history::TargetHistory;
use super::image::Image;
use super::names::{Name, Wanted};
use super::trace_target::{How, Rule, TraceTarget, Wrapper};
use super::unresolved::{After, Unresolved};
use crate::kernel::event::{Args, Event, Exec, What};
use crate::process::identity::Identity;
use crate::process::tree::Tree;

/// Finds the target of one session.
#[derive(Debug)]
pub struct Resolver {
    wanted: Wanted,
    boot_id: Arc<str>,
    places: HashMap<Identity, Place>,
    innermost: Option<Arc<Layer>>,
    found: Option<Box<(TraceTarget, TargetHistory)>>,
}

/// Where a process stands.
#[derive(Clone, Debug)]
enum Place {
    /// At the end of this chain. `forked`: it is a copy of the wrapper, and has run nothing of its own yet.
    Inside { layer: Option<Arc<Layer>>, forked: bool },
    /// A helper: nothing below it counts.
    Outside,
}

impl Resolver {
    /// A resolver that has seen nothing.
    #[must_use]
    pub fn new(wanted: Wanted, boot_id: Arc<str>) -> Self {
        Self { wanted, boot_id, places: HashMap::new(), innermost: None, found: None }
    }

    /// The target, once it is known.
    #[must_use]
    pub fn target(&self) -> Option<&TraceTarget> {
        self.found.as_ref().map(|found| &found.0)
    }

    /// What the target was called, once it is known.
    #[must_use]
    pub fn history(&self) -> Option<&TargetHistory> {
        self.found.as_ref().map(|found| &found.1)
    }

    /// Takes an event that `tree` has applied. The target, if it is this event that decided it.
    pub fn observe(&mut self, event: &Event, tree: &Tree) -> Option<&TraceTarget> {
        if let Some(found) = &mut self.found {
            if found.0.identity() == event.process {
                found.1.observe(event);
            }
            return None;
        }
        let (how, args) = match &event.what {
            What::Fork(_) => {
                let place = self.place(event, tree);
                // A stranger's children need no place: theirs is found by looking for their parent's.
                if matches!(place, Place::Inside { .. }) {
                    self.places.insert(event.process, place);
                }
                return None;
            }
            What::Exit(_) => {
                self.places.remove(&event.process);
                return None;
            }
            What::Exec(exec) => (self.exec(event, exec, tree)?, Some(owned(&exec.args))),
            What::Rename { .. } => (self.rename(event, tree)?, arguments(event, tree)),
            What::Signal(_) | What::Oom => return None,
        };
        let boot_id = Arc::clone(&self.boot_id);
        let target = TraceTarget::new(event.process, event.comm, args, boot_id, event.ktime_ns, how);
        let history = TargetHistory::new(event.comm, tree.get(event.process));
        Some(self.resolve(target, history))
    }

    /// Who is the target if the search finds nobody better: a `sh -c` that ran nothing so far, alive or not.
    #[must_use]
    pub fn last_resort(&self) -> Option<Identity> {
        self.only_a_shell().map(|shell| shell.wrapper.id)
    }

    /// The search is over, at `now_ns` since boot: the target as it is known, or a `sh -c` that ran nothing, if any will do.
    ///
    /// # Errors
    /// There is none.
    pub fn give_up(
        &mut self,
        root: Identity,
        after: After,
        now_ns: u64,
        tree: &Tree,
    ) -> Result<&TraceTarget, Unresolved> {
        if self.found.is_none() {
            let shell = self.only_a_shell().ok_or_else(|| self.unresolved(root, after))?;
            let wrapper = &shell.wrapper;
            let how = How {
                rule: Rule::OnlyAShell,
                name: wrapper.name.clone().into_bytes(),
                at_ns: shell.at_ns,
                wrappers: wrappers(shell.outer.as_deref()),
            };
            let args = shell.args.clone();
            let boot_id = Arc::clone(&self.boot_id);
            let target = TraceTarget::new(wrapper.id, wrapper.comm, args, boot_id, now_ns, how);
            let history = TargetHistory::new(wrapper.comm, tree.get(wrapper.id));
            self.resolve(target, history);
        }
        self.found.as_ref().map(|found| &found.0).ok_or_else(|| self.unresolved(root, after))
    }

    fn resolve(&mut self, target: TraceTarget, history: TargetHistory) -> &TraceTarget {
        self.places = HashMap::new();
        self.innermost = None;
        &self.found.insert(Box::new((target, history))).0
    }

    fn only_a_shell(&self) -> Option<Arc<Layer>> {
        let any_will_do = self.wanted == Wanted::BehindWrappers;
        self.innermost.clone().filter(|layer| any_will_do && matches!(layer.kind, Kind::Shell(_)))
    }

    fn unresolved(&self, root: Identity, after: After) -> Unresolved {
        let expected = self.wanted.name().map(<[u8]>::to_vec);
        Unresolved { root, expected, after, wrappers: wrappers(self.innermost.as_deref()) }
    }

    /// Where the event's process stands: its own place, the root's, or that of its parent, whose copy it is.
    fn place(&self, event: &Event, tree: &Tree) -> Place {
        if let Some(place) = self.places.get(&event.process) {
            return place.clone();
        }
        if tree.root() == Some(event.process) {
            return Place::Inside { layer: None, forked: false };
        }
        match self.places.get(&event.parent) {
            Some(Place::Inside { layer, .. }) => Place::Inside { layer: layer.clone(), forked: true },
            // By name, every process of the tree counts, whatever is known of those above it.
            None if self.wanted.name().is_some() => Place::Inside { layer: None, forked: true },
            Some(Place::Outside) | None => Place::Outside,
        }
    }

    fn exec(&mut self, event: &Event, exec: &Exec, tree: &Tree) -> Option<How> {
        let Place::Inside { layer, forked } = self.place(event, tree) else { return None };
        let image = Image::of(exec);
        let meaning = meaning(layer.as_deref(), forked, &image);
        let rule = match &self.wanted {
            Wanted::BehindWrappers => behind_wrappers(layer.as_deref(), &meaning),
            Wanted::Named(name) => named(name, layer.as_deref(), &meaning, &image, event),
        };
        if let Some(rule) = rule {
            let name = self.wanted.name().unwrap_or(image.name()).to_vec();
            return Some(How { rule, name, at_ns: event.ktime_ns, wrappers: wrappers(layer.as_deref()) });
        }
        self.step(event, exec, layer, meaning);
        None
    }

    /// The process goes on to its next place.
    fn step(&mut self, event: &Event, exec: &Exec, layer: Option<Arc<Layer>>, meaning: Meaning) {
        let layer = match meaning {
            Meaning::Enter(kind) => {
                let name = kind.name(&Image::of(exec));
                let wrapper = Wrapper { id: event.process, comm: event.comm, name };
                let args = matches!(kind, Kind::Shell(_)).then(|| owned(&exec.args));
                let layer = Arc::new(Layer { outer: layer, wrapper, at_ns: event.ktime_ns, args, kind });
                self.innermost = Some(Arc::clone(&layer));
                Some(layer)
            }
            Meaning::Same => layer,
            Meaning::PassOver | Meaning::Workload if self.wanted.name().is_some() => without_shim(layer),
            Meaning::PassOver | Meaning::Workload => {
                self.places.insert(event.process, Place::Outside);
                return;
            }
        };
        self.places.insert(event.process, Place::Inside { layer, forked: false });
    }

    fn rename(&self, event: &Event, tree: &Tree) -> Option<How> {
        let Wanted::Named(name) = &self.wanted else { return None };
        if !name.is_comm(event.comm.bytes()) {
            return None;
        }
        let wrappers = match self.place(event, tree) {
            Place::Inside { layer, .. } => wrappers(layer.as_deref()),
            Place::Outside => Vec::new(),
        };
        Some(How { rule: Rule::Comm, name: name.bytes().to_vec(), at_ns: event.ktime_ns, wrappers })
    }
}

fn behind_wrappers(layer: Option<&Layer>, meaning: &Meaning) -> Option<Rule> {
    let rule = if layer.is_some() { Rule::SeenThrough } else { Rule::Direct };
    matches!(meaning, Meaning::Workload).then_some(rule)
}

/// Whether an exec is that of a process called `name`. A shim of that name is not: what it runs is.
fn named(
    name: &Name,
    layer: Option<&Layer>,
    meaning: &Meaning,
    image: &Image<'_>,
    event: &Event,
) -> Option<Rule> {
    let is_its_shim = |kind: &Kind| matches!(kind, Kind::Shim(tool) if tool == name.bytes());
    let below_its_shim = layer.is_some_and(|layer| is_its_shim(&layer.kind));
    match meaning {
        Meaning::Enter(kind) if is_its_shim(kind) => None,
        Meaning::Same if below_its_shim => None,
        Meaning::Workload if below_its_shim => Some(name.of_exec(image, event.comm).unwrap_or(Rule::Shim)),
        _ => name.of_exec(image, event.comm),
    }
}

/// A shim that has arrived, or whose helper this is, says nothing of what comes after.
fn without_shim(layer: Option<Arc<Layer>>) -> Option<Arc<Layer>> {
    match layer {
        Some(shim) if matches!(shim.kind, Kind::Shim(_)) => shim.outer.clone(),
        other => other,
    }
}

/// The wrappers of a chain, from the root inwards.
fn wrappers(layer: Option<&Layer>) -> Vec<Wrapper> {
    let mut wrappers: Vec<Wrapper> =
        layer.into_iter().flat_map(Layer::outwards).map(|layer| layer.wrapper.clone()).collect();
    wrappers.reverse();
    wrappers
}

/// The arguments with which a process runs: its own, or, where it only forked, those of who forked it.
fn arguments(event: &Event, tree: &Tree) -> Option<Args> {
    let own = tree.get(event.process)?;
    // No further than to the root: a damaged recording may say that two processes forked each other.
    let above =
        std::iter::successors(Some(own), |member| tree.get(member.parent)).take(usize::from(own.depth) + 1);
    above.filter_map(|member| member.image.as_deref()).map(|image| image.args.clone()).next()
}

/// A copy: what lives on must not keep a whole batch of records in memory.
fn owned(args: &Args) -> Args {
    Args { bytes: bytes::Bytes::copy_from_slice(&args.bytes), ..*args }
}
