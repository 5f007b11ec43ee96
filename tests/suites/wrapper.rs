//! `tracer run -- CMD` in the place of CMD: status, streams, and what tracer says where it can't.

use std::os::unix::process::ExitStatusExt;

use serde_json::json;
use tests::Trace;

const NOBODY: u32 = 65534;

#[test]
fn the_commands_exit_code_is_tracers() {
    for code in [0, 1, 3, 255] {
        let session = Trace::sh(&format!("exit {code}")).run();
        session.assert_whole();
        assert_eq!(session.outcome.status.code(), Some(code), "stderr:\n{}", session.outcome.stderr);
        assert_eq!(
            (&session.summary["exit_code"], &session.root()["exit_code"]),
            (&json!(code), &json!(code))
        );
    }
}

#[test]
fn the_commands_death_by_signal_is_tracers() {
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGINT] {
        let session = Trace::sh(&format!("kill -{signal} $$")).run();
        assert_eq!(session.outcome.status.signal(), Some(signal), "stderr:\n{}", session.outcome.stderr);
        assert_eq!(session.summary["exit_signal"], signal);
        assert!(!session.outcome.status.core_dumped(), "tracer's own death leaves no core");
    }
}

#[test]
fn a_command_that_is_not_there_is_127_and_one_that_is_no_program_126() {
    let missing = Trace::command(["./is-not-there"]).outcome();
    assert_eq!(missing.status.code(), Some(127), "stderr:\n{}", missing.stderr);
    assert!(
        missing.stderr.starts_with("tracer: ") && missing.stderr.contains("./is-not-there"),
        "{}",
        missing.stderr
    );
    let no_program = Trace::command(["/etc/passwd"]).outcome();
    assert_eq!(no_program.status.code(), Some(126), "stderr:\n{}", no_program.stderr);
    assert!(no_program.stderr.contains("/etc/passwd"), "{}", no_program.stderr);
}

#[test]
fn what_the_shell_would_run_is_run_and_what_is_no_file_is_not() {
    let script = Trace::command(["./no-interpreter-line"])
        .after("echo 'exit 9' > no-interpreter-line; chmod +x no*")
        .run();
    assert_eq!(script.outcome.status.code(), Some(9), "as execvp(3) does: {}", script.outcome.stderr);
    for (command, code) in [("/", 126), ("/etc/passwd/x", 126), ("", 127), ("no-such-command-in-path", 127)] {
        let outcome = Trace::command([command]).outcome();
        assert_eq!(outcome.status.code(), Some(code), "{command:?}: {}", outcome.stderr);
    }
}

#[test]
fn bad_usage_is_125_and_runs_nothing() {
    for flags in [
        ["--no-such-flag"],
        ["--ring-size=3"],
        ["--ring-size=life=4096,tail=4096"],
        ["--max-processes=x"],
        ["--label=nothing"],
        ["--session-id=../outside"],
        ["--session-id="],
    ] {
        let outcome = Trace::sh("touch ran").flags(flags).outcome();
        assert_eq!(outcome.status.code(), Some(125), "{flags:?}: {}", outcome.stderr);
        assert!(!outcome.file("ran").exists(), "{flags:?} ran the command");
        assert_eq!(outcome.session_count(), 0, "{flags:?} left a session");
    }
}

#[test]
fn a_megabyte_of_any_bytes_goes_through_untouched() {
    let bytes: Vec<u8> =
        (0..1 << 20).map(|index: u32| index.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let session = Trace::sh("tee /dev/stderr").flags(["-q"]).stdin(bytes.clone()).run();
    assert!(
        session.outcome.stdout == bytes,
        "{} of {} bytes on stdout",
        session.outcome.stdout.len(),
        bytes.len()
    );
    assert_eq!(session.outcome.stderr, String::from_utf8_lossy(&bytes), "stderr");
}

#[test]
fn quiet_is_silence_and_otherwise_tracer_says_who_speaks() {
    let quiet = Trace::command(["true"]).flags(["-q"]).run();
    assert_eq!((quiet.outcome.stderr.as_str(), quiet.outcome.stdout.as_slice()), ("", &b""[..]));
    let talk = Trace::command(["true"]).run();
    assert!(talk.outcome.stderr.starts_with("tracer: "), "{}", talk.outcome.stderr);
    assert_eq!(talk.outcome.stdout, b"");
}

#[test]
fn a_session_has_the_id_and_the_labels_that_it_was_given() {
    let flags = ["--session-id", "my-session", "--label", "team=a=b", "--label", "empty="];
    let session = Trace::command(["true"]).flags(flags).run();
    assert_eq!(session.dir_name, "my-session");
    assert_eq!(session.summary["session_id"], "my-session");
    assert_eq!(session.summary["labels"], json!({"team": "a=b", "empty": ""}));
    assert_eq!(session.index.len(), 1);
    assert_eq!(session.index[0]["session_id"], "my-session");
}

#[test]
fn the_command_finds_what_it_would_find_without_tracer() {
    // grep and ls look at themselves, since dash blocks signals for a moment while it waits.
    let prelude = "umask 027; ulimit -n 200; ulimit -c 0; trap '' HUP USR1; cd /";
    let script = "pwd; umask; ulimit -n; ulimit -c; ulimit -l; ulimit -s; cut -d' ' -f19 /proc/$$/stat
        grep -E 'Sig(Blk|Ign)|NoNewPrivs|Cap|Seccomp:' /proc/self/status; ls /proc/self/fd; cat /proc/$$/oom_score_adj";
    let traced = Trace::sh(script).flags(["-q"]).after(prelude).run();
    let bare = Trace::sh(script).after(prelude).without_tracer();
    let lines =
        |stdout: &[u8]| String::from_utf8_lossy(stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    let (traced, bare) = (lines(&traced.outcome.stdout), lines(&bare.stdout));
    assert!(bare.len() > 15, "the script runs: {bare:#?}");
    assert_eq!(traced, bare);
}

#[test]
fn an_ignored_sigpipe_stays_ignored() {
    let traced = Trace::sh("grep SigIgn /proc/self/status").flags(["-q"]).after("trap '' PIPE").run();
    let bare = Trace::sh("grep SigIgn /proc/self/status").after("trap '' PIPE").without_tracer();
    assert_eq!(String::from_utf8_lossy(&traced.outcome.stdout), String::from_utf8_lossy(&bare.stdout));
}

#[test]
fn the_command_stays_in_tracers_process_group() {
    let session = Trace::sh("cut -d' ' -f5 /proc/$$/stat; echo $PPID").flags(["-q"]).run();
    let stdout = String::from_utf8(session.outcome.stdout.clone()).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], lines[1], "tracer leads its process group here, and is the command's parent");
}

