//! Loads the programs, tells them about the kernel, attaches them, and hands out their maps.
//!
//! The object is the committed one, compiled into the binary; `TRACER_BPF_OBJECT` names another file, for the check
//! that rebuilds it. Nothing is pinned: when this process ends, however it ends, the kernel removes everything.

use std::os::fd::AsRawFd;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use aya::maps::{Array, HashMap, MapData, PerCpuArray, RingBuf};
use aya::programs::raw_trace_point::RawTracePointLink;
use aya::programs::{ProgramError, RawTracePoint};
use aya::{Ebpf, EbpfError, EbpfLoader};
use aya_log::EbpfLogger;
use tracer_ebpf::count::Counters;
use tracer_ebpf::member::{Member, SLOTS, SPAWNER, Slots, TAKEN, entries_with_marks, slot};
use tracer_ebpf::names;

use super::facts::{FactsError, Kernel, read_kernel_facts};
use super::loss::Loss;
use super::{fdinfo, quiet_aya};
use crate::process::identity::Identity;

/// How large the maps are, and how much the programs say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of the ring of fork, exit and oom records: a power of two, a page at least.
    pub life_ring: u32,
    /// Bytes of the ring of exec, rename and signal records: a power of two, a page at least.
    pub detail_ring: u32,
    /// Live processes that the tree can hold.
    pub processes: u32,
    /// The programs' own diagnostics.
    pub diagnostics: log::LevelFilter,
    /// An object file to load instead of the one in the binary.
    pub object: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            life_ring: 2 << 20,
            detail_ring: 4 << 20,
            processes: 16384,
            diagnostics: log::LevelFilter::Off,
            object: None,
        }
    }
}

