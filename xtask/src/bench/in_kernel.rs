//! Kernel time a call of each program, from the kernel's own BPF statistics.
//!
//! One tracer, two spawners: one is its command, the other was started beside it. Blocks of theirs alternate, and the
//! counters are read before and after each. Whatever else runs on this machine calls the programs too, always as
//! strangers to the tree, so what their calls cost is known from the other blocks and is taken out.
//!
//! - [`statistics`]: switching them on, and off again whatever happens. [`counters`]: reading them.
//! - [`empty`]: a program that does nothing: what the statistics themselves cost, and a call at the least.

mod counters;
mod empty;
mod statistics;
mod syscall;

use std::ffi::OsString;

use anyhow::{Context, Result};

use super::ground::{Ground, command};
use super::report::{Beside, Line, Unit};
use super::sample::Sample;
use super::worker::Worker;
use counters::{Run, Runs};

/// Spawns of a block, and so calls of each program: few, so that being preempted spoils few blocks.
const BLOCK: u32 = 200;
/// Blocks of each spawner under one tracer.
const ROUNDS: usize = 12;
/// Tracers, one after the other: each time the kernel puts the programs elsewhere, and that alone moves a call by as much
/// as 20 ns.
const STARTS: usize = 5;
/// Nanoseconds a call for a process outside every tree.
const OUTSIDE: f64 = 60.0;

/// A program, and its budget inside a tree in nanoseconds a call.
const PROGRAMS: [(&str, &str, Option<f64>); 5] = [
    ("fork", "fork", Some(400.0)),
    ("exec", "exec with argv", Some(2000.0)),
    ("exit", "exit", Some(800.0)),
    ("rename", "rename (by exec itself: filtered)", None),
    ("signal", "signal (SIGCHLD: filtered)", None),
];

/// Processes of a large tree.
const CROWD: &str = "10000";

/// Measures all programs, outside and inside a tree.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    lines(&measure_rounds(ground, &ground.spawner(BLOCK))?, "")
}

/// The same while ten thousand more processes are in the tree.
pub(crate) fn measure_in_a_crowd(ground: &Ground) -> Result<Vec<Line>> {
    let rounds = measure_rounds(ground, &ground.in_a_crowd(CROWD, &ground.spawner(BLOCK)))?;
    lines(&rounds, ", 10,000 alive in it")
}

/// What the rounds show; `tree` is what there is to say of the tree.
fn lines(rounds: &[Round], tree: &str) -> Result<Vec<Line>> {
    let empty: Vec<f64> = rounds.iter().filter_map(|round| round.empty.nanoseconds_a_call()).collect();
    let empty = Sample::of(empty).context("the empty program was never called")?;
    let mut lines = Vec::new();
    for (name, what, _) in PROGRAMS {
        let outside = outside(rounds, name)?;
        let who = "an empty tracepoint program".to_owned();
        let beside = if lines.is_empty() { vec![Beside { who, measured: Ok(empty) }] } else { Vec::new() };
        let (unit, budget) = (Unit::Nanoseconds, Some(OUTSIDE));
        let what = format!("{what}, outside the tree{tree}");
        lines.push(Line { what, unit, measured: outside, budget, beside });
    }
    for (name, what, budget) in PROGRAMS {
        let strangers = outside(rounds, name)?.median;
        let own = |round: &Round| round.inside.get(name)?.own_nanoseconds_a_call(BLOCK.into(), strangers);
        let measured = Sample::of(rounds.iter().filter_map(own).collect());
        let measured = measured.with_context(|| format!("{name} was never called for the tree"))?;
        let (what, unit) = (format!("{what}, in the tree{tree}"), Unit::Nanoseconds);
        lines.push(Line { what, unit, measured, budget, beside: Vec::new() });
    }
    Ok(lines)
}

/// What the programs did while each spawner had its turn.
struct Round {
    outside: Runs,
    inside: Runs,
    empty: Run,
}

fn outside(rounds: &[Round], name: &str) -> Result<Sample> {
    let a_call = rounds.iter().filter_map(|round| round.outside.get(name)?.nanoseconds_a_call());
    Sample::of(a_call.collect()).with_context(|| format!("{name} was never called"))
}

fn measure_rounds(ground: &Ground, in_the_tree: &[OsString]) -> Result<Vec<Round>> {
    let _on = statistics::enable()?;
    let mut rounds = Vec::new();
    for _ in 0..STARTS {
        rounds.extend(rounds_of_one_tracer(ground, in_the_tree)?);
    }
    Ok(rounds)
}

fn rounds_of_one_tracer(ground: &Ground, in_the_tree: &[OsString]) -> Result<Vec<Round>> {
    let empty = empty::Program::attach(c"sched_process_exit")?;
    let mut inside = Worker::start(ground.traced(in_the_tree))?;
    let mut outside = Worker::start(command(&ground.spawner(BLOCK)))?;
    for worker in [&mut inside, &mut outside] {
        worker.ask()?;
    }
    let tracer = counters::of_process(inside.pid())?;
    let mut rounds = Vec::new();
    for _ in 0..ground.repetitions(ROUNDS) {
        let (start, start_empty) = (tracer.read()?, empty.run()?);
        outside.ask()?;
        let (middle, end_empty) = (tracer.read()?, empty.run()?);
        inside.ask()?;
        let end = tracer.read()?;
        let (outside, inside) = (counters::between(&start, &middle), counters::between(&middle, &end));
        rounds.push(Round { outside, inside, empty: end_empty.since(start_empty) });
    }
    outside.finish()?;
    inside.finish()?;
    Ok(rounds)
}