#[test]
fn a_user_who_is_not_allowed_is_told_which_capability_is_missing_and_how_to_get_it() {
    let outcome = Trace::sh("touch ran").user(NOBODY).outcome();
    assert_eq!(outcome.status.code(), Some(125), "stderr:\n{}", outcome.stderr);
    for word in ["CAP_BPF", "CAP_PERFMON", "setcap"] {
        assert!(outcome.stderr.contains(word), "no {word} in: {}", outcome.stderr);
    }
    assert_eq!(outcome.stderr.matches("tracer: ").count(), 1, "one message: {}", outcome.stderr);
    assert!(!outcome.file("ran").exists(), "the command was run");
}

#[test]
fn a_caller_that_ignores_its_childrens_ends_still_gets_the_commands() {
    let session = Trace::case(["exit", "3"]).after("trap '' CHLD").run();
    assert_eq!(session.outcome.status.code(), Some(3), "{}", session.outcome.stderr);
    let look = || Trace::command(["grep", "SigIgn", "/proc/self/status"]).after("trap '' CHLD");
    assert_eq!(look().run().outcome.stdout, look().without_tracer().stdout);
}

#[test]
fn signals_that_are_sent_to_tracer_are_passed_on() {
    for (signal, code) in [("INT", 11), ("QUIT", 12), ("TERM", 13), ("HUP", 14), ("USR1", 15), ("ALRM", 16)] {
        let script = format!("trap 'exit {code}' {signal}; kill -{signal} $PPID; while :; do :; done");
        let session = Trace::sh(&script).run();
        assert_eq!(session.summary["exit_code"], code, "{signal}: {}", session.outcome.stderr);
        let (status, is_order) = (session.outcome.status, signal == "TERM");
        assert_eq!(status.code(), (!is_order).then_some(code), "{signal}: {}", session.outcome.stderr);
        assert_eq!(status.signal(), is_order.then_some(libc::SIGTERM), "tracer itself was told to end");
    }
}

#[test]
fn a_directory_for_temporary_files_is_not_needed() {
    let session = Trace::case(["parallel", "4", "1000"]).after("export TMPDIR=/nonexistent").run();
    session.assert_whole();
    assert_eq!(session.processes.len(), 1 + 4 + 4000);
}

#[test]
fn a_wrapper_that_ran_nothing_is_an_error_unless_that_is_to_be_passed_over() {
    let words = || Trace::command(["timeout", "5", "no-such-command"]);
    let session = words().run();
    assert_eq!(session.outcome.status.code(), Some(125), "{}", session.outcome.stderr);
    assert_eq!(session.summary["subtype"], "unresolved");
    assert_eq!(session.summary["termination_reason"], "TARGET_UNRESOLVED");
    let session = words().flags(["--on-unresolved", "continue"]).run();
    assert_eq!(session.outcome.status.code(), Some(127), "{}", session.outcome.stderr);
}

#[test]
fn a_command_that_runs_as_somebody_else_is_recorded_and_its_target_found() {
    let session = Trace::sh("sleep 0.1; exit 3").flags(["--user", "nobody", "--target", "sleep"]).run();
    session.assert_whole();
    assert_eq!(session.outcome.status.code(), Some(3), "{}", session.outcome.stderr);
    assert!(session.processes.iter().all(|row| row["uid"] == NOBODY), "{:#?}", session.processes);
    assert_eq!((&session.target()["comm"], session.target_rows().is_empty()), (&json!("sleep"), false));
}
