use super::super::btf::tests::builder::Builder;
use super::*;

/// Kernels of Debian (5.10.0-32, 6.1.0-56, 7.2.13 cloud-amd64) and, as 6.18, a virtual machine's.
const KERNELS: [(&str, &[u8]); 4] = [
    ("5.10", include_bytes!("../testdata/5.10.btf")),
    ("6.1", include_bytes!("../testdata/6.1.btf")),
    ("6.18", include_bytes!("../testdata/6.18.btf")),
    ("7.2", include_bytes!("../testdata/7.2.btf")),
];

/// Offsets in each of [`KERNELS`], computed from `bpftool btf dump` of the whole vmlinux.
#[rustfmt::skip]
const EXPECTED: [(Field, [u32; 4]); Field::COUNT] = [
    (Field::TaskPid,          [2232, 2416, 1264, 2808]),
    (Field::TaskTgid,         [2236, 2420, 1268, 2812]),
    (Field::TaskComm,         [2736, 2976, 1752, 3344]),
    (Field::TaskStart,        [2544, 2784, 1560, 3160]),
    (Field::TaskLeader,       [2296, 2480, 1328, 2872]),
    (Field::TaskSignal,       [2832, 3072, 1848, 3448]),
    (Field::TaskSighand,      [2840, 3080, 1856, 3456]),
    (Field::TaskExitCode,     [2136, 2312, 1164, 2708]),
    (Field::TaskUtime,        [2472, 2656, 1488, 3032]),
    (Field::TaskStime,        [2480, 2664, 1496, 3040]),
    (Field::TaskRuntime,      [ 200,  200,  232,  232]),
    (Field::TaskMinFlt,       [2552, 2792, 1568, 3168]),
    (Field::TaskMajFlt,       [2560, 2800, 1576, 3176]),
    (Field::TaskNvcsw,        [2520, 2760, 1536, 3136]),
    (Field::TaskNivcsw,       [2528, 2768, 1544, 3144]),
    (Field::TaskReadBytes,    [3128, 3400, 2184, 3808]),
    (Field::TaskWriteBytes,   [3136, 3408, 2192, 3816]),
    (Field::TaskThreadNode,   [2424, 2608, 1440, 2984]),
    (Field::TaskMm,           [2056, 2272, 1136, 2680]),
    (Field::TaskCred,         [2720, 2960, 1736, 3328]),
    (Field::TaskFs,           [2800, 3040, 1816, 3408]),
    (Field::TaskThreadPid,    [2336, 2520, 1368, 2912]),
    (Field::SignalLive,       [   4,    4,    4,    4]),
    (Field::SignalFlags,      [ 116,  116,  116,  116]),
    (Field::SignalExitCode,   [  96,   96,   96,   96]),
    (Field::SignalThreadHead, [  16,   16,   16,   16]),
    (Field::SignalStatsLock,  [ 416,  432,  424,  448]),
    (Field::SignalUtime,      [ 424,  440,  432,  456]),
    (Field::SignalStime,      [ 432,  448,  440,  464]),
    (Field::SignalRuntime,    [ 664,  680,  672,  696]),
    (Field::SignalMinFlt,     [ 528,  544,  536,  560]),
    (Field::SignalMajFlt,     [ 536,  552,  544,  568]),
    (Field::SignalNvcsw,      [ 496,  512,  504,  528]),
    (Field::SignalNivcsw,     [ 504,  520,  512,  536]),
    (Field::SignalReadBytes,  [ 640,  656,  648,  672]),
    (Field::SignalWriteBytes, [ 648,  664,  656,  680]),
    (Field::SignalMaxrss,     [ 592,  608,  600,  624]),
    (Field::SighandAction,    [  32,   32,   32,   32]),
    (Field::MmArgStart,       [ 312,  312,  480,  728]),
    (Field::MmArgEnd,         [ 320,  320,  488,  736]),
    (Field::BprmFilename,     [  96,   96,   96,  112]),
    (Field::BprmInterp,       [ 104,  104,  104,  120]),
    (Field::CredEuid,         [  24,   24,   24,   24]),
    (Field::PidLevel,         [   4,    4,    4,    4]),
    (Field::PidNumbers,       [  96,   96,  144,  128]),
    (Field::UpidNr,           [   0,    0,    0,    0]),
    (Field::UpidNs,           [   8,    8,    8,    8]),
    (Field::PidNsInum,        [ 136,  128,  136,  344]),
    (Field::SiginfoCode,      [   8,    8,    8,    8]),
    (Field::FsPwdDentry,      [  48,   48,   48,   48]),
    (Field::DentryInode,      [  48,   48,   48,   48]),
    (Field::InodeIno,         [  64,   64,   64,   64]),
    (Field::InodeSb,          [  40,   40,   40,   40]),
    (Field::SuperDev,         [  16,   16,   16,   16]),
];

