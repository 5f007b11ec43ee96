//! Passing on a signal that somebody sent to tracer: to the command, unless it has it already.
//!
//! `kill %1` of a shell and `timeout` send to a whole process group, so the command gets the signal by itself; a second one
//! would be another request (many programs drop everything at the second SIGTERM). The kernel's events tell: the command was
//! sent the same signal by the same process a moment ago. They tell it of requests to end alone ([`REQUESTS`]).

use std::time::Duration;

use tokio::time::sleep;

use super::listener::Listener;
use super::signals::{Number, Sent};
use crate::kernel::events::boot_ns;
use crate::process::member::SignalSeen;
use crate::session::recording::Recording;

/// The signals that events tell of even if the command has a handler (`tracer-ebpf`, `signal.rs`).
const REQUESTS: [libc::c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];
/// How far apart one process sends to tracer and to the group: `timeout` makes two system calls of it.
const BREATH: Duration = Duration::from_millis(5);
/// How long ago a signal to the command may be to be the same.
const LATELY: Duration = Duration::from_millis(200);

/// Whether the command was sent the same signal by the same process just now: when (nanoseconds since boot), and which.
pub(super) async fn has_it(
    sent: Sent,
    listener: &mut Listener,
    recording: &mut Recording,
) -> Option<(u64, Number)> {
    if !REQUESTS.contains(&sent.signal) {
        return None;
    }
    sleep(BREATH).await;
    listener.read(recording);
    let since = boot_ns().saturating_sub(u64::try_from(LATELY.as_nanos()).unwrap_or(u64::MAX));
    let same = |seen: &SignalSeen| {
        libc::c_int::from(seen.signal) == sent.signal
            && seen.at_ns >= since
            && seen.sender.as_ref().is_some_and(|sender| sender.process.pid == sent.sender)
    };
    let seen = recording.root()?.signals.iter().find(|seen| same(seen))?;
    Some((seen.at_ns, sent.signal))
}
