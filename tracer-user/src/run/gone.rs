//! Waits until nobody is there any more, through the pidfd of one member at a time: all of them have to end anyway.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

use super::kill::is_there;
use crate::process::identity::Identity;

/// Whose end is waited for at the moment.
#[derive(Default)]
pub(super) struct Gone {
    watched: Option<(Identity, AsyncFd<OwnedFd>)>,
}

impl Gone {
    /// Whether one of these is there still; one of them is then watched.
    pub(super) fn look(&mut self, mut members: impl Iterator<Item = Identity>) -> bool {
        if self.watched.as_ref().is_some_and(|(id, _)| is_there(*id)) {
            return true;
        }
        self.watched = None;
        let Some(id) = members.find(|id| is_there(*id)) else { return false };
        // Without a descriptor the next look is that of the next tick.
        self.watched = watch(id).map(|pidfd| (id, pidfd));
        true
    }

    /// Waits for the end of whoever is watched; for ever, if nobody is.
    pub(super) async fn one_ended(&self) {
        match &self.watched {
            Some((_, pidfd)) if pidfd.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }
}

fn watch(id: Identity) -> Option<AsyncFd<OwnedFd>> {
    let pidfd = pidfd_open(Pid::from_raw(id.pid.cast_signed())?, PidfdFlags::empty()).ok()?;
    // SAFETY: the registration owns the descriptor.
    unsafe { AsyncFd::register(pidfd) }.ok()
}
