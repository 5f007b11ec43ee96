//! `tracer run`: the command, from its start to a finished session.
//!
//! ```text
//!  load, attach ─▶ mark tracer ─▶ fork: the child is tracked ─▶ exec ─▶ wait: rings, child, signals, tick
//!                  as spawner     before it first runs                        │
//!  report ◀─ session in place ◀─ settle with /proc ◀─ detach, read the rest ◀─┘ child ended
//! ```
//!
//! - [`plan`]: what is to be done, checked. [`outcome`]: what came of it.
//! - [`listener`]: events, whose failure the command must not feel.
//! - [`spawn`], [`signals`]: the command as a child that notices nothing.
//! - [`support`]: what to do where the kernel refuses.

pub mod listener;
pub mod outcome;
pub mod plan;
pub mod signals;
pub mod spawn;
pub mod support;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::kernel::event::Status;
use crate::kernel::events::boot_ns;
use crate::kernel::load::{LoadError, Programs};
use crate::process::identity::Identity;
use crate::process::stat::Stat;
use crate::record::runtime;
use crate::session::clock::Clock;
use crate::session::finish::{FinishError, LogDir};
use crate::session::recording::Recording;
use listener::Listener;
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
        let mut listener = Listener::new(&mut programs);
        follow(plan, &child, &mut signals, &mut programs, &mut listener, &mut recording).await?;
        let ended = child.reap().map_err(RunError::Wait)?;
        programs.detach();
        listener.read(&mut recording);
        programs.flush_diagnostics();
        let loss = listener.loss(&programs)?;
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
    if let Err(error) = programs.stop_tracking_children_of(me) {
        log::warn!("{error}; tracer itself seems to start processes");
    }
    Ok(child?)
}

/// Follows the command to its end.
async fn follow(
    plan: &Plan,
    child: &Child,
    signals: &mut Signals,
    programs: &mut Programs,
    listener: &mut Listener,
    recording: &mut Recording,
) -> Result<(), RunError> {
    listener.read(recording);
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
            () = listener.woken() => {}
            _ = tick.tick() => {}
        }
        listener.read(recording);
        flush(recording);
        programs.flush_diagnostics();
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
