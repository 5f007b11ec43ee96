//! Ids of runs that are on: a crash of the same id leaves it to them, and takes one beside it.
//!
//! Whoever gives `--session-id` twice, the second time after a crash, expects the run that is on to have it. Such runs
//! are known by their sidecars, which they hold. Ids that tracer itself made are never asked about: nobody has them twice.

use std::cell::OnceCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::scan::{Found, Ground, kind};
use super::{Reserved, older, sidecar};
use crate::process::identity::Identity;
use crate::record::enrollment::{self, Enrollment};
use crate::session::id::SessionId;

/// Bytes of a sidecar in which its id is: it is the second field.
const HEAD: u64 = 512;

/// So many sidecars with a given id are remembered, a few bytes of each. Where there are more, all are read each time.
const REMEMBERED: usize = 1 << 17;

/// Runs that are on.
pub(super) struct Live<'a> {
    ground: &'a Ground,
    own: Option<&'a Reserved>,
    /// Whose sidecars have an id that somebody gave, by a hash of that, in order; `None`: they are too many.
    given: OnceCell<Option<Vec<(u64, Identity)>>>,
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
        let (hash, is_on) = (hash(id), |other| other != root && self.is_on(other, id, log_dir));
        match self.given.get_or_init(|| self.read()) {
            Some(given) => {
                let first = given.partition_point(|(other, _)| *other < hash);
                let same = given[first..].iter().take_while(|(other, _)| *other == hash);
                same.copied().any(|(_, other)| is_on(other))
            }
            None => {
                let mut found = false;
                self.each(|other, root| found = found || other == hash && is_on(root));
                found
            }
        }
    }

    fn read(&self) -> Option<Vec<(u64, Identity)>> {
        let (mut given, mut are_too_many) = (Vec::new(), false);
        self.each(|id, root| {
            are_too_many = are_too_many || given.len() == REMEMBERED;
            if !are_too_many {
                given.push((id, root));
            }
        });
        given.sort_unstable_by_key(|(id, _)| *id);
        (!are_too_many).then_some(given)
    }

    /// Hands on each sidecar with an id that somebody gave, and a hash of that.
    fn each(&self, mut each: impl FnMut(u64, Identity)) {
        let walked = self.ground.names(|name| {
            let Found::Sidecar(root) = kind(name) else { return };
            if let Some(id) = self.id(root).filter(|id| !id.is_generated()) {
                each(hash(&id), root);
            }
        });
        if let Err(error) = walked {
            // The walk that recovers fails in the same way, and says so.
            log::debug!("{} can't be read ({error})", self.ground.path().display());
        }
    }

    fn id(&self, root: Identity) -> Option<SessionId> {
        let file = self.ground.file(&enrollment::name(root), sidecar::LIMIT).ok()?.file;
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head).ok()?;
        let head = String::from_utf8_lossy(&head);
        let (_, rest) = head.split_once("\"session_id\":\"")?;
        rest.split_once('"')?.0.parse().ok()
    }

    fn is_on(&self, root: Identity, id: &SessionId, log_dir: &Path) -> bool {
        let Ok(opened) = self.ground.file(&enrollment::name(root), sidecar::LIMIT) else { return false };
        let is_held = flock(&opened.file, FlockOperation::NonBlockingLockShared).is_err();
        let is_there = |it| older::log_dir(&it).is_some_and(|dir| dir == log_dir);
        let is_it = |it: &Enrollment| it.session_id == id.as_str();
        is_held && sidecar::read(&opened.file).filter(is_it).is_some_and(is_there)
    }
}

fn hash(id: &SessionId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.as_str().hash(&mut hasher);
    hasher.finish()
}
