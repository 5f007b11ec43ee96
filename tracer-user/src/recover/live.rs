//! Ids of runs that are on: a crash of the same id leaves it to them, and takes one beside it.
//!
//! Whoever gives `--session-id` twice, the second time after a crash, expects the run that is on to have it. Such runs
//! are known by their sidecars, which they hold. Ids that tracer itself made are never asked about: nobody has them twice.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::scan::{Found, Ground, kind};
use super::{Reserved, older, sidecar};
use crate::process::identity::Identity;
use crate::record::enrollment;
use crate::session::id::SessionId;

/// Bytes of a sidecar in which its id is: it is the second field.
const HEAD: u64 = 512;

/// Runs that are on.
pub(super) struct Live<'a> {
    ground: &'a Ground,
    own: Option<&'a Reserved>,
    /// Whose sidecars have an id that somebody gave.
    given: OnceCell<BTreeMap<SessionId, Vec<Identity>>>,
}

impl<'a> Live<'a> {
    pub(super) fn new(ground: &'a Ground, own: Option<&'a Reserved>) -> Self {
        Self { ground, own, given: OnceCell::new() }
    }

    /// Whether somebody else than `root` has `id` in that log directory, or will have.
    pub(super) fn has(&self, id: &SessionId, root: Identity, log_dir: &Path) -> bool {
        if self.own.is_some_and(|own| {
            own.id == *id && std::path::absolute(&own.log_dir).is_ok_and(|dir| dir == log_dir)
        }) {
            return true;
        }
        if id.is_generated() {
            return false;
        }
        let others = self.given.get_or_init(|| self.read()).get(id).into_iter().flatten();
        others.filter(|other| **other != root).any(|other| self.is_on(*other, log_dir))
    }

    fn read(&self) -> BTreeMap<SessionId, Vec<Identity>> {
        let mut given: BTreeMap<SessionId, Vec<Identity>> = BTreeMap::new();
        let walked = self.ground.names(|name| {
            let Found::Sidecar(root) = kind(name) else { return };
            if let Some(id) = self.id(root).filter(|id| !id.is_generated()) {
                given.entry(id).or_default().push(root);
            }
        });
        if let Err(error) = walked {
            // The walk that recovers fails in the same way, and says so.
            log::debug!("{} can't be read ({error})", self.ground.path().display());
        }
        given
    }

    fn id(&self, root: Identity) -> Option<SessionId> {
        let file = self.ground.file(&enrollment::name(root), sidecar::LIMIT).ok()?.file;
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head).ok()?;
        let head = String::from_utf8_lossy(&head);
        let (_, rest) = head.split_once("\"session_id\":\"")?;
        rest.split_once('"')?.0.parse().ok()
    }

    fn is_on(&self, root: Identity, log_dir: &Path) -> bool {
        let Ok(opened) = self.ground.file(&enrollment::name(root), sidecar::LIMIT) else { return false };
        let is_held = flock(&opened.file, FlockOperation::NonBlockingLockShared).is_err();
        let is_there = |it| older::log_dir(&it).is_some_and(|dir| dir == log_dir);
        is_held && sidecar::read(&opened.file).is_some_and(is_there)
    }
}
