//! No test touches what all share (X): tracer refuses to under a test, and each run has a ground of its own.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::{Outcome, Trace, tracer};

/// What tracer does under a test that says nothing of a runtime directory, or the shared one.
fn refused(outcome: &Outcome, words: &[&str], tmpfs: Option<&str>) -> Output {
    let mut command = Command::new(tracer());
    command.args(words).env("TRACER_TEST", "1").env("TRACER_LOG_DIR", outcome.file("log"));
    command.env_remove("TRACER_TMPFS_PATH").current_dir(outcome.file("."));
    if let Some(tmpfs) = tmpfs {
        command.env("TRACER_TMPFS_PATH", tmpfs);
    }
    command.output().unwrap()
}

#[test]
fn under_a_test_tracer_does_not_touch_the_shared_runtime_directory() {
    let outcome = Trace::command(["true"]).outcome();
    let dev_shm = Path::new("/dev/shm/tracer-0");
    let was_there = dev_shm.exists();
    for words in [&["run", "--", "touch", "ran"][..], &["recover"], &["recover", "--dry-run", "--json"]] {
        for tmpfs in [None, Some("/dev/shm"), Some("/dev/shm/")] {
            let output = refused(&outcome, words, tmpfs);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(125), "{words:?} {tmpfs:?}: {said}");
            assert!(said.contains("--tmpfs-path"), "{said}");
        }
    }
    assert!(!outcome.file("ran").exists() && !outcome.file("log").exists());
    assert_eq!(dev_shm.exists(), was_there);
}

#[test]
fn each_run_has_a_ground_of_its_own_that_goes_with_it() {
    let outcomes: Vec<Outcome> = (0..3).map(|_| Trace::command(["true"]).outcome()).collect();
    let grounds: BTreeSet<PathBuf> =
        outcomes.iter().map(|outcome| outcome.file("..").canonicalize().unwrap()).collect();
    assert_eq!(grounds.len(), 3);
    let home = std::env::home_dir().unwrap_or_default();
    for shared in [Path::new("/dev/shm"), Path::new("/var/log"), Path::new("/var/tmp"), &home.join(".local")]
    {
        assert!(grounds.iter().all(|ground| !ground.starts_with(shared)), "{grounds:?}");
    }
    for outcome in &outcomes {
        let ground = outcome.file("..").canonicalize().unwrap();
        let [log, runtime] = [outcome.log(), outcome.runtime()].map(|path| path.canonicalize().unwrap());
        assert!(log.starts_with(&ground) && runtime.starts_with(&ground), "{log:?} {runtime:?}");
    }
    drop(outcomes);
    assert!(grounds.iter().all(|ground| !ground.exists()));
}
