//! Exit codes, and commands that can't be run.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tests::conform::{Case, Under};

#[test]
fn every_exit_code_is_tracers() {
    for code in [0, 1, 2, 3, 63, 64, 100, 123, 124, 125, 126, 127, 128, 129, 137, 143, 200, 254, 255] {
        let seen = Case::sh(&format!("exit {code}")).assert_unnoticed();
        assert_eq!(ExitStatus::from_raw(seen.status).code(), Some(code));
    }
}

/// Bare, the caller itself finds out; `env` and `timeout` have no other way to tell than these codes.
#[test]
fn what_cant_be_run_has_the_status_that_env_gives() {
    for (word, code) in
        [("./no-such", 127), ("no-such-in-path", 127), ("", 127), ("/", 126), ("./plain", 126)]
    {
        let case = Case::command([word]).file("plain", 0o600, "text");
        for under in [Under::Tracer, Under::Timeout] {
            let seen = case.run(under);
            assert_eq!(ExitStatus::from_raw(seen.status).code(), Some(code), "{under:?} {word:?}");
        }
    }
}

#[test]
fn a_script_without_an_interpreter_line_is_run_by_a_shell() {
    let case = Case::command(["./script", "a b"]).file("script", 0o700, "echo \"$# $1 $0\"; exit 5\n");
    let seen = case.assert_unnoticed();
    assert_eq!(seen.stdout, b"1 a b ./script\n");
}

#[test]
fn a_command_is_looked_for_as_execvp_does() {
    for path in ["", ".", "/nonexistent:.", ":/usr/bin", "/usr/bin:", "/etc/passwd:."] {
        let case = Case::command(["found"]).file("found", 0o700, "#!/bin/sh\necho here\n").env("PATH", path);
        assert_eq!(case.assert_unnoticed().stdout, b"here\n", "PATH={path:?}");
    }
    let case =
        Case::command(["found"]).file("found", 0o700, "#!/bin/sh\necho here\n").env("PATH", "unreadable:.");
    std::fs::create_dir(case.path("unreadable")).unwrap();
    std::fs::write(case.path("unreadable/found"), "no program").unwrap();
    assert_eq!(case.assert_unnoticed().stdout, b"here\n", "one that can't be run is passed over");
}
