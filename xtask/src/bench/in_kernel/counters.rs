//! How often each program of a process ran, and for how long (`bpf_prog_show_fdinfo`, kernel/bpf/syscall.c).
//!
//! Where the kernel may preempt a program at work (Linux 7.0 and later), each has copies on the same tracepoint, which look
//! whether the first did the work. All together are what an event costs, and so what is counted as a call.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Calls of a program and the time that they took together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    nanoseconds: u64,
    calls: u64,
}

/// The name of the first copy: that of another without its number.
fn first_of(name: &str) -> &str {
    name.rsplit_once('_').filter(|(_, number)| number.parse::<u8>().is_ok()).map_or(name, |(first, _)| first)
}

/// Of each program, by its name.
pub(super) type Runs = BTreeMap<String, Run>;

impl Run {
    /// What came after `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            nanoseconds: self.nanoseconds.saturating_sub(earlier.nanoseconds),
            calls: self.calls.saturating_sub(earlier.calls),
        }
    }

    /// A copy's and another's, which run one after the other at each event. The kernel skips one that is at work: the other
    /// then saw an event more, and no event is seen twice.
    fn beside(self, other: Self) -> Self {
        Self { nanoseconds: self.nanoseconds + other.nanoseconds, calls: self.calls.max(other.calls) }
    }

    /// The mean; none of no call.
    pub(super) fn nanoseconds_a_call(self) -> Option<f64> {
        (self.calls > 0).then(|| self.nanoseconds as f64 / self.calls as f64)
    }

    /// The mean of `own` calls, where all others took `strangers` nanoseconds each. None if not all own calls are here.
    pub(super) fn own_nanoseconds_a_call(self, own: u64, strangers: f64) -> Option<f64> {
        let others = self.calls.checked_sub(own)? as f64;
        (own > 0).then(|| (self.nanoseconds as f64 - others * strangers) / own as f64)
    }
}

/// The descriptors of a process's programs.
pub(super) struct Programs(Vec<(String, PathBuf)>);

/// The programs that a process holds. Their names are not in fdinfo, so the kernel is asked for them.
pub(super) fn of_process(pid: u32) -> Result<Programs> {
    let mut names = BTreeMap::new();
    for program in aya::programs::loaded_programs() {
        let program = program.context("cannot ask the kernel for its BPF programs")?;
        names.insert(program.id(), program.name_as_str().unwrap_or_default().to_owned());
    }
    let directory = format!("/proc/{pid}/fdinfo");
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("cannot list {directory}"))? {
        let path = entry.with_context(|| format!("cannot list {directory}"))?.path();
        // What tracer opens for a moment may be closed again.
        if let Some((id, _)) = read(&path)?
            && let Some(name) = names.get(&id)
        {
            found.push((name.clone(), path));
        }
    }
    if found.is_empty() {
        bail!("process {pid} holds no BPF program: is it still running?");
    }
    Ok(Programs(found))
}

impl Programs {
    /// Their counters now.
    pub(super) fn read(&self) -> Result<Runs> {
        let run = |(name, path): &(String, PathBuf)| {
            let (_, run) =
                read(path)?.with_context(|| format!("{} is no program any more", path.display()))?;
            Ok((name.clone(), run))
        };
        self.0.iter().map(run).collect()
    }
}

/// What the programs did between two readings, each with its copies if it has any.
pub(super) fn between(earlier: &Runs, later: &Runs) -> Runs {
    let mut between = Runs::new();
    for (name, run) in later {
        let run = run.since(earlier.get(name).copied().unwrap_or_default());
        let both = between.entry(first_of(name).to_owned()).or_default();
        *both = both.beside(run);
    }
    between
}

/// The id and the counters of the program behind a descriptor; none if it is something else, or closed.
pub(super) fn read(fdinfo: &Path) -> Result<Option<(u32, Run)>> {
    match fs::read_to_string(fdinfo) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", fdinfo.display())),
    }
}

/// A link has a `prog_id` too, but no counters.
fn parse(text: &str) -> Option<(u32, Run)> {
    let number = |key: &str| -> Option<u64> {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(name, _)| *name == key)?.1.trim().parse().ok()
    };
    let run = Run { nanoseconds: number("run_time_ns")?, calls: number("run_cnt")? };
    Some((number("prog_id")?.try_into().ok()?, run))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t2087\nprog_type:\t17\nprog_jited:\t1\n\
        prog_tag:\tb6d3ab8d1c6a9f6b\nmemlock:\t4096\nprog_id:\t48\nrun_time_ns:\t5000\nrun_cnt:\t20\n\
        recursion_misses:\t3\nverified_insns:\t512\n";

    #[test]
    fn a_program_is_told_from_a_link_and_from_a_file() {
        assert_eq!(parse(PROGRAM), Some((48, Run { nanoseconds: 5000, calls: 20 })));
        assert_eq!(parse("link_type:\traw_tracepoint\nlink_id:\t9\nprog_tag:\tb6d3\nprog_id:\t48\n"), None);
        assert_eq!(parse("pos:\t0\nflags:\t0100002\n"), None);
    }

    #[test]
    fn calls_of_strangers_are_taken_out() {
        let run = Run { nanoseconds: 100 * 300 + 50 * 20, calls: 150 };
        assert_eq!(run.own_nanoseconds_a_call(100, 20.0), Some(300.0));
        assert_eq!(run.own_nanoseconds_a_call(200, 20.0), None, "not all own calls were counted");
    }

    #[test]
    fn only_what_happened_between_two_readings_counts() {
        let runs = |nanoseconds, calls| Runs::from([("fork".to_owned(), Run { nanoseconds, calls })]);
        let between = between(&runs(100, 10), &runs(400, 20));
        assert_eq!(between["fork"].nanoseconds_a_call(), Some(30.0));
        assert_eq!(Run::default().nanoseconds_a_call(), None);
    }

    #[test]
    fn an_event_costs_what_all_copies_take_and_is_one_call() {
        let runs = |first, second| {
            let run = |[nanoseconds, calls]: [u64; 2]| Run { nanoseconds, calls };
            Runs::from([("fork".to_owned(), run(first)), ("fork_2".to_owned(), run(second))])
        };
        // The kernel skipped the first copy twice: the second saw twelve events, and did the work of two.
        let between = between(&runs([100, 10], [50, 10]), &runs([3100, 20], [650, 22]));
        assert_eq!(between.keys().collect::<Vec<_>>(), ["fork"]);
        assert_eq!(between["fork"].nanoseconds_a_call(), Some((3000.0 + 600.0) / 12.0));
        assert_eq!(between["fork"].own_nanoseconds_a_call(12, 0.0), Some(300.0));
    }
}
