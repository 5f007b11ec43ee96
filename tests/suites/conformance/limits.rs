//! Limits that a command inherits. tracer lives under them too: it changes none, and where it can't work it says so.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tests::conform::{Case, Under};

use crate::given::{limit, limits};

#[test]
fn each_limit_stays_as_the_caller_set_it() {
    for (resource, value) in [
        (libc::RLIMIT_CORE, 4096),
        (libc::RLIMIT_CPU, 60),
        (libc::RLIMIT_DATA, 1 << 30),
        (libc::RLIMIT_FSIZE, 100 << 20),
        (libc::RLIMIT_LOCKS, 77),
        (libc::RLIMIT_MEMLOCK, 0),
        (libc::RLIMIT_MSGQUEUE, 8192),
        (libc::RLIMIT_NOFILE, 64),
        (libc::RLIMIT_NPROC, 10_000),
        (libc::RLIMIT_RSS, 1 << 30),
        (libc::RLIMIT_RTTIME, 5_000_000),
        (libc::RLIMIT_SIGPENDING, 100),
        (libc::RLIMIT_STACK, 1 << 20),
        (libc::RLIMIT_AS, 4 << 30),
    ] {
        let seen = Case::reveal().given(move || limit(resource, value)).assert_unnoticed();
        assert!(seen.facts["limits"].contains(&value.to_string()), "{resource}: {}", seen.facts["limits"]);
    }
}

/// Where there is too little for tracer itself, it says so and runs nothing.
#[test]
fn under_a_limit_that_is_too_low_for_tracer_the_command_runs_unchanged_or_not_at_all() {
    let mut refused = BTreeMap::new();
    for (resource, values) in [
        (libc::RLIMIT_NOFILE, &[4, 16, 32, 63, 64][..]),
        (libc::RLIMIT_AS, &[16 << 20, 63 << 20, 64 << 20, 128 << 20]),
        (libc::RLIMIT_DATA, &[1 << 20, (8 << 20) - 4096, 8 << 20]),
        (libc::RLIMIT_STACK, &[128 << 10, 256 << 10, 1 << 20]),
        (libc::RLIMIT_FSIZE, &[0, 100, 4096]),
        (libc::RLIMIT_NPROC, &[0, 1]),
        (libc::RLIMIT_SIGPENDING, &[0]),
    ] {
        for &value in values {
            let case = Case::sh("ulimit -a; exit 3").given(move || limit(resource, value));
            let traced = case.run(Under::Tracer);
            if ExitStatus::from_raw(traced.status).code() == Some(125) {
                let said = String::from_utf8_lossy(&traced.stderr);
                assert!(said.starts_with("tracer: tracer itself needs "), "{resource} {value}: {said}");
                assert_eq!(traced.stdout, b"", "nothing ran");
                *refused.entry(resource).or_insert(0) += 1;
            } else {
                let seen = case.assert_unnoticed();
                assert_eq!(ExitStatus::from_raw(seen.status).code(), Some(3));
            }
        }
    }
    // The limit on file sizes is raised where that may be done (CAP_SYS_RESOURCE), or all three are refused.
    let files = refused.remove(&libc::RLIMIT_FSIZE);
    assert!(files.is_none() || files == Some(3), "{files:?}");
    let expected = BTreeMap::from([
        (libc::RLIMIT_NOFILE, 4),
        (libc::RLIMIT_AS, 2),
        (libc::RLIMIT_DATA, 2),
        (libc::RLIMIT_STACK, 2),
    ]);
    assert_eq!(
        refused, expected,
        "files below 64, address space below 64 MiB, data below 8 MiB, a stack below 1 MiB"
    );
}

#[test]
fn a_soft_limit_that_tracer_raised_for_itself_is_as_it_was_in_the_command() {
    for (resource, soft, hard) in [
        (libc::RLIMIT_NOFILE, 12, 4096),
        (libc::RLIMIT_AS, 30 << 20, 1 << 30),
        (libc::RLIMIT_DATA, 1 << 20, 1 << 30),
        (libc::RLIMIT_STACK, 256 << 10, 8 << 20),
        (libc::RLIMIT_FSIZE, 100 << 10, 1 << 30),
    ] {
        let seen = Case::reveal().given(move || limits(resource, soft, hard)).assert_unnoticed();
        let limits = &seen.facts["limits"];
        assert!(limits.contains(&soft.to_string()) && limits.contains(&hard.to_string()), "{limits}");
    }
}
