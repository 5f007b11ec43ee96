//! A limit on the size of files (setrlimit(2)).

use tests::Trace;

use crate::{RECOVER, RUN, WORK, troubles};

#[test]
fn a_limit_on_the_size_of_files_is_the_commands_and_tracer_takes_no_harm_by_it() {
    let outcome =
        Trace::inside(&format!("ulimit -S -f 40; {RUN} -- sh -c 'ulimit -f; {WORK}'; echo status $?"));
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "40\nstatus 3\n", "{}", outcome.stderr);
    assert_eq!(troubles(&outcome), Vec::<&str>::new());
    let session = outcome.session();
    session.assert_whole();
    assert_eq!(session.processes.len(), 151);
    let crash = WORK.replace("exit 3", "kill -9 $PPID");
    let outcome = Trace::inside(&format!(
        "{RUN} -q -- sh -c '{crash}'; while $0 recover --dry-run --min-age 0s --tmpfs-path ../run | grep -q G3; do :; done
         ulimit -S -f 40; {RECOVER}"
    ));
    assert_eq!(outcome.session().processes.len(), 151);
}

#[test]
fn a_limit_on_the_size_of_files_that_tracer_may_not_raise_is_told_before_anything_runs() {
    let run = format!("setpriv --bounding-set=-sys_resource {RUN}");
    let outcome = Trace::inside(&format!("ulimit -f 40; exec {run} -- touch ran"));
    assert_eq!(outcome.status.code(), Some(125), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("blocks of 512 bytes in a file, and the limit is 40"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("ulimit -f 131072") && !outcome.file("ran").exists(),
        "{}",
        outcome.stderr
    );
    let outcome = Trace::inside(&format!("ulimit -S -f 40; exec {run} -- sh -c 'ulimit -f; exit 3'"));
    assert_eq!(
        (outcome.status.code(), &*outcome.stdout),
        (Some(3), b"40\n".as_slice()),
        "{}",
        outcome.stderr
    );
    outcome.session().assert_whole();
}
