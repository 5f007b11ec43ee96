//! One step: what is started, what is killed, and who recovers.

use std::fmt;
use std::process::Child;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{
    Pid, Signal, WaitOptions, kill_process, kill_process_group, set_child_subreaper, wait,
};

use crate::Counts;
use crate::check;
use crate::ground::Ground;
use crate::moment::{Moment, await_end};
use crate::phase::{self, Left, Phase};

/// What the steps came to.
#[derive(Default)]
pub(crate) struct Tally {
    /// Kills by the phase that they hit.
    pub(crate) hit: Counts<Phase>,
    /// Runs that had ended before.
    ended: u64,
    /// Recoveries that were killed, and that had ended before.
    pub(crate) recoveries: [u64; 2],
    /// Sessions by how they came about.
    pub(crate) sessions: Counts<&'static str>,
    ways: Counts<&'static str>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "chaos: kills of tracer by phase")?;
        let most = self.hit.values().max().copied().unwrap_or(1);
        for phase in Phase::ALL {
            let count = self.hit.get(&phase).copied().unwrap_or(0);
            let bar = usize::try_from((count * 40).div_ceil(most)).unwrap_or(0);
            writeln!(f, "  {:<10} {count:>5} {}", format!("{phase:?}"), "#".repeat(bar))?;
        }
        let [killed, late] = self.recoveries;
        writeln!(f, "  ended before {:>3}", self.ended)?;
        writeln!(f, "chaos: recoveries killed {killed}, ended before {late}")?;
        writeln!(f, "chaos: {:?}, {:?}", self.ways, self.sessions)
    }
}

/// A run of a step, and what became of it.
pub(crate) struct Run {
    /// Its session.
    pub(crate) id: String,
    /// Whether its tree was killed with it.
    pub(crate) with_tree: bool,
    /// What it left; `None`: it was not killed.
    pub(crate) left: Option<Left>,
}

/// Whatever loses its parent is ours from now on, so all of it can be waited for.
pub(crate) fn adopt_orphans() {
    set_child_subreaper(Some(Pid::INIT)).unwrap();
}

/// From now on this thread runs whenever it is woken, but not what it starts (sched(7)): some phases last 50 µs.
pub(crate) fn be_quick() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the pointer is to a local; 0 is the calling thread.
    let set = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const priority)
    };
    assert_eq!(set, 0, "sched_setscheduler: {}", std::io::Error::last_os_error());
}

/// Takes a step.
pub(crate) fn take(ground: &mut Ground, mut rng: Rng, number: u64, tally: &mut Tally) {
    let mut step = Step { ground, rng: &mut rng, tally, runs: Vec::new(), number };
    step.kill_runs();
    step.recover();
    let Step { ground, runs, tally, .. } = step;
    await_orphans();
    ground.outcome.age();
    check::check(ground, &runs, tally);
}

struct Step<'a> {
    ground: &'a mut Ground,
    rng: &'a mut Rng,
    tally: &'a mut Tally,
    runs: Vec<Run>,
    number: u64,
}

impl Step<'_> {
    fn kill_runs(&mut self) {
        let at_once = if self.rng.u8(..5) == 0 { 2 } else { 1 };
        self.ground.watch.history.clear();
        let loud = self.rng.u8(..3) == 0;
        let started: Vec<_> = (0..at_once).map(|_| self.start(loud)).collect();
        for (id, child, start) in started {
            let moment = Moment::of_run(self.rng, self.ground.life, loud);
            let with_tree = self.rng.u8(..3) == 0;
            self.kill_run(id, child, start, moment, with_tree);
        }
    }

    fn start(&mut self, loud: bool) -> (String, Child, Instant) {
        let letter = char::from(b'a' + u8::try_from(self.runs.len()).unwrap());
        let id = format!("chaos-{}{letter}", self.number);
        // Its place among the runs, until it is known what became of it.
        self.runs.push(Run { id: id.clone(), with_tree: false, left: None });
        let start = Instant::now();
        (id.clone(), self.ground.start(&id, loud), start)
    }

    fn kill_run(&mut self, id: String, mut child: Child, start: Instant, moment: Moment, with_tree: bool) {
        moment.wait(&child, &id, &mut self.ground.watch, start);
        let killed = kill(&mut child, with_tree);
        let left = killed.then(|| phase::left(self.ground, &id));
        match left {
            Some(left) => *self.tally.hit.entry(left.phase).or_default() += 1,
            None => self.tally.ended += 1,
        }
        let run = self.runs.iter_mut().find(|run| run.id == id).unwrap();
        *run = Run { id, with_tree, left };
    }

    /// Some recoveries that may be killed. The one that may not comes after them.
    fn recover(&mut self) {
        let way = match self.rng.u8(..8) {
            0 => "none before the last",
            1 => {
                // Whoever still lives is left alone.
                assert_eq!(self.ground.outcome.recover([]).code, Some(0));
                "early"
            }
            2..=4 => {
                await_orphans();
                for _ in 0..self.rng.u8(1..4) {
                    self.kill_recovery();
                }
                "killed"
            }
            5 => {
                await_orphans();
                let all = self.ground.outcome.recover_at_once(3);
                assert!(all.iter().all(|one| one.code == Some(0)), "{all:?}");
                "three at once"
            }
            6 => {
                await_orphans();
                self.ground.outcome.age();
                let (_, mut child, _) = self.start(false);
                assert!(await_end(&mut child).success());
                "by the next run"
            }
            _ => {
                await_orphans();
                self.ground.outcome.age();
                self.kill_next_run();
                "by the next run, killed"
            }
        };
        *self.tally.ways.entry(way).or_default() += 1;
    }

    fn kill_recovery(&mut self) {
        self.ground.watch.read();
        self.ground.watch.history.clear();
        let (id, start) = (self.runs[0].id.clone(), Instant::now());
        let mut child = self.ground.outcome.start_recovery([]);
        Moment::of_recovery(self.rng).wait(&child, &id, &mut self.ground.watch, start);
        self.tally.recoveries[usize::from(!kill(&mut child, false))] += 1;
    }

    /// Its recovery begins after its command: the sights are those of the session before.
    fn kill_next_run(&mut self) {
        self.ground.watch.read();
        self.ground.watch.history.clear();
        let before = self.runs[0].id.clone();
        let (id, child, start) = self.start(false);
        let moment = match Moment::of_recovery(self.rng) {
            Moment::After(time) => Moment::After(self.ground.life / 2 + time),
            seen => seen,
        };
        moment.wait(&child, &before, &mut self.ground.watch, start);
        self.kill_run(id, child, start, Moment::After(Duration::ZERO), false);
    }
}

/// Kills a child, or its whole process group at once as the kernel kills a cgroup. Whether that is what ended it.
fn kill(child: &mut Child, with_tree: bool) -> bool {
    use std::os::unix::process::ExitStatusExt;
    // It is not waited for yet, so the pid is still its own.
    let pid = Pid::from_child(child);
    let sent =
        if with_tree { kill_process_group(pid, Signal::KILL) } else { kill_process(pid, Signal::KILL) };
    sent.unwrap();
    let status = await_end(child);
    assert!(status.success() || status.signal() == Some(9), "a run or recovery failed by itself: {status}");
    !status.success()
}

/// Waits for all that is left of the trees of this step. The workload ends itself in time.
fn await_orphans() {
    while wait(WaitOptions::empty()).is_ok() {}
}
