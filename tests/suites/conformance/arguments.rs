//! The words of a command, argv[0] first.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use tests::conform::Case;

#[test]
fn words_of_any_bytes_and_empty_ones_stay() {
    let words = [&b"\xff\xfe"[..], b"", b"\n", b"--", b"-q", b"", b"--log-dir=x", b"\\x41"];
    let seen = Case::reveal().args(words.map(OsStr::from_bytes)).assert_unnoticed();
    assert_eq!(seen.facts["argv 2"], r"\xff\xfe");
    assert_eq!((seen.facts["argv 3"].as_str(), seen.facts["argv 5"].as_str()), ("", "--"));
    assert!(
        seen.facts["argv 0"].ends_with("/reveal"),
        "argv[0] is what was called: {}",
        seen.facts["argv 0"]
    );
}

#[test]
fn a_command_may_have_nearly_as_many_words_as_the_kernel_allows() {
    // A quarter of the stack's limit, 2 MiB, is for all words, their pointers and the environment (execve(2)).
    let many: Vec<OsString> = (0..100_000).map(|number| format!("word {number}").into()).collect();
    let seen =
        Case::command(["sh", "-c", "echo $#; printf %s \"$*\" | md5sum", "sh"]).args(many).assert_unnoticed();
    assert!(seen.stdout.starts_with(b"100000\n"));
    let long = "x".repeat((128 << 10) - 1);
    let words: Vec<&str> = (0..15).map(|_| long.as_str()).collect();
    let seen = Case::command(["sh", "-c", "echo $#; printf %s \"$*\" | md5sum", "sh"])
        .args(words)
        .assert_unnoticed();
    assert!(seen.stdout.starts_with(b"15\n"));
}
