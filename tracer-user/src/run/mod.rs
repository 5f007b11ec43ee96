//! `tracer run`: the command, from its start to a finished session.
//!
//! ```text
//!  load, attach ─▶ mark tracer ─▶ fork: the child is tracked ─▶ exec ─▶ wait: rings, child, signals, tick
//!                  as spawner     before it first runs                        │
//!  report ◀─ session in place ◀─ settle with /proc ◀─ detach, read the rest ◀─┘ child ended
//! ```
//!
//! - [`plan`]: what is to be done, checked. [`outcome`]: what came of it.
//! - [`spawn`], [`signals`]: the command as a child that notices nothing.
//! - [`support`]: what to do where the kernel refuses.

pub mod outcome;
pub mod plan;
pub mod signals;
pub mod spawn;
pub mod support;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::kernel::event::{Event, Status};
use crate::kernel::events::{Events, EventsError, boot_ns};
use crate::kernel::load::{LoadError, Programs};
use crate::process::identity::Identity;
use crate::process::stat::Stat;
use crate::record::runtime;
use crate::session::clock::Clock;
use crate::session::finish::{FinishError, LogDir};
use crate::session::recording::Recording;
use outcome::Outcome;
use plan::Plan;
use signals::{Inherited, Signals};
use spawn::{Child, SpawnError};

/// How long events may wait in the rings when nobody asks for them.
const TICK: Duration = Duration::from_millis(250);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This host or user can't.
    #[error("{0}")]
    Unsupported(String),
    /// The programs do not run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Events can't be read.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// The command can't be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The session has no place.
    #[error(transparent)]
    Finish(#[from] FinishError),
    /// Waiting failed.
    #[error("tracer can't wait for the command")]
    Wait(#[source] std::io::Error),
    /// What happened can't be kept.
    #[error("what happened can't be kept")]
    Record(#[source] std::io::Error),
}

/// Runs the command, and returns what came of it. Warnings go to `log`.
pub fn run(plan: &Plan, inherited: &Inherited) -> Result<Outcome, RunError> {
    if let Some(obstacle) = support::obstacle() {
        return Err(RunError::Unsupported(obstacle));
    }
    let log_dir = LogDir::open(&plan.log_dir, &plan.session_id)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(RunError::Wait)?.block_on(async {
        let mut programs = Programs::load(&plan.settings)?;
        let mut recording = Recording::new(Clock::new(Timestamp::now(), boot_ns()));
        let mut signals = Signals::install(inherited).map_err(RunError::Wait)?;
        let child = start(plan, inherited, &mut programs)?;
        // Only now: rings that are mapped before the fork would count as the command's own memory.
        let mut events = Events::new(&mut programs)?;
        follow(plan, &child, &mut signals, &mut programs, &mut events, &mut recording).await?;
        let ended = child.reap().map_err(RunError::Wait)?;
        programs.detach();
        events.read(|event| keep(&mut recording, &event))?;
        programs.flush_diagnostics();
        let loss = events.loss(&programs)?;
        recording.settle(boot_ns(), Status(ended.status)).map_err(RunError::Record)?;
        Ok(Outcome::write(plan, &log_dir, recording, ended, loss, &programs.kernel.release))
    })
}

/// Starts the command as the root of a tree.
fn start(plan: &Plan, inherited: &Inherited, programs: &mut Programs) -> Result<Child, RunError> {
    let me = std::process::id();
    let started = Stat::read(me).map(|stat| stat.start).unwrap_or_default();
    programs.track_children_of(Identity { pid: me, start: started })?;
    let child = Child::spawn(&plan.command, inherited);
    programs.stop_tracking_children_of(me)?;
    Ok(child?)
}

/// Follows the command to its end.
async fn follow(
    plan: &Plan,
    child: &Child,
    signals: &mut Signals,
    programs: &mut Programs,
    events: &mut Events,
    recording: &mut Recording,
) -> Result<(), RunError> {
    events.read(|event| keep(recording, &event))?;
    spool_to_file(plan, recording);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            ended = child.ended() => {
                ended.map_err(RunError::Wait)?;
                return Ok(());
            }
            signal = signals.next() => child.signal(signal),
            woken = events.woken() => woken?,
            _ = tick.tick() => {}
        }
        events.read(|event| keep(recording, &event))?;
        flush(recording);
        programs.flush_diagnostics();
    }
}

fn keep(recording: &mut Recording, event: &Event) {
    if let Err(error) = recording.take(event) {
        log::warn!("an event of process {} can't be kept ({error})", event.process);
    }
}

/// Moves the lines to the runtime directory; without it they stay in memory, and the session is whole all the same.
fn spool_to_file(plan: &Plan, recording: &mut Recording) {
    let Some(root) = recording.tree.root() else { return };
    let opened = runtime::open(&plan.tmpfs_path).map_err(|error| error.to_string()).and_then(|dir| {
        let opened = recording.lines.events.to_file(&dir, root);
        opened.map_err(|error| format!("the trace file in {} can't be made ({error})", dir.display()))
    });
    if let Err(error) = opened {
        log::warn!("{error}; the session is kept in memory until it ends");
    }
}

fn flush(recording: &mut Recording) {
    if let Err((path, error)) = recording.lines.events.flush() {
        log::warn!(
            "{} can't be written ({error}); the session is kept in memory until it ends",
            path.display()
        );
    }
}

/// This boot, as `/proc` names it.
fn boot_id() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// The root of a session that never ran: nothing but its command is known.
const NOBODY: Identity = Identity { pid: 0, start: crate::process::identity::Ticks(0) };
