//! What a command inherits, beside descriptors, limits and signals.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use tests::conform::Case;

use crate::given::{done, prctl, write_to};

#[test]
fn a_command_is_given_all_that_it_would_be_given_without_tracer() {
    let seen = Case::reveal().assert_unnoticed();
    // Some of each kind, so that no difference is not for want of a look. How many there are is the machine's.
    let named = [
        ["argv 0", "environment 1", "cwd", "namespace mnt", "limits"],
        ["descriptor 0", "descriptor 1", "descriptor 2", "terminal", "foreground group"],
        ["status Uid", "status CapEff", "status SigBlk", "status SigIgn", "status Umask"],
        ["nice", "policy", "scheduling", "I/O priority", "status Cpus_allowed_list"],
        ["timer slack", "subreaper", "personality", "session keyring", "process group"],
    ];
    let dispositions = (1..=64).map(|signal| format!("disposition {signal}"));
    let named = named.iter().flatten().map(|name| (*name).to_owned()).chain(dispositions);
    let unseen: Vec<String> =
        named.filter(|name| seen.facts.get(name).is_none_or(String::is_empty)).collect();
    assert!(unseen.is_empty(), "not looked at: {unseen:?}");
}

#[test]
fn niceness_policy_and_io_priority_stay() {
    let seen = Case::reveal()
        .given(|| {
            // SAFETY: numbers alone: a nice value for this process, and the idle class of I/O.
            done(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 7) })?;
            // SAFETY: as before.
            done(unsafe { libc::syscall(libc::SYS_ioprio_set, 1, 0, 3 << 13) })?;
            let parameter = libc::sched_param { sched_priority: 0 };
            // SAFETY: reads a local.
            done(unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter) }).map(drop)
        })
        .assert_unnoticed();
    assert_eq!((seen.facts["nice"].as_str(), seen.facts["policy"].as_str()), ("7", "3"));
    assert_eq!(seen.facts["I/O priority"], (3 << 13).to_string());
}

#[test]
fn a_real_time_policy_stays() {
    let seen = Case::reveal()
        .given(|| {
            let parameter = libc::sched_param { sched_priority: 3 };
            // SAFETY: reads a local.
            done(unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameter) }).map(drop)
        })
        .assert_unnoticed();
    assert_eq!((seen.facts["policy"].as_str(), seen.facts["real-time priority"].as_str()), ("2", "3"));
}

#[test]
fn the_processors_that_it_may_use_stay() {
    let seen = Case::reveal()
        .given(|| {
            let set = [1_u64];
            // SAFETY: reads a local of the given size.
            done(unsafe { libc::sched_setaffinity(0, 8, set.as_ptr().cast()) }).map(drop)
        })
        .assert_unnoticed();
    assert_eq!(seen.facts["status Cpus_allowed_list"], "0");
}

#[test]
fn umask_personality_and_the_oom_score_stay() {
    let seen = Case::reveal()
        .given(|| {
            // SAFETY: numbers alone.
            unsafe { libc::umask(0o137) };
            // SAFETY: numbers alone.
            done(unsafe { libc::personality(0x004_0000) })?;
            write_to(c"/proc/self/oom_score_adj", b"321")?;
            write_to(c"/proc/self/coredump_filter", b"0x11")
        })
        .assert_unnoticed();
    assert_eq!(
        (seen.facts["status Umask"].as_str(), seen.facts["personality"].as_str()),
        ("0137", "00040000\\n")
    );
    assert_eq!(seen.facts["oom_score_adj"], "321\\n");
}

#[test]
fn what_prctl_sets_for_a_program_to_come_stays() {
    const SECBIT_NO_CAP_AMBIENT_RAISE: libc::c_ulong = 1 << 6;
    let seen = Case::reveal()
        .given(|| {
            prctl(libc::PR_SET_TIMERSLACK, 123_456)?;
            prctl(libc::PR_SET_THP_DISABLE, 1)?;
            prctl(libc::PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE)?;
            prctl(libc::PR_SET_PDEATHSIG, 10)?;
            prctl(libc::PR_SET_CHILD_SUBREAPER, 1)
        })
        .assert_unnoticed();
    assert_eq!(seen.facts["timer slack"], "123456");
    assert_eq!(
        (seen.facts["signal at the parent's death"].as_str(), seen.facts["subreaper"].as_str()),
        ("10", "1")
    );
}

#[test]
fn new_privileges_that_are_ruled_out_stay_so() {
    let seen = Case::reveal().given(|| prctl(libc::PR_SET_NO_NEW_PRIVS, 1)).assert_unnoticed();
    assert_eq!(seen.facts["no new privileges"], "1");
}

#[test]
fn capabilities_that_are_gone_stay_gone() {
    const CAP_SYS_TIME: libc::c_ulong = 25;
    let seen = Case::reveal().given(|| prctl(libc::PR_CAPBSET_DROP, CAP_SYS_TIME)).assert_unnoticed();
    let bounds = u64::from_str_radix(&seen.facts["status CapBnd"], 16).unwrap();
    assert_eq!(bounds & 1 << CAP_SYS_TIME, 0);
}

#[test]
fn namespaces_stay() {
    let seen = Case::reveal()
        .given(|| {
            let new = libc::CLONE_NEWUTS | libc::CLONE_NEWIPC | libc::CLONE_NEWNS | libc::CLONE_NEWNET;
            // SAFETY: numbers alone.
            done(unsafe { libc::unshare(new) }).map(drop)
        })
        .assert_unnoticed_but(|name| name.starts_with("namespace ") && !name.ends_with("user"));
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_ne!(seen.facts["namespace net"], own.to_string_lossy());
}

#[test]
fn a_new_session_stays_and_its_leader_is_whom_the_caller_started() {
    // SAFETY: no arguments.
    let begin = || done(unsafe { libc::setsid() }).map(drop);
    let seen = Case::reveal().with_no_group().given(begin).assert_unnoticed_but(|name| name == "autogroup");
    assert_eq!(seen.facts["session"], "of whom the caller started");
}

#[test]
fn a_directory_that_is_gone_is_still_the_working_directory() {
    let seen = Case::reveal()
        .given(|| {
            // SAFETY: C strings.
            done(unsafe { libc::mkdir(c"gone".as_ptr(), 0o700) })?;
            // SAFETY: as before.
            done(unsafe { libc::chdir(c"gone".as_ptr()) })?;
            // SAFETY: as before.
            done(unsafe { libc::rmdir(c"../gone".as_ptr()) }).map(drop)
        })
        .assert_unnoticed();
    assert!(seen.facts["cwd"].ends_with("/gone (deleted)"), "{}", seen.facts["cwd"]);
}

#[test]
fn variables_of_any_bytes_stay_in_their_order() {
    let seen = Case::reveal()
        .env("EMPTY", "")
        .env(OsStr::from_bytes(b"ODD\xff\x01"), OsStr::from_bytes(b"\x80\n=\"\\x41"))
        .env("LARGE", "x".repeat(100_000))
        .env("TRACER_LOG_DIR", "/nonexistent")
        .assert_unnoticed();
    let variables = seen.facts.iter().filter(|(name, _)| name.starts_with("environment"));
    assert_eq!(variables.count(), 6);
    assert!(seen.facts.values().any(|value| value == r#"ODD\xff\x01=\x80\n=\"\\x41"#), "{:#?}", seen.facts);
}
