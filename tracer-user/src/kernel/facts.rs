//! What the programs must know of the running kernel, read from its BTF: [`read_kernel_facts`].
//!
//! The table of fields is in [`table`]. Promises: every offset in the facts comes from this kernel; what tracer
//! cannot do without is there, or the error names kernel, struct and field; what it can do without is absent from
//! `KernelFacts::present` or from [`Tracepoints`], never guessed. Leaves to others: `KernelFacts::wake_at`, which is
//! a setting and not a fact; whether a tracepoint that exists can be attached to.

pub mod table;

#[cfg(test)]
mod tests;

use std::io;

use thiserror::Error;
use tracer_ebpf::facts::{Field, KernelFacts};

use super::btf::{Btf, BtfError, Image, Param};
use table::{Need, ROWS, Row};

/// The running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// For the programs; `wake_at` is 0 until the loader sets it.
    pub facts: KernelFacts,
    /// The optional tracepoints that it has.
    pub tracepoints: Tracepoints,
}

/// Which tracepoints a kernel has, beside fork, exec and exit, without which there is no [`Kernel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracepoints {
    /// `task_rename`: a process's name after exec.
    pub task_rename: bool,
    /// `signal_generate`: who sent the signal that killed a process.
    pub signal_generate: bool,
    /// `mark_victim`: the OOM killer's choice.
    pub mark_victim: bool,
}

/// Why the facts cannot be had.
#[derive(Debug, Error)]
pub enum FactsError {
    /// The kernel does not describe its types.
    #[error("kernel {release} has no BTF: {} does not exist; {NEEDS}=y", Image::KERNEL)]
    NoBtf {
        /// The kernel's release.
        release: String,
    },
    /// It does, but not to us.
    #[error("kernel {release}: cannot read {}", Image::KERNEL)]
    Unreadable {
        /// The kernel's release.
        release: String,
        /// Why.
        source: io::Error,
    },
    /// What it says is not understood.
    #[error("kernel {release}: cannot make sense of its BTF")]
    Malformed {
        /// The kernel's release.
        release: String,
        /// Why.
        source: BtfError,
    },
    /// A required structure does not exist.
    #[error("kernel {release}: there is no struct {of}; {NEEDS}")]
    NoStruct {
        /// The kernel's release.
        release: String,
        /// The structure.
        of: &'static str,
    },
    /// A required field does not exist under any name that it has had.
    #[error("kernel {release}: struct {of} has no field {}; {NEEDS}", alternatives(fields))]
    NoField {
        /// The kernel's release.
        release: String,
        /// The structure.
        of: &'static str,
        /// The field's names, the newest first.
        fields: &'static [&'static str],
    },
    /// A required tracepoint does not exist.
    #[error("kernel {release}: there is no tracepoint {name}; {NEEDS}")]
    NoTracepoint {
        /// The kernel's release.
        release: String,
        /// The tracepoint.
        name: &'static str,
    },
}

const NEEDS: &str = "tracer needs Linux 5.10 or newer with CONFIG_DEBUG_INFO_BTF";

fn alternatives(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [newest, older @ ..] => format!("{newest} (or {})", older.join(", ")),
    }
}

/// The running kernel's facts.
pub fn read_kernel_facts() -> Result<Kernel, FactsError> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    match Image::of_kernel() {
        Ok(image) => resolve(&image, &release),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(FactsError::NoBtf { release }),
        Err(source) => Err(FactsError::Unreadable { release, source }),
    }
}