/// Why the programs do not run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel lacks something, or does not describe itself.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The object file that was asked for can't be read.
    #[error("cannot read the BPF object {path}")]
    Object {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The object was refused as a whole: its maps could not be made.
    #[error("the kernel did not take the BPF object")]
    Load(#[source] Box<EbpfError>),
    /// The kernel's verifier refused a program; what it said went to the log.
    #[error("the kernel's verifier refused the program on {tracepoint}")]
    Verifier {
        /// The tracepoint.
        tracepoint: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A program could not be loaded or attached.
    #[error("the kernel did not take the program on {tracepoint}")]
    Program {
        /// The tracepoint.
        tracepoint: &'static str,
        /// Why.
        source: Box<ProgramError>,
    },
    /// A map can't be used.
    #[error("the BPF map {name} can't be used")]
    Map {
        /// Its name.
        name: &'static str,
        /// Why.
        source: Box<aya::maps::MapError>,
    },
    /// The programs' own diagnostics can't be read.
    #[error("the programs' own diagnostics can't be read")]
    Diagnostics(#[source] aya_log::Error),
    /// The object is not the one that this binary was built with.
    #[error("the BPF object has no {name}: it is not the one of this build")]
    Missing {
        /// What it has not.
        name: &'static str,
    },
}

/// A program, its copies, and the tracepoint that they run on.
struct Probe {
    tracepoint: &'static str,
    first: &'static str,
    /// In the order in which they are attached.
    others: &'static [&'static str],
}

const PROBES: [Probe; 6] = [
    Probe { tracepoint: "sched_process_fork", first: "fork", others: &["fork_2"] },
    Probe { tracepoint: "sched_process_exec", first: "exec", others: &["exec_2"] },
    Probe { tracepoint: "sched_process_exit", first: "exit", others: &["exit_2", "exit_3", "exit_4"] },
    Probe { tracepoint: "task_rename", first: "rename", others: &["rename_2"] },
    Probe { tracepoint: "signal_generate", first: "signal", others: &["signal_2"] },
    Probe { tracepoint: "mark_victim", first: "oom", others: &["oom_2"] },
];

/// The object, aligned as ELF demands.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../tracer-ebpf/prebuilt/tracer.bpf.o");

/// The programs at work.
pub struct Programs {
    /// The kernel that they run on.
    pub kernel: Kernel,
    ebpf: Ebpf,
    links: Vec<RawTracePointLink>,
    processes: usize,
    tree: HashMap<MapData, u32, Member>,
    slots: Array<MapData, Slots>,
    eager: Array<MapData, u32>,
    counts: PerCpuArray<MapData, Counters>,
    /// What the kernel skipped before anything was tracked.
    skipped_before: u64,
    diagnostics: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl Programs {
    /// Loads and attaches. Nothing is tracked yet.
    pub fn load(settings: &Settings) -> Result<Self, LoadError> {
        quiet_aya::with_memlock_put_back(|| Self::load_now(settings))
    }

    fn load_now(settings: &Settings) -> Result<Self, LoadError> {
        let mut kernel = read_kernel_facts()?;
        kernel.facts.slots_are_own = u32::from(pid_max().is_some_and(|pid_max| pid_max as usize <= SLOTS));
        kernel.facts.wake_at = settings.life_ring.min(settings.detail_ring) / 4;
        let mut ebpf = load_object(settings, &kernel)?;
        let links = attach(&mut ebpf, &kernel)?;
        let diagnostics = diagnostics(&mut ebpf, settings)?;
        let tree = map(&mut ebpf, names::TREE)?;
        let slots = map(&mut ebpf, names::SLOTS)?;
        let eager = map(&mut ebpf, names::EAGER)?;
        let counts = map(&mut ebpf, names::COUNTS)?;
        let processes = usize::try_from(settings.processes).unwrap_or(usize::MAX);
        Ok(Self {
            kernel,
            ebpf,
            links,
            processes,
            tree,
            slots,
            eager,
            counts,
            skipped_before: 0,
            diagnostics,
        })
    }

    /// From now on each child of `spawner` is the root of a tree. To be called before anything is tracked.
    pub fn track_children_of(&mut self, spawner: Identity) -> Result<(), LoadError> {
        let entry = Member { flags: SPAWNER, start_ns: spawner.start.to_boot_ns(), ..Member::default() };
        // Nothing is skipped where programs are not preempted, but for what an interrupt does.
        if self.kernel.facts.preempted != 0 {
            self.skipped_before = self.loss(&[])?.skipped;
        }
        let mut slots = Box::new(Slots { taken: [0; SLOTS] });
        slots.taken[slot(spawner.pid)] = 1;
        self.slots.set(TAKEN, *slots, 0).map_err(map_error(names::SLOTS))?;
        self.tree.insert(spawner.pid, entry, 0).map_err(map_error(names::TREE))
    }

    /// Undoes [`Self::track_children_of`]; who is in a tree stays there.
    pub fn stop_tracking_children_of(&mut self, pid: u32) -> Result<(), LoadError> {
        self.tree.remove(&pid).map_err(map_error(names::TREE))
    }

    /// Who is in the tree at this moment, whatever was read of its events, and how many generations below the root. While
    /// members come and go, one may be named twice, and one that has just come not at all.
    pub fn members(&self) -> impl Iterator<Item = (Identity, u16)> {
        // Where the entry that was named last is gone, the kernel begins anew, so there has to be an end to it.
        let entries = self.tree.iter().take(self.processes.saturating_mul(2));
        entries
            .filter_map(Result::ok)
            .filter(|(_, member)| member.flags & SPAWNER == 0)
            .map(|(pid, member)| (Identity::from_kernel(pid, member.start_ns), member.depth))
    }

    /// Whether each exec wakes the reader at once.
    pub fn wake_at_each_exec(&mut self, eager: bool) -> Result<(), LoadError> {
        self.eager.set(0, u32::from(eager), 0).map_err(map_error(names::EAGER))
    }

    /// One of the rings.
    pub(super) fn ring(&mut self, name: &'static str) -> Result<RingBuf<MapData>, LoadError> {
        map(&mut self.ebpf, name)
    }

    /// Passes on what the programs themselves had to say.
    pub fn flush_diagnostics(&mut self) {
        if let Some(logger) = &mut self.diagnostics {
            logger.flush();
        }
    }

    /// Detaches: no event is made after this. Counters stay readable.
    pub fn detach(&mut self) {
        self.links.clear();
    }

    /// What was lost, where `received` records of each CPU arrived. Exact once the programs are detached and
    /// everything was read.
    pub fn loss(&self, received: &[u64]) -> Result<Loss, LoadError> {
        let counters = self.counts.get(&0, 0).map_err(map_error(names::COUNTS))?;
        Ok(Loss::account(&counters, received, self.skipped().saturating_sub(self.skipped_before)))
    }

    /// How often the kernel skipped the first copy of a program, because it was at work on that CPU (Linux 5.12 and later
    /// say so).
    fn skipped(&self) -> u64 {
        let firsts = PROBES.iter().filter_map(|probe| self.ebpf.program(probe.first));
        firsts
            .filter_map(|program| program.fd().ok())
            .filter_map(|fd| fdinfo::number(std::os::fd::AsFd::as_fd(fd).as_raw_fd(), "recursion_misses"))
            .sum()
    }
}

/// The limit that this kernel keeps process ids below.
fn pid_max() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/kernel/pid_max").ok()?.trim().parse().ok()
}

fn load_object(settings: &Settings, kernel: &Kernel) -> Result<Ebpf, LoadError> {
    let diagnostics = settings.diagnostics as u8;
    let mut loader = quiet_aya::without_kernel_btf(EbpfLoader::new);
    loader
        .btf(None)
        .override_global(names::FACTS, &kernel.facts, true)
        .override_global(aya_log::LEVEL, &diagnostics, true)
        .map_max_entries(names::LIFE, settings.life_ring)
        .map_max_entries(names::DETAIL, settings.detail_ring)
        .map_max_entries(names::TREE, settings.processes);
    if kernel.facts.preempted != 0 {
        loader.map_max_entries(names::SLOTS, entries_with_marks(pid_max()));
    }
    if settings.diagnostics == log::LevelFilter::Off {
        loader.map_max_entries(
            names::DIAGNOSTICS,
            u32::try_from(rustix::param::page_size()).unwrap_or(1 << 16),
        );
    }
    let loaded = match &settings.object {
        None => loader.load(OBJECT),
        Some(path) => {
            let read = std::fs::read(path);
            loader.load(&read.map_err(|source| LoadError::Object { path: path.clone(), source })?)
        }
    };
    loaded.map_err(|error| LoadError::Load(Box::new(error)))
}

/// Made after the programs are loaded: it takes a map that they need. Without it their words cost nothing: the level
/// is a constant to the verifier, which drops the branches.
fn diagnostics(
    ebpf: &mut Ebpf,
    settings: &Settings,
) -> Result<Option<EbpfLogger<&'static dyn log::Log>>, LoadError> {
    if settings.diagnostics == log::LevelFilter::Off {
        return Ok(None);
    }
    EbpfLogger::init(ebpf).map(Some).map_err(LoadError::Diagnostics)
}

fn attach(ebpf: &mut Ebpf, kernel: &Kernel) -> Result<Vec<RawTracePointLink>, LoadError> {
    let has = |tracepoint| match tracepoint {
        "task_rename" => kernel.tracepoints.task_rename,
        "signal_generate" => kernel.tracepoints.signal_generate,
        "mark_victim" => kernel.tracepoints.mark_victim,
        _ => true,
    };
    let probes: Vec<_> = PROBES.into_iter().filter(|probe| has(probe.tracepoint)).collect();
    let firsts = probes.iter().map(|probe| (probe.first, probe.tracepoint));
    // A copy has to come after those before it: the kernel runs them in the order in which they were attached.
    let preempted = probes.iter().filter(|_| kernel.facts.preempted != 0);
    let others = preempted.flat_map(|probe| probe.others.iter().map(|other| (*other, probe.tracepoint)));
    let programs: Vec<_> = firsts.chain(others).collect();
    // Loading takes time, in which a first copy would be without the others.
    load_all(ebpf, &programs)?;
    let mut links = Vec::with_capacity(programs.len());
    for (name, tracepoint) in programs {
        let program = program(ebpf, name, tracepoint)?;
        let link = program.attach(tracepoint).and_then(|link| program.take_link(link));
        links.push(link.map_err(|error| refusal(tracepoint, error))?);
    }
    Ok(links)
}

/// Loads these programs, two at a time: the kernel checks each on the processor of whoever loads it, for up to a millisecond.
fn load_all(ebpf: &mut Ebpf, wanted: &[(&'static str, &'static str)]) -> Result<(), LoadError> {
    let mut programs = Vec::with_capacity(wanted.len());
    for (name, program) in ebpf.programs_mut() {
        if let Some(place) = wanted.iter().position(|(wanted, _)| *wanted == name) {
            let program = <&mut RawTracePoint>::try_from(program);
            programs.push((place, program.map_err(|error| refusal(wanted[place].1, error))?));
        }
    }
    programs.sort_unstable_by_key(|(place, _)| *place);
    let queue = Mutex::new(programs.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let load = || {
        while let Some((place, program)) = next() {
            let tracepoint = wanted[place].1;
            program.load().map_err(|error| refusal(tracepoint, error))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        // Without it this only takes longer.
        let helper = thread::Builder::new().name("tracer-load".to_owned()).spawn_scoped(scope, load);
        let own = load();
        let others = helper.map_or(Ok(()), |helper| helper.join().unwrap_or_else(|died| resume_unwind(died)));
        own.and(others)
    })
}

fn program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
    tracepoint: &'static str,
) -> Result<&'a mut RawTracePoint, LoadError> {
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing { name })?;
    program.try_into().map_err(|error| refusal(tracepoint, error))
}

fn refusal(tracepoint: &'static str, error: ProgramError) -> LoadError {
    match error {
        ProgramError::LoadError { io_error, verifier_log } if !verifier_log.to_string().is_empty() => {
            log::debug!("{tracepoint}: {verifier_log}");
            LoadError::Verifier { tracepoint, source: io_error }
        }
        error => LoadError::Program { tracepoint, source: Box::new(error) },
    }
}

fn map<T: TryFrom<aya::maps::Map, Error = aya::maps::MapError>>(
    ebpf: &mut Ebpf,
    name: &'static str,
) -> Result<T, LoadError> {
    let map = ebpf.take_map(name).ok_or(LoadError::Missing { name })?;
    T::try_from(map).map_err(map_error(name))
}

fn map_error(name: &'static str) -> impl Fn(aya::maps::MapError) -> LoadError {
    move |source| LoadError::Map { name, source: Box::new(source) }
}
