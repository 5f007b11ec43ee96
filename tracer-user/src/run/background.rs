//! Recovery beside a run: what killed tracers left becomes sessions while the command runs.
//!
//! It begins after the command was started, on a thread of its own, and can't fail the run: what goes wrong is one warning.
//! A run that ends first waits for it for a short time, so that many short runs recover too; then it goes, with whatever is
//! under way. That is safe: the next start goes on where this one stopped. What is in its place by then is not made again, and
//! what takes long comes last, so that it is not in the way of all others each time. What takes longer than any run waits
//! would be begun each time and never done, so it is told of.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::plan::Plan;
use crate::recover::gates::Action;
use crate::recover::scan::Ground;
use crate::recover::under_way::UnderWay;
use crate::recover::{MIN_AGE, RecoverError, Report, Request, Reserved, recover};
use crate::session::text::for_terminal;

/// How long a run that has ended waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is under way for this long takes long; many others take less each.
const LONG: Duration = Duration::from_secs(1);

/// A recovery under way.
pub(super) struct Background {
    stop: Arc<AtomicBool>,
    done: Option<Receiver<()>>,
    under_way: UnderWay,
    tmpfs_path: PathBuf,
}

impl Background {
    /// Begins.
    pub(super) fn start(plan: &Plan) -> Self {
        let request = Request {
            tmpfs_path: plan.tmpfs_path.clone(),
            log_dir: None,
            default_log_dir: Some(plan.log_dir.clone()),
            min_age: MIN_AGE,
            dry_run: false,
            reserved: Some(Reserved { id: plan.session_id.clone(), log_dir: plan.log_dir.clone() }),
            under_way: UnderWay::default(),
        };
        let under_way = request.under_way.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, done) = channel();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("tracer-recover".to_owned());
        let started = thread.spawn(move || {
            work(&request, &stopped);
            // Nobody may wait any more.
            let _ = tell.send(());
        });
        if let Err(error) = &started {
            log::warn!("no thread for recovery ({error}); run: tracer recover");
        }
        Self { stop, done: started.is_ok().then_some(done), under_way, tmpfs_path: plan.tmpfs_path.clone() }
    }

    /// The run has ended: waits a little.
    pub(super) fn end(self) {
        if let Some(done) = &self.done {
            // Out of patience is no failure: the rest is for the next start, but for what takes longer each time.
            if done.recv_timeout(PATIENCE).is_err() {
                self.tell_what_is_left();
            }
        }
        self.stop.store(true, Ordering::Relaxed);
    }

    /// A file that takes too long each time, or that there are many.
    fn tell_what_is_left(&self) {
        let not_done =
            format!("what killed tracers left is not recovered {} s after this run", PATIENCE.as_secs());
        if let Some(file) = self.under_way.file_for(LONG) {
            log::warn!("{not_done}: it takes its time over {file}; run: tracer recover");
            return;
        }
        // By their names alone: some may be of runs that are on.
        let ground = Ground::open(&self.tmpfs_path).ok().flatten();
        match ground.and_then(|ground| ground.sidecars().ok()) {
            Some(0) | None => log::info!("{not_done}; the next run goes on, or: tracer recover"),
            Some(many) => log::warn!(
                "{not_done}: up to {many} crashed sessions are left; the next run goes on, or: tracer recover"
            ),
        }
    }
}

fn work(request: &Request, stop: &AtomicBool) {
    let (mut failed, mut first) = (0_u64, None);
    let told = recover(request, stop, |report| match report {
        Report { error: Some(error), file, .. } => {
            failed += 1;
            first.get_or_insert_with(|| format!("{file}: {error}"));
        }
        Report { decision, session: Some(place), .. } if decision.action == Action::Finish => {
            log::info!("recovered {}", place.display());
        }
        _ => {}
    });
    match (told, first) {
        // The run says so itself: it needs the same directory.
        (Err(error @ RecoverError::RuntimeDir(_)), _) => log::info!("nothing was recovered: {error}"),
        (Err(error), _) => log::warn!("nothing was recovered: {error}"),
        (Ok(()), Some(first)) => {
            let others = if failed > 1 { format!(" and {} others", failed - 1) } else { String::new() };
            let first = for_terminal(first.as_bytes());
            log::warn!("a session that was left behind can't be recovered: {first}{others}");
        }
        (Ok(()), None) => {}
    }
}
