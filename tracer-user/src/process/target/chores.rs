//! Small utilities that shell code runs on the way to what it is for.
//!
//! `mkdir -p out; make`, `cat in | claude | tee log`: whoever asks for the workload does not mean these, and in a pipeline
//! which of them execs first is chance. They are only passed over where a shell forked them and has more to
//! run (see [`super::script`]); `timeout 60 sleep 50` is a sleep.

const CHORES: &[&str] = &[
    // Files.
    "basename",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "dirname",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "stat",
    "sync",
    "touch",
    // Text.
    "awk",
    "cat",
    "cmp",
    "cut",
    "diff",
    "egrep",
    "fgrep",
    "gawk",
    "grep",
    "head",
    "mawk",
    "sed",
    "sort",
    "tail",
    "tee",
    "tr",
    "uniq",
    "wc",
    "yes",
    // The rest: where am I, who am I, wait a little.
    "[",
    "clear",
    "date",
    "dircolors",
    "echo",
    "expr",
    "false",
    "getconf",
    "getopt",
    "groups",
    "hostname",
    "id",
    "kill",
    "lesspipe",
    "locale",
    "mesg",
    "nproc",
    "printf",
    "ps",
    "pwd",
    "seq",
    "sleep",
    "stty",
    "test",
    "tput",
    "true",
    "tty",
    "uname",
    "which",
    "whoami",
];

/// Commands that a shell runs in its own process. Those that may run anything (`eval`, `.`) are not among them.
const BUILTINS: &[&str] = &[
    ":", "alias", "cd", "declare", "exit", "export", "getopts", "hash", "local", "popd", "pushd", "read",
    "readonly", "return", "set", "shift", "shopt", "trap", "typeset", "ulimit", "umask", "unalias", "unset",
    "wait",
];

/// Whether a program of this basename is a chore.
pub(super) fn is_chore(name: &[u8]) -> bool {
    CHORES.iter().any(|chore| chore.as_bytes() == name)
}

/// Whether this command never execs.
pub(super) fn is_builtin(name: &[u8]) -> bool {
    BUILTINS.iter().any(|builtin| builtin.as_bytes() == name)
}