/// The facts of a kernel with this BTF and this release.
pub fn resolve(btf: &[u8], release: &str) -> Result<Kernel, FactsError> {
    let release = release.to_owned();
    let btf = match Btf::scan(btf, &structs(), &TYPEDEFS) {
        Ok(btf) => btf,
        Err(source) => return Err(FactsError::Malformed { release, source }),
    };
    for (typedef, name) in REQUIRED {
        if btf.params(typedef).is_none() {
            return Err(FactsError::NoTracepoint { release, name });
        }
    }
    let victim = btf.params(MARK_VICTIM);
    let mut facts = KernelFacts {
        exit_has_group_dead: btf.params(EXIT).is_some_and(|p| p.len() == 3).into(),
        mark_victim_is_task: victim.as_ref().is_some_and(|p| p.get(1) == Some(&Param::Pointer)).into(),
        upid_size: btf.size_of("upid").unwrap_or(0),
        k_sigaction_size: btf.size_of(K_SIGACTION).unwrap_or(0),
        preempted: preempts_programs(&release).into(),
        ..KernelFacts::NONE
    };
    for row in &ROWS {
        add(&mut facts, row, &btf, &release)?;
    }
    drop_unsized(&mut facts);
    let tracepoints = Tracepoints {
        task_rename: btf.params(TASK_RENAME).is_some(),
        signal_generate: btf.params(SIGNAL_GENERATE).is_some(),
        mark_victim: victim.is_some(),
    };
    Ok(Kernel { release, facts, tracepoints })
}

/// From 7.0 on tracepoints no longer disable preemption. BTF does not tell: it is about a macro.
fn preempts_programs(release: &str) -> bool {
    let major = release.split(|letter: char| !letter.is_ascii_digit()).next();
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 7)
}

/// A tracepoint `X` that programs can attach to has a `typedef void (*btf_trace_X)(void *, ...)`, whose parameters
/// after the first are what it passes (`__BPF_DECLARE_TRACE`, include/trace/bpf_probe.h).
const FORK: &str = "btf_trace_sched_process_fork";
const EXEC: &str = "btf_trace_sched_process_exec";
const EXIT: &str = "btf_trace_sched_process_exit";
const TASK_RENAME: &str = "btf_trace_task_rename";
const SIGNAL_GENERATE: &str = "btf_trace_signal_generate";
const MARK_VICTIM: &str = "btf_trace_mark_victim";
pub(super) const TYPEDEFS: [&str; 6] = [FORK, EXEC, EXIT, TASK_RENAME, SIGNAL_GENERATE, MARK_VICTIM];
const REQUIRED: [(&str, &str); 3] =
    [(FORK, "sched_process_fork"), (EXEC, "sched_process_exec"), (EXIT, "sched_process_exit")];

/// Element of `sighand_struct.action`; only its size is needed.
const K_SIGACTION: &str = "k_sigaction";

/// The structures of the table, each once, and those of which only the size is needed.
pub(super) fn structs() -> Vec<&'static str> {
    let mut names: Vec<_> = ROWS.iter().map(|row| row.of).chain([K_SIGACTION]).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn add(facts: &mut KernelFacts, row: &Row, btf: &Btf<'_>, release: &str) -> Result<(), FactsError> {
    if let Some(at) = row.paths.iter().find_map(|path| btf.offset_of(row.of, path)) {
        facts.present |= 1 << row.field as u32;
        facts.at[row.field as usize] = at;
        return Ok(());
    }
    let tolerable = match row.need {
        Need::Required => false,
        Need::WithoutGroupDead => facts.exit_has_group_dead == 1,
        Need::Optional => true,
    };
    if tolerable {
        Ok(())
    } else if btf.size_of(row.of).is_none() {
        Err(FactsError::NoStruct { release: release.to_owned(), of: row.of })
    } else {
        Err(FactsError::NoField { release: release.to_owned(), of: row.of, fields: row.paths })
    }
}

/// An array is of no use where the size of its elements is not known.
fn drop_unsized(facts: &mut KernelFacts) {
    let arrays = [(Field::PidNumbers, facts.upid_size), (Field::SighandAction, facts.k_sigaction_size)];
    for (array, _) in arrays.iter().filter(|(_, size)| *size == 0) {
        facts.present &= !(1 << *array as u32);
        facts.at[*array as usize] = 0;
    }
}
