//! Signals that a command inherits blocked or ignored, and those that end it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tests::conform::{Case, Under};

use crate::given::{block, done, ignore, limit, prctl};

/// All that can be blocked or ignored, without the two that the C library keeps to itself.
fn changeable() -> Vec<i32> {
    (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP, 32, 33].contains(signal)).collect()
}

#[test]
fn each_signal_that_the_caller_ignores_is_ignored() {
    let all = changeable();
    let seen = Case::reveal().given(move || ignore(&all)).assert_unnoticed();
    assert_eq!(seen.facts["disposition 17"], "1");
    for signal in [libc::SIGPIPE, libc::SIGCHLD, libc::SIGTTOU, libc::SIGXFSZ] {
        let seen = Case::reveal().given(move || ignore(&[signal])).assert_unnoticed();
        assert_eq!(seen.facts[&format!("disposition {signal}")], "1");
    }
}

/// The C library gives it a handler with the first thread of a process.
#[test]
fn a_signal_that_the_c_library_keeps_to_itself_is_ignored_too() {
    let ignored = [1_u64, 0, 0, 0];
    let seen = Case::reveal()
        .given(move || {
            let none = std::ptr::null_mut::<u64>();
            // SAFETY: reads a local that is as large as the kernel's `struct sigaction`: SIG_IGN, without flags or a mask.
            done(unsafe { libc::syscall(libc::SYS_rt_sigaction, 33, ignored.as_ptr(), none, 8) }).map(drop)
        })
        .assert_unnoticed();
    assert_eq!(seen.facts["disposition 33"], "1");
}

#[test]
fn each_signal_that_the_caller_blocks_is_blocked() {
    let all = changeable();
    let seen = Case::reveal().given(move || block(&all)).assert_unnoticed();
    assert_eq!(seen.facts["status SigBlk"], "fffffffe7ffbfeff");
}

#[test]
fn a_death_by_any_signal_is_tracers_death() {
    let deadly = (1..=64).filter(|signal| ![17, 18, 19, 20, 21, 22, 23, 28, 32, 33].contains(signal));
    for signal in deadly {
        let number = signal.to_string();
        let case = Case::command([tests::workload().to_str().unwrap(), "raise", &number]);
        let seen = case.given(|| limit(libc::RLIMIT_CORE, 0)).assert_unnoticed();
        assert_eq!(ExitStatus::from_raw(seen.status).signal(), Some(signal));
    }
}

/// What shells show as `(core dumped)`: tracer dies by the signal, but leaves no core of its own.
#[test]
fn a_core_dump_is_the_commands_alone() {
    let case = Case::sh("ulimit -c unlimited; kill -QUIT $$");
    for under in [Under::Tracer, Under::Strace, Under::Timeout] {
        let status = ExitStatus::from_raw(case.run(under).status);
        assert_eq!((status.signal(), status.core_dumped()), (Some(libc::SIGQUIT), false), "{under:?}");
    }
}

#[test]
fn a_caller_whose_death_is_to_be_the_commands_is_obeyed() {
    let seen = Case::reveal().given(|| prctl(libc::PR_SET_PDEATHSIG, 9)).assert_unnoticed();
    assert_eq!(seen.facts["signal at the parent's death"], "9");
}