#[test]
fn offsets_are_those_that_bpftool_prints() {
    for (nth, (release, bytes)) in KERNELS.into_iter().enumerate() {
        let facts = resolve(bytes, release).unwrap().facts;
        for (field, at) in EXPECTED {
            assert!(facts.has(field), "{release}: {field:?}");
            assert_eq!(facts.at[field as usize], at[nth], "{release}: {field:?}");
        }
        assert_eq!((facts.upid_size, facts.k_sigaction_size), (16, 32), "{release}");
    }
}

#[test]
fn only_kernels_since_7_0_preempt_programs() {
    let release = |release| resolve(KERNELS[0].1, release).unwrap().facts.preempted;
    let releases = ["5.10.0-46-cloud-amd64", "6.18.44", "7.0.0-rc1", "7.2", "17.0", "unknown"];
    assert_eq!(releases.map(release), [0, 0, 1, 1, 1, 0]);
}

#[test]
fn only_kernels_since_6_16_pass_group_dead() {
    let passes = KERNELS.map(|(release, bytes)| resolve(bytes, release).unwrap().facts.exit_has_group_dead);
    assert_eq!(passes, [0, 0, 1, 1]);
}

/// 6.9 changed it, and stable kernels followed: the type says which it is, the version does not.
#[test]
fn mark_victim_takes_a_pid_on_the_oldest_kernel_and_a_task_on_the_others() {
    let takes = KERNELS.map(|(release, bytes)| resolve(bytes, release).unwrap().facts.mark_victim_is_task);
    assert_eq!(takes, [0, 1, 1, 1]);
}

#[test]
fn the_stored_kernels_have_every_tracepoint() {
    let all = Tracepoints { task_rename: true, signal_generate: true, mark_victim: true };
    for (release, bytes) in KERNELS {
        assert_eq!(resolve(bytes, release).unwrap().tracepoints, all, "{release}");
    }
}

/// A kernel of required fields alone, under their newest names, 8 bytes each, and required tracepoints.
struct Made {
    names: Vec<(&'static str, &'static str)>,
    exit_params: usize,
    typedefs: Vec<&'static str>,
    mark_victim: Option<fn(u32, u32) -> u32>,
}

impl Made {
    fn new() -> Self {
        let needed = ROWS.iter().filter(|row| row.need != Need::Optional);
        Self {
            names: needed.map(|row| (row.of, row.paths[0])).collect(),
            exit_params: 2,
            typedefs: vec![FORK, EXEC, EXIT],
            mark_victim: None,
        }
    }

    fn without(mut self, of: &str, name: &str) -> Self {
        self.names.retain(|n| *n != (of, name));
        self
    }

    fn with(mut self, of: &'static str, name: &'static str) -> Self {
        self.names.push((of, name));
        self
    }

    fn resolve(&self) -> Result<Kernel, FactsError> {
        let mut to = Builder::new();
        let int = to.int();
        let pointer = to.refer(2, "", 0);
        for of in structs() {
            let names = self.names.iter().filter(|n| n.0 == of).map(|n| n.1);
            let members: Vec<_> = names.zip(0..).map(|(name, i)| (name, int, 64 * i)).collect();
            if !members.is_empty() {
                to.structure(of, 64, &members);
            }
        }
        for name in &self.typedefs {
            to.callback(name, &vec![pointer; self.exit_params]);
        }
        if let Some(choose) = self.mark_victim {
            to.callback(MARK_VICTIM, &[pointer, choose(int, pointer)]);
        }
        resolve(&to.finish(), "5.9.1")
    }

    fn error(&self) -> String {
        self.resolve().unwrap_err().to_string()
    }
}

#[test]
fn a_kernel_of_required_fields_alone_is_enough() {
    let kernel = Made::new().resolve().unwrap();
    let needed = ROWS.iter().filter(|row| row.need != Need::Optional);
    assert_eq!(kernel.facts.present, needed.map(|row| 1 << row.field as u32).sum::<u64>());
    assert_eq!(kernel.facts.at[Field::TaskTgid as usize], 8);
    assert_eq!(kernel.facts.at[Field::TaskUtime as usize], 0);
    let none = Tracepoints { task_rename: false, signal_generate: false, mark_victim: false };
    assert_eq!(kernel.tracepoints, none);
    assert_eq!(kernel.release, "5.9.1");
}

#[test]
fn the_older_name_of_a_field_is_found_and_the_newer_is_preferred() {
    let old = Made::new().without("task_struct", "start_boottime").with("task_struct", "real_start_time");
    let both = Made::new().with("task_struct", "real_start_time");
    let start = |made: &Made| made.resolve().unwrap().facts.at[Field::TaskStart as usize];
    let last = 8 * (old.names.iter().filter(|n| n.0 == "task_struct").count() - 1);
    assert_eq!(start(&old) as usize, last);
    assert_eq!(start(&both), 24);
}

