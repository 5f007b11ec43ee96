//! When snapshots are taken: at resolution, at each interval, and at the end.

use std::convert::Infallible;
use std::time::Duration;

use crate::process::identity::Identity;
use crate::process::sampler::{Moment, Sampler};
use crate::process::target::TraceTarget;
use crate::session::recording::Recording;

/// Whose snapshots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Of every living process of the tree.
    Tree,
    /// Of the target alone.
    Target,
}

/// How often, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Time between two rounds.
    pub interval: Duration,
    /// Whose snapshots are taken.
    pub scope: Scope,
}

/// The rounds of one run.
pub struct Sampling {
    sampler: Option<Sampler>,
    scope: Scope,
}

impl Sampling {
    /// Without `/proc` there is one warning, and no snapshots.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        let sampler =
            Sampler::new().map_err(|error| log::warn!("/proc can't be read ({error}); no snapshots"));
        Self { sampler: sampler.ok(), scope }
    }

    /// Those who ended are zombies until somebody waits for them: the next rounds look at them too. For the target alone
    /// there is no need to: every round looks at it, alive or not.
    pub fn ended(&mut self, ended: &[Identity]) {
        if let (Scope::Tree, Some(sampler)) = (self.scope, &mut self.sampler) {
            ended.iter().for_each(|id| sampler.ended(*id));
        }
    }

    /// One round of `target`, and of its tree if that is wanted.
    pub fn round(&mut self, target: &TraceTarget, recording: &mut Recording) {
        let Some(sampler) = &mut self.sampler else { return };
        let id = target.identity();
        let members = match self.scope {
            Scope::Target => vec![id],
            Scope::Tree => recording.tree.living().map(|member| member.id).collect(),
        };
        let Ok(()) = sampler.sample_tree(
            members,
            |member| member == id,
            Moment::now,
            |row| -> Result<(), Infallible> {
                recording.snapshot(target, &row);
                Ok(())
            },
        );
        recording.lacking(sampler.unread());
    }
}
