//! When something is killed: after some time, or a little after something was seen in the directories.

use std::process::Child;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::ReadFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use tests::watch::{Change, Dir, Watch};

/// How long whatever a step starts may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Something that is seen in the directories on the way of a run or a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// A sidecar is being written.
    NewSidecar,
    /// It is in its place.
    Sidecar,
    /// Lines were written.
    Lines,
    /// Rows have begun to move.
    Moving,
    /// The session is being built.
    Building,
    /// It is in its place.
    InPlace,
    /// The index was written.
    Indexed,
    /// The trace file is gone.
    TraceGone,
    /// The sidecar is gone.
    SidecarGone,
}

impl Sight {
    /// Whether a change shows it, for the session `id`.
    fn is(self, change: &Change, id: &str) -> bool {
        let (dir, kind, prefix) = match self {
            Self::NewSidecar => (Dir::Runtime, ReadFlags::CREATE, ".tracer_enrollment_"),
            Self::Sidecar => (Dir::Runtime, ReadFlags::MOVED_TO, "tracer_enrollment_"),
            Self::Lines => (Dir::Runtime, ReadFlags::MODIFY, "tracer_trace_"),
            Self::Moving => (Dir::Sessions, ReadFlags::MODIFY, "."),
            Self::Building => (Dir::Sessions, ReadFlags::CREATE, "."),
            Self::InPlace => (Dir::Sessions, ReadFlags::MOVED_TO, ""),
            Self::Indexed => (Dir::Log, ReadFlags::MODIFY, "sessions.jsonl"),
            Self::TraceGone => (Dir::Runtime, ReadFlags::DELETE, "tracer_trace_"),
            Self::SidecarGone => (Dir::Runtime, ReadFlags::DELETE, "tracer_enrollment_"),
        };
        let is_its = match self {
            Self::Moving => change.name.contains(id) && change.name.ends_with(".spool"),
            Self::Building => change.name.contains(id) && !change.name.ends_with(".spool"),
            Self::InPlace => change.name == id,
            _ => true,
        };
        change.dir == dir && change.kind.contains(kind) && change.name.starts_with(prefix) && is_its
    }
}

/// When.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// So long after the start.
    After(Duration),
    /// So long after something was seen for the `nth` time (from 1).
    Seen {
        /// What.
        sight: Sight,
        /// How often.
        nth: usize,
        /// And then so long.
        then: Duration,
    },
}

impl Moment {
    /// Any moment of a run of about this length; most of them are aimed at what takes a short time only.
    pub(crate) fn of_run(rng: &mut Rng, life: Duration, loud: bool) -> Self {
        let (sight, nth, most) = match rng.u8(..10) {
            0..=2 => return Self::After(random(rng, life.mul_f64(1.1))),
            3 => (Sight::NewSidecar, 1, 500),
            4 => (Sight::Sidecar, 1, 500),
            5 if loud => (Sight::Moving, 1, 5000),
            5 => (Sight::Lines, rng.usize(1..12), 5000),
            6 | 7 => (Sight::Building, 1, 300),
            8 => (*rng.choice(&[Sight::InPlace, Sight::Indexed, Sight::TraceGone]).unwrap(), 1, 30),
            _ => (Sight::SidecarGone, 1, 1000),
        };
        Self::Seen { sight, nth, then: random(rng, Duration::from_micros(most)) }
    }

    /// Any moment of a recovery.
    pub(crate) fn of_recovery(rng: &mut Rng) -> Self {
        let sights = [Sight::Building, Sight::InPlace, Sight::Indexed, Sight::TraceGone, Sight::SidecarGone];
        let then = random(rng, Duration::from_micros(100));
        match rng.bool() {
            true => Self::After(random(rng, Duration::from_millis(4))),
            false => Self::Seen { sight: *rng.choice(&sights).unwrap(), nth: 1, then },
        }
    }

    /// Waits for it, or until `child` ends.
    pub(crate) fn wait(self, child: &Child, id: &str, watch: &mut Watch, start: Instant) {
        let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
        let (sight, nth, then) = match self {
            Self::After(time) => {
                ends_within(&pidfd, time.saturating_sub(start.elapsed()));
                return;
            }
            Self::Seen { sight, nth, then } => (sight, nth, then),
        };
        let begin = Instant::now();
        loop {
            watch.read();
            if watch.history.iter().filter(|change| sight.is(change, id)).count() >= nth {
                break;
            }
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(watch, PollFlags::IN)];
            poll(&mut fds, Some(&timespec(DEADLINE))).unwrap();
            if !fds[0].revents().is_empty() {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "neither {sight:?} nor an end after {DEADLINE:?}");
        }
        // A timer would be late by more than that.
        let seen = Instant::now();
        while seen.elapsed() < then {
            std::hint::spin_loop();
        }
    }
}

/// Waits for the end of a process, but not longer than that.
fn ends_within(pidfd: &impl std::os::fd::AsFd, time: Duration) -> bool {
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timespec(time))).unwrap() > 0
}

/// Waits for the end of a child.
pub(crate) fn await_end(child: &mut Child) -> std::process::ExitStatus {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    assert!(ends_within(&pidfd, DEADLINE), "a child of the step still runs after {DEADLINE:?}");
    child.wait().unwrap()
}

fn timespec(time: Duration) -> Timespec {
    Timespec::try_from(time).unwrap()
}

fn random(rng: &mut Rng, most: Duration) -> Duration {
    most.mul_f64(rng.f64())
}
