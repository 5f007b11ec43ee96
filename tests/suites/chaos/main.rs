//! Kills at random moments of runs and of recoveries: whatever dies whenever, each session that was started is found once.
//!
//! A *step* starts one or two tracers, kills them, recovers in one way or another, often killed in the middle, and then lets one
//! recovery end. What was started by then is not asked of tracer: the kernel tells (inotify(7)) which sidecars appeared, and the
//! command keeps a list of its own processes. Every process that a step starts is a descendant of this one and is
//! waited for, so none is left behind.
//!
//! `cargo xtask chaos --runs 2000` is this test with more runs; a failure ends with the command that repeats its step.
//!
//! - `moment`: when something is killed. `ground`: where.
//! - `step`: what is started and killed. `phase`: where a kill hit. `check`: what has to hold after it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by panicking, here with the seed beside the message"
)]

mod check;
mod ground;
mod moment;
mod phase;
mod step;

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ground::Ground;
use phase::Phase;
use step::Tally;

/// Runs of the ordinary suite.
const RUNS: u64 = 150;
/// After so many runs the log directory is begun anew, before retention removes from it.
const BATCH: u64 = 50;
/// From so many runs on each phase must have been hit, and some recoveries.
const ENOUGH: u64 = 100;
/// So many of those.
const RECOVERIES: u64 = 10;

#[test]
fn kills_at_any_moment_leave_each_started_session_once_and_whole() {
    let asked = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let clock = || u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
    let (runs, seed) =
        (asked("TRACER_CHAOS_RUNS").unwrap_or(RUNS), asked("TRACER_CHAOS_SEED").unwrap_or_else(clock));
    println!("chaos: {runs} runs, seed {seed}");
    step::adopt_orphans();
    step::be_quick();
    let (begin, mut tally, mut ground) = (Instant::now(), Tally::default(), Ground::new());
    // A phase that is short may be missed: then some more runs, which are as random.
    let missed = |tally: &Tally| {
        let is_missed = |phase| !tally.hit.contains_key(phase);
        runs >= ENOUGH && (Phase::ALL.iter().any(is_missed) || tally.recoveries[0] < RECOVERIES)
    };
    for number in (0..runs * 3).take_while(|number| *number < runs) {
        one(&mut ground, seed, number, &mut tally);
    }
    for number in runs..runs * 3 {
        if !missed(&tally) {
            break;
        }
        one(&mut ground, seed, number, &mut tally);
    }
    println!("{tally}chaos: {:.1} s", begin.elapsed().as_secs_f64());
    assert!(
        !missed(&tally),
        "some phase was never hit, or hardly a recovery; to repeat: cargo xtask chaos --runs {runs} --seed {seed}"
    );
}

/// One step, from a seed of its own, so that it can be repeated alone.
fn one(ground: &mut Ground, seed: u64, number: u64, tally: &mut Tally) {
    if number > 0 && number.is_multiple_of(BATCH) {
        *ground = Ground::new();
    }
    let seed = seed.wrapping_add(number);
    let _repeat = Repeat { seed, number };
    step::take(ground, fastrand::Rng::with_seed(seed), number, tally);
}

/// Says how to repeat a step that failed.
struct Repeat {
    seed: u64,
    number: u64,
}

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, number } = self;
            eprintln!("chaos: run {number} failed; to repeat it: cargo xtask chaos --runs 1 --seed {seed}");
        }
    }
}

/// Counts by name.
type Counts<T> = BTreeMap<T, u64>;
