//! How much slower a program that does nothing but spawn gets under tracer: the worst case for it.

use anyhow::Result;

use super::contest::Contest;
use super::ground::Ground;
use super::peers;
use super::report::{Line, Unit};
use super::worker;

/// Spawns a block: a tenth of a second, so that a disturbance spoils one round only.
const BLOCK: u32 = 1000;
const ROUNDS: usize = 40;
/// Times as long as without.
const BUDGET: f64 = 1.03;

/// Measures blocks of posix_spawn of a static no-op.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let rounds = ground.repetitions(ROUNDS);
    let words = ground.spawner(BLOCK);
    let (compare, peers) = (|with, bare| with / bare, peers::all());
    let contest = Contest { ground, words, time: worker::once, rounds, compare, peers };
    let what = format!("{rounds} x {BLOCK} posix_spawn of a static no-op, against none");
    contest.hold(&what, Unit::Times, BUDGET)
}