#[test]
fn a_missing_required_field_is_named_with_its_older_names_and_the_kernel() {
    assert_eq!(
        Made::new().without("task_struct", "start_boottime").error(),
        "kernel 5.9.1: struct task_struct has no field start_boottime (or real_start_time); \
         tracer needs Linux 5.10 or newer with CONFIG_DEBUG_INFO_BTF"
    );
    for row in ROWS.iter().filter(|row| row.need != Need::Optional) {
        let error = Made::new().without(row.of, row.paths[0]).error();
        assert!(error.contains(row.of), "{row:?}: {error}");
    }
}

#[test]
fn a_missing_struct_is_named() {
    assert_eq!(
        Made::new().without("linux_binprm", "filename").error(),
        "kernel 5.9.1: there is no struct linux_binprm; \
         tracer needs Linux 5.10 or newer with CONFIG_DEBUG_INFO_BTF"
    );
}

#[test]
fn a_missing_required_tracepoint_is_named() {
    for (typedef, name) in REQUIRED {
        let mut made = Made::new();
        made.typedefs.retain(|t| *t != typedef);
        let error = made.error();
        assert!(error.starts_with(&format!("kernel 5.9.1: there is no tracepoint {name};")), "{error}");
    }
}

#[test]
fn the_count_of_live_threads_is_needed_only_where_exit_does_not_say_group_dead() {
    let mut made = Made::new().without("signal_struct", "live");
    assert!(made.error().contains("signal_struct has no field live"));
    made.exit_params = 3;
    let facts = made.resolve().unwrap().facts;
    assert_eq!(facts.exit_has_group_dead, 1);
    assert!(!facts.has(Field::SignalLive));
}

#[test]
fn a_mark_victim_that_takes_a_pid_is_told_from_one_that_takes_a_task() {
    let takes_task = |choose| {
        let kernel = Made { mark_victim: Some(choose), ..Made::new() }.resolve().unwrap();
        assert!(kernel.tracepoints.mark_victim);
        kernel.facts.mark_victim_is_task
    };
    assert_eq!(takes_task(|int, _| int), 0);
    assert_eq!(takes_task(|_, pointer| pointer), 1);
}

#[test]
fn every_error_says_which_kernel() {
    let release = || "5.9.1".to_owned();
    assert_eq!(
        FactsError::NoBtf { release: release() }.to_string(),
        "kernel 5.9.1 has no BTF: /sys/kernel/btf/vmlinux does not exist; \
         tracer needs Linux 5.10 or newer with CONFIG_DEBUG_INFO_BTF=y"
    );
    let source = io::Error::from(io::ErrorKind::PermissionDenied);
    assert_eq!(
        FactsError::Unreadable { release: release(), source }.to_string(),
        "kernel 5.9.1: cannot read /sys/kernel/btf/vmlinux"
    );
    assert_eq!(resolve(b"", "5.9.1").unwrap_err().to_string(), "kernel 5.9.1: cannot make sense of its BTF");
}

#[test]
fn an_array_whose_elements_have_no_known_size_is_absent() {
    let made = Made::new().with("sighand_struct", "action").with("pid", "numbers");
    let facts = made.resolve().unwrap().facts;
    assert!(!facts.has(Field::SighandAction) && !facts.has(Field::PidNumbers));
    let facts = made.with("k_sigaction", "sa").with("upid", "nr").resolve().unwrap().facts;
    assert!(facts.has(Field::SighandAction) && facts.has(Field::PidNumbers));
}

#[test]
#[ignore = "needs a running kernel with BTF"]
fn the_running_kernel_can_be_traced() {
    println!("{:#?}", read_kernel_facts().unwrap());
}

/// What start-up pays, by step: `cargo test --release --lib -- --ignored --nocapture the_cost_of_start_up`
#[test]
#[ignore = "a measurement of the running kernel's BTF"]
fn the_cost_of_start_up() {
    fn time<T>(what: &str, step: impl Fn() -> T) {
        let mut times = [(); 51].map(|()| {
            let start = std::time::Instant::now();
            drop(step());
            start.elapsed()
        });
        let first = times[0];
        times.sort_unstable();
        println!("{what:32} first {first:>9.1?}  median {:>9.1?}  worst {:>9.1?}", times[25], times[50]);
    }
    time("everything", || read_kernel_facts().unwrap());
    time("open and map", || Image::of_kernel().unwrap());
    time("the same, read", || std::fs::read(Image::KERNEL).unwrap());
    let image = Image::of_kernel().unwrap();
    time("scan without names", || Btf::scan(&image, &[], &[]).unwrap().size_of("x"));
    time("scan", || Btf::scan(&image, &structs(), &TYPEDEFS).unwrap().size_of("x"));
    time("scan and resolve", || resolve(&image, "x").unwrap());
}
