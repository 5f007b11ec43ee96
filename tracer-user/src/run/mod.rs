//! `tracer run`: the command, from its start to a finished session.
//!
//! ```text
//!  load, attach ─▶ mark tracer ─▶ fork: the child is tracked ─▶ exec ─▶ wait: rings, child, signals, tick
//!                  as spawner     before it first runs                        │
//!  report ◀─ session in place ◀─ settle with /proc ◀─ detach, read the rest ◀─┘ child ended
//! ```
//!
//! - [`plan`], [`limits`]: what is to be done, checked. [`outcome`]: what came of it.
//! - `follow`: the one place that waits. [`sampling`]: when snapshots are taken. `urgency`: real-time priority while the
//!   target is looked for.
//! - [`ending`]: which ending comes first, and what is to be done then. `timers`: when a time is up. [`kill`]: signals for a
//!   whole tree. `gone`: when nobody of it is left.
//! - `streams`: the command's output where it has to be seen, and its terminal where it has one of its own.
//! - `enrol`: trace file and sidecar; `upkeep`: both made again where somebody removed them. `background`: recovery beside the run.
//! - [`listener`]: events, whose failure the command must not feel.
//! - `live`: the status line of a run.
//! - [`spawn`], [`signals`]: the command as a child that notices nothing. `job`: tracer stops when the command does.
//!   `apart`: the same, where the command has a terminal of its own. `passing`: signals that were sent to tracer.
//!   [`user`]: as whom. `ties`: who dies with whom.
//!   `pipes`: pipes that are the command's alone. [`room`]: limits that are too low for tracer itself.
//! - [`support`]: what to do where the kernel refuses.

mod apart;
mod background;
pub mod ending;
mod enrol;
mod follow;
mod gone;
mod job;
pub mod kill;
pub mod limits;
pub mod listener;
mod live;
pub mod outcome;
mod passing;
mod pipes;
pub mod plan;
pub mod room;
pub mod sampling;
pub mod signals;
pub mod spawn;
mod streams;
pub mod support;
mod ties;
mod timers;
mod upkeep;
mod urgency;
pub mod user;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use jiff::Timestamp;

use crate::kernel::event::Status;
use crate::kernel::events::boot_ns;
use crate::kernel::load::{LoadError, Programs};
use crate::process::identity::Identity;
use crate::process::stat::Stat;
use crate::process::target::Resolver;
use crate::session::clock::Clock;
use crate::session::finish::{FinishError, LogDir};
use crate::session::recording::Recording;
use crate::session::retention;
use background::Background;
use follow::{Followed, Follower};
use outcome::{Facts, Outcome, Recorded};
use plan::Plan;
use signals::{Inherited, Signals};
use spawn::{Child, Ends, SpawnError};
use streams::Streams;
use user::Account;

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
    /// The command's output can't be seen, or its terminal not be made.
    #[error("no pipe or terminal for the command can be made")]
    Streams(#[source] std::io::Error),
    /// The session has no place.
    #[error(transparent)]
    Finish(#[from] FinishError),
    /// Waiting failed.
    #[error("tracer can't wait for the command")]
    Wait(#[source] std::io::Error),
}

/// Runs the command, and returns what came of it. Warnings go to `log`.
pub fn run(plan: &Plan, inherited: &Inherited) -> Result<Outcome, RunError> {
    if let Some(obstacle) = support::obstacle() {
        return Err(RunError::Unsupported(obstacle));
    }
    let log_dir = LogDir::open(&plan.log_dir, &plan.session_id)?.read_by(plan.reader).making_room(plan.keep);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(RunError::Wait)?.block_on(async {
        let mut programs = Programs::load(&plan.settings)?;
        let boot_id = boot_id();
        let resolver = Resolver::new(plan.wanted.clone(), Arc::clone(&boot_id));
        let recording = Recording::new(
            Clock::new(Timestamp::now(), boot_ns()),
            resolver,
            plan.thresholds,
            plan.redact,
            Some(log_dir.place().clone()),
        );
        let mut signals = Signals::take().map_err(RunError::Wait)?;
        programs.wake_at_each_exec(true)?;
        let me = me();
        let owner = plan.user.as_ref().map(Account::uid);
        let (streams, ends) = Streams::open(&plan.limits, owner).map_err(RunError::Streams)?;
        let child = start(plan, inherited, &ends, me, &mut programs)?;
        let root = identity(child.pid.as_raw_nonzero().get().cast_unsigned());
        // Ends of pipes: as long as tracer has them too, nobody sees that the command has closed its own.
        drop(ends);
        inherited.pipes.let_go(plan.silent);
        // Only now: rings that are mapped before the fork would count as the command's own memory.
        let mut follower =
            Follower::new(plan, log_dir.place(), &mut programs, recording, &boot_id, &child, streams);
        let background = Background::start(plan);
        let Followed { ended, why, since_ns } = follower.follow(&mut signals).await;
        // From here on nothing may come between the command's status and whoever waits for it.
        let unresolved = follower.unresolved().cloned();
        let Follower { mut listener, mut recording, enrolled, .. } = follower;
        recording.look_at_the_living();
        programs.detach();
        listener.read(&mut recording);
        programs.flush_diagnostics();
        let loss = listener.loss(&programs, &recording);
        let kernel = programs.kernel.release.clone();
        // The kernel takes its time to give back rings and programs, and nobody needs them any more. Without a thread for that
        // it is done at once.
        let released = thread::Builder::new().name("tracer-release".to_owned());
        let released = released.spawn(move || drop((programs, listener)));
        recording.settle(boot_ns(), Some(Status(ended.status)), &loss);
        recording.conclude(&loss, boot_ns());
        let (boot_id, kernel) = (&*boot_id, &*kernel);
        let told = Facts { ended, why, since_ns, me, child: root, unresolved, loss, boot_id, kernel };
        let outcome = Outcome::write(plan, &log_dir, Recorded { recording, enrolled }, &told);
        background.end();
        if let Ok(released) = released {
            released.join().unwrap_or_else(|died| resume_unwind(died));
        }
        // Where no session or no line could be written that was said already.
        if outcome.indexed
            && let Err(error) = retention::apply(&log_dir, &plan.keep)
        {
            log::warn!("old sessions in {} can't be removed ({error})", plan.log_dir.display());
        }
        Ok(outcome)
    })
}

/// Starts the command as the root of a tree.
fn start(
    plan: &Plan,
    inherited: &Inherited,
    ends: &Ends,
    me: Identity,
    programs: &mut Programs,
) -> Result<Child, RunError> {
    programs.track_children_of(me)?;
    let child = Child::spawn(&plan.command, plan.user.as_ref(), inherited, ends);
    if let Err(error) = programs.stop_tracking_children_of(me.pid) {
        log::warn!("{error}; tracer itself seems to start processes");
    }
    Ok(child?)
}

/// tracer itself.
fn me() -> Identity {
    identity(std::process::id())
}

/// A process that is not waited for yet.
fn identity(pid: u32) -> Identity {
    Identity { pid, start: Stat::read(pid).map(|stat| stat.start).unwrap_or_default() }
}

/// This boot, as `/proc` names it.
fn boot_id() -> Arc<str> {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.unwrap_or_default().trim().into()
}
