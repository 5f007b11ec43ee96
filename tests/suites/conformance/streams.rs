//! stdin, stdout and stderr: the same files, so the same bytes and the same errors.

use tests::conform::{Case, Under, pattern};

use crate::given::{ignore, open_as};

#[test]
fn a_hundred_megabytes_of_any_bytes_go_through_a_pipe() {
    let seen = Case::command(["cat"]).stdin_mib(100).run(Under::Tracer);
    assert_eq!((seen.status, seen.stdout.len()), (0, 100 << 20));
    for (number, mib) in seen.stdout.chunks(1 << 20).enumerate() {
        assert!(mib == pattern(number), "MiB {number} is another");
    }
}

#[test]
fn any_bytes_go_to_both_streams() {
    let bytes: Vec<u8> = (0..4).flat_map(pattern).collect();
    let seen = Case::sh("tee /dev/stderr").stdin(bytes.clone()).assert_unnoticed();
    assert!(seen.stdout == bytes && seen.stderr == bytes);
}

#[test]
fn a_full_device_is_the_commands_own_error() {
    for fd in [1, 2] {
        let case = Case::sh("echo one && echo two >&2 && echo both");
        let seen = case.given(move || open_as(c"/dev/full", libc::O_WRONLY, fd)).assert_unnoticed();
        assert_ne!(seen.status, 0, "the shell sees the error");
    }
}

#[test]
fn a_full_stderr_costs_tracers_words_and_not_the_commands_status() {
    let case = Case::sh("exit 4").flags(["-v"]).given(|| open_as(c"/dev/full", libc::O_WRONLY, 2));
    assert_eq!(case.run(Under::Tracer).status, 4 << 8);
}

#[test]
fn a_writer_whose_reader_is_gone_dies_by_sigpipe_unless_that_is_ignored() {
    let script = "{ yes 2>said; echo $? >code; } | head -n 1; cat code said";
    let seen = Case::sh(script).assert_unnoticed();
    assert_eq!(seen.stdout, b"y\n141\n");
    let seen = Case::sh(script).given(|| ignore(&[libc::SIGPIPE])).assert_unnoticed();
    assert!(String::from_utf8_lossy(&seen.stdout).contains("Broken pipe"), "{}", seen.stdout.escape_ascii());
}
