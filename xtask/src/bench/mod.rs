//! The bench: each figure of the budget table, beside its budget and its peers, all from one run on one machine.
//!
//! Machines are noisy, and more so virtual ones. So nothing is measured once: contenders take turns in short blocks,
//! each block is compared with its neighbours of the same round, and what is printed is the median of these
//! comparisons with its quartiles. A disturbance then spoils a round, not the result.
//!
//! What is no median says so: what was lost is added up, as a median would hide one loss; the row `load` is ten minutes once; of
//! the runs in `resolution` the percentiles are the figure; and least times are shown beside medians.
//!
//! - [`ROWS`]: what is measured. A new row is a file with a function `measure`, and a line there.
//! - [`in_kernel`], [`spawns`], [`startup`], [`storm`], [`load`], [`resolution`], [`snapshot`], [`sampling`], [`memory`], [`spool`],
//!   [`recovery`]: the rows.
//! - [`contest`]: who takes turns; [`ground`], [`private`]: where it happens; [`worker`]: programs that do a block of work when asked; [`peers`], [`psutil`]: what others do.
//! - [`sample`]: medians and quartiles; [`report`], [`table`], [`chart`]: what comes out.

pub(crate) mod chart;
mod contest;
pub(crate) mod ground;
mod in_kernel;
mod load;
mod memory;
mod peers;
pub(crate) mod private;
mod psutil;
mod recovery;
pub(crate) mod report;
mod resolution;
mod sample;
mod sampling;
mod snapshot;
mod spawns;
mod spool;
mod startup;
mod storm;
pub(crate) mod table;
mod worker;

use anyhow::Result;

use ground::{Ground, Test};
use report::Line;

/// Something to measure.
pub(crate) struct Row {
    /// What it is called on the command line and in the report.
    pub(crate) name: &'static str,
    /// The same in words.
    pub(crate) what: &'static str,
    /// What is built for it beside tracer.
    pub(crate) needs: &'static [Test],
    /// Measures it.
    pub(crate) measure: fn(&Ground) -> Result<Vec<Line>>,
}

/// Everything there is to measure.
#[rustfmt::skip]
pub(crate) const ROWS: [Row; 12] = [
    Row { name: "in-kernel", what: "kernel time a call of each program", needs: &[], measure: in_kernel::measure },
    Row { name: "in-kernel-crowd", what: "the same with 10,000 processes in the tree", needs: &[], measure: in_kernel::measure_in_a_crowd },
    Row { name: "spawns", what: "spawning under tracer, against none", needs: &[], measure: spawns::measure },
    Row { name: "startup", what: "`tracer run -- true` over `true`", needs: &[], measure: startup::measure },
    Row { name: "storm", what: "events lost while every core forks", needs: &[], measure: storm::measure },
    Row { name: "resolution", what: "from exec until the target is known", needs: &[], measure: resolution::measure },
    Row { name: "snapshot", what: "a snapshot, against its bare system calls", needs: &[Test::Cost], measure: snapshot::measure },
    Row { name: "sampling", what: "looking at 1,000 processes each second", needs: &[], measure: sampling::measure },
    Row { name: "memory", what: "tracer's own, 10,000 processes in the tree", needs: &[], measure: memory::measure },
    Row { name: "spool", what: "a line of the spool, serialised and written", needs: &[Test::Cost], measure: spool::measure },
    Row { name: "recovery", what: "a thousand crashes at once", needs: &[], measure: recovery::measure },
    Row { name: "load", what: "ten minutes of storms, the live suite `load`", needs: &[Test::Load], measure: load::measure },
];

/// What may be asked for.
pub(crate) fn names() -> [&'static str; ROWS.len()] {
    ROWS.map(|row| row.name)
}
