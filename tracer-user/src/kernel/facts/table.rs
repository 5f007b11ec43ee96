//! The fields that the programs read: where each is, under which names, and what it is for.
//!
//! One row a [`Field`], in the order of `Field` (held by a `const` assert). Newer names come first. Adding a field
//! means a variant there and a row here.

use tracer_ebpf::facts::Field;

/// What it means that a kernel does not have a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// tracer cannot run.
    Required,
    /// tracer cannot run on a kernel whose `sched_process_exit` does not say `group_dead` itself (before 6.16).
    WithoutGroupDead,
    /// What it is for is not recorded.
    Optional,
}

/// A field of a kernel structure.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What the programs call it.
    pub field: Field,
    /// The structure.
    pub of: &'static str,
    /// The member's path under each name that it has had, the newest first.
    pub paths: &'static [&'static str],
    /// What its absence means.
    pub need: Need,
    /// What it is for.
    pub purpose: &'static str,
}

const fn required(
    field: Field,
    of: &'static str,
    paths: &'static [&'static str],
    purpose: &'static str,
) -> Row {
    Row { field, of, paths, need: Need::Required, purpose }
}

const fn optional(
    field: Field,
    of: &'static str,
    paths: &'static [&'static str],
    purpose: &'static str,
) -> Row {
    Row { field, of, paths, need: Need::Optional, purpose }
}

/// Every field, in the order of [`Field`].
#[rustfmt::skip]
pub const ROWS: [Row; Field::COUNT] = [
    required(Field::TaskPid,         "task_struct",   &["pid"],                 "the thread's id"),
    required(Field::TaskTgid,        "task_struct",   &["tgid"],                "the process's id"),
    required(Field::TaskComm,        "task_struct",   &["comm"],                "the thread's name"),
    required(Field::TaskStart,       "task_struct",   &["start_boottime", "real_start_time"],
                                                                                "with the pid, who it is"),
    required(Field::TaskLeader,      "task_struct",   &["group_leader"],        "the process of a thread"),
    required(Field::TaskSignal,      "task_struct",   &["signal"],              "what the threads share"),
    optional(Field::TaskSighand,     "task_struct",   &["sighand"],             "which signals are handled"),
    required(Field::TaskExitCode,    "task_struct",   &["exit_code"],           "the status that wait gives"),
    optional(Field::TaskUtime,       "task_struct",   &["utime"],               "user time of the last thread"),
    optional(Field::TaskStime,       "task_struct",   &["stime"],               "system time of the last thread"),
    optional(Field::TaskRuntime,     "task_struct",   &["se.sum_exec_runtime"], "exact time on a CPU"),
    optional(Field::TaskMinFlt,      "task_struct",   &["min_flt"],             "minor page faults"),
    optional(Field::TaskMajFlt,      "task_struct",   &["maj_flt"],             "major page faults"),
    optional(Field::TaskNvcsw,       "task_struct",   &["nvcsw"],               "voluntary context switches"),
    optional(Field::TaskNivcsw,      "task_struct",   &["nivcsw"],              "involuntary context switches"),
    optional(Field::TaskReadBytes,   "task_struct",   &["ioac.read_bytes"],     "bytes read from disks (CONFIG_TASK_IO_ACCOUNTING)"),
    optional(Field::TaskWriteBytes,  "task_struct",   &["ioac.write_bytes"],    "bytes written to disks (CONFIG_TASK_IO_ACCOUNTING)"),
    optional(Field::TaskThreadNode,  "task_struct",   &["thread_node"],         "sums over live threads"),
    required(Field::TaskMm,          "task_struct",   &["mm"],                  "the way to the arguments"),
    optional(Field::TaskCred,        "task_struct",   &["cred"],                "the user"),
    optional(Field::TaskFs,          "task_struct",   &["fs"],                  "the working directory"),
    optional(Field::TaskThreadPid,   "task_struct",   &["thread_pid"],          "the pid inside a container"),
    Row { field: Field::SignalLive, of: "signal_struct", paths: &["live"], need: Need::WithoutGroupDead,
          purpose: "whether a thread is the last" },
    required(Field::SignalFlags,     "signal_struct", &["flags"],               "whether the whole group exits"),
    required(Field::SignalExitCode,  "signal_struct", &["group_exit_code"],     "the status of a group exit"),
    optional(Field::SignalThreadHead, "signal_struct", &["thread_head"],        "sums over live threads"),
    optional(Field::SignalStatsLock, "signal_struct", &["stats_lock"],         "sums read undisturbed"),
    optional(Field::SignalUtime,     "signal_struct", &["utime"],               "user time of ended threads"),
    optional(Field::SignalStime,     "signal_struct", &["stime"],               "system time of ended threads"),
    optional(Field::SignalRuntime,   "signal_struct", &["sum_sched_runtime"],   "exact CPU time of ended threads"),
    optional(Field::SignalMinFlt,    "signal_struct", &["min_flt"],             "minor page faults of ended threads"),
    optional(Field::SignalMajFlt,    "signal_struct", &["maj_flt"],             "major page faults of ended threads"),
    optional(Field::SignalNvcsw,     "signal_struct", &["nvcsw"],               "voluntary switches of ended threads"),
    optional(Field::SignalNivcsw,    "signal_struct", &["nivcsw"],              "involuntary switches of ended threads"),
    optional(Field::SignalReadBytes, "signal_struct", &["ioac.read_bytes"],     "bytes read by ended threads (CONFIG_TASK_IO_ACCOUNTING)"),
    optional(Field::SignalWriteBytes, "signal_struct", &["ioac.write_bytes"],   "bytes written by ended threads (CONFIG_TASK_IO_ACCOUNTING)"),
    optional(Field::SignalMaxrss,    "signal_struct", &["maxrss"],              "peak resident memory"),
    optional(Field::SighandAction,   "sighand_struct", &["action"],             "which signals are handled"),
    required(Field::MmArgStart,      "mm_struct",     &["arg_start"],           "where the arguments start"),
    required(Field::MmArgEnd,        "mm_struct",     &["arg_end"],             "where the arguments end"),
    required(Field::BprmFilename,    "linux_binprm",  &["filename"],            "the file that was executed"),
    optional(Field::BprmInterp,      "linux_binprm",  &["interp"],              "the interpreter of a script"),
    optional(Field::CredEuid,        "cred",          &["euid"],                "the user"),
    optional(Field::PidLevel,        "pid",           &["level"],               "the pid inside a container"),
    optional(Field::PidNumbers,      "pid",           &["numbers"],             "the pid inside a container"),
    optional(Field::UpidNr,          "upid",          &["nr"],                  "the pid inside a container"),
    optional(Field::UpidNs,          "upid",          &["ns"],                  "the pid namespace"),
    optional(Field::PidNsInum,       "pid_namespace", &["ns.inum"],             "the pid namespace"),
    optional(Field::SiginfoCode,     "kernel_siginfo", &["si_code"],            "why a signal was sent"),
    optional(Field::FsPwdDentry,     "fs_struct",     &["pwd.dentry"],          "the working directory"),
    optional(Field::DentryInode,     "dentry",        &["d_inode"],             "the working directory"),
    optional(Field::InodeIno,        "inode",         &["i_ino"],               "the working directory's inode"),
    optional(Field::InodeSb,         "inode",         &["i_sb"],                "the working directory's file system"),
    optional(Field::SuperDev,        "super_block",   &["s_dev"],               "the working directory's device"),
];

const _: () = {
    let mut i = 0;
    while i < ROWS.len() {
        assert!(ROWS[i].field as usize == i, "one row a field, in the order of `Field`");
        i += 1;
    }
};
