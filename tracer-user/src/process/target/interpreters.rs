//! Programs that run a script named among their arguments, and how to find its name.
//!
//! The kernel names a script only where it was executed itself (`#!`). Of `node /usr/bin/claude` it says `node`; the
//! script is the first operand, for a program that is known to take one there. For any other program an operand is
//! just an operand: `cat claude` is no `claude`. A module (`python -m pytest`) is not a script, since its name is no file's.

use super::names::basename;
use super::options::{Found, Options};

/// What follows an interpreter's options.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Runs<'a> {
    /// A script, by its path.
    Script(&'a [u8]),
    /// Code that stands in the arguments (`-c CODE`): for a shell, that code and what its own arguments are.
    Inline(Option<&'a [u8]>),
    /// Neither: it reads its input, or is interactive.
    Nothing,
}

/// A family of interpreters.
#[derive(Debug)]
pub(super) struct Interpreter {
    names: &'static [&'static str],
    options: Options,
    /// Is a command shell.
    pub(super) is_shell: bool,
}

const SHELL: Options = Options {
    short: b"oO",
    long: &["rcfile", "init-file", "init-command"],
    stop: &["c", "s", "help", "version", "command"],
    plus: true,
};

const INTERPRETERS: [Interpreter; 8] = [
    Interpreter {
        names: &[
            "sh", "bash", "rbash", "dash", "ash", "ksh", "ksh93", "mksh", "lksh", "oksh", "pdksh", "posh",
            "yash", "zsh", "fish", "csh", "tcsh",
        ],
        options: SHELL,
        is_shell: true,
    },
    Interpreter {
        names: &["python", "pypy", "pythonw"],
        options: Options {
            short: b"WX",
            long: &["check-hash-based-pycs"],
            stop: &["c", "m", "help", "version"],
            plus: false,
        },
        is_shell: false,
    },
    Interpreter {
        names: &["node", "nodejs", "bun"],
        options: Options {
            short: b"rC",
            long: &["require", "import", "loader", "experimental-loader", "conditions", "env-file"],
            stop: &["e", "p", "eval", "print", "help", "version"],
            plus: false,
        },
        is_shell: false,
    },
    Interpreter {
        names: &["perl"],
        options: Options { short: b"ICD", long: &[], stop: &["e", "E", "v"], plus: false },
        is_shell: false,
    },
    Interpreter {
        names: &["ruby", "jruby", "truffleruby"],
        options: Options { short: b"rICE", long: &[], stop: &["e", "version", "help"], plus: false },
        is_shell: false,
    },
    Interpreter {
        names: &["php"],
        options: Options { short: b"cdz", long: &[], stop: &["r", "i", "v"], plus: false },
        is_shell: false,
    },
    Interpreter {
        names: &["lua", "luajit"],
        options: Options { short: b"l", long: &[], stop: &["e", "v"], plus: false },
        is_shell: false,
    },
    Interpreter {
        names: &["tclsh", "expect", "wish"],
        options: Options { short: b"", long: &[], stop: &["c"], plus: false },
        is_shell: false,
    },
];

/// The interpreter with this basename; `python3.11` is `python`, `tclsh8.6` is `tclsh`.
pub(super) fn interpreter(name: &[u8]) -> Option<&'static Interpreter> {
    let plain = without_version(name);
    INTERPRETERS
        .iter()
        .find(|known| known.names.iter().any(|known| [name, plain].contains(&known.as_bytes())))
}

/// Whether a program of this basename is a command shell.
pub(super) fn is_shell(name: &[u8]) -> bool {
    interpreter(name).is_some_and(|known| known.is_shell)
}

/// A tool's name without the version behind it: `python3.11` and `python3` are both `python`.
pub(super) fn without_version(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-'));
    end.map_or(name, |end| &name[..=end])
}

impl Interpreter {
    /// What it runs, given its arguments without `argv[0]`.
    pub(super) fn runs<'a>(&self, args: &[&'a [u8]]) -> Runs<'a> {
        match self.options.scan(args) {
            Found::Stopped("c" | "command", rest) if self.is_shell => Runs::Inline(self.code(rest)),
            Found::Stopped("e" | "E" | "c" | "r" | "p" | "eval" | "print", _) => Runs::Inline(None),
            Found::Operands([script, ..]) if *script != b"-" => Runs::Script(script),
            Found::Stopped(..) | Found::Operands(_) => Runs::Nothing,
        }
    }

    /// The code of `-c`: the first operand, for a shell takes further options in between (`bash -c -e CODE`).
    fn code<'a>(&self, rest: &[&'a [u8]]) -> Option<&'a [u8]> {
        match self.options.scan(rest) {
            Found::Operands(operands) => operands.first().copied(),
            Found::Stopped(_, operands) => operands.first().copied(),
        }
    }
}

/// The basename of the interpreter that `env` looks for in `#!/usr/bin/env [-S] [OPTION]... [NAME=VALUE]... PROGRAM`.
pub(super) fn behind_env<'a>(args: &[&'a [u8]]) -> Option<&'a [u8]> {
    let words = args.iter().flat_map(|arg| arg.split(|byte| *byte == b' '));
    let mut programs =
        words.filter(|word| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'='));
    programs.next().map(basename)
}

#[cfg(test)]
mod tests {
    use super::{Runs, behind_env, interpreter, without_version};

    fn runs(line: &str) -> String {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        match interpreter(args[0]).map(|known| known.runs(&args[1..])) {
            None => "unknown".to_owned(),
            Some(Runs::Script(path)) => String::from_utf8_lossy(path).into_owned(),
            Some(Runs::Inline(code)) => format!("inline {:?}", code.map(String::from_utf8_lossy)),
            Some(Runs::Nothing) => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_script_is_the_first_operand_of_a_known_interpreter() {
        assert_eq!(runs("node --require ./hook /usr/bin/claude -p"), "/usr/bin/claude");
        assert_eq!(runs("python3.11 -W error -X dev -u script.py -c"), "script.py");
        assert_eq!(runs("bash -o pipefail go.sh"), "go.sh");
        assert_eq!(runs("tclsh8.6 /usr/bin/unbuffer ls"), "/usr/bin/unbuffer");
        assert_eq!(runs("cat claude"), "unknown");
    }

    #[test]
    fn code_in_the_arguments_is_no_script() {
        assert_eq!(runs("python3 -Bc import claude"), "inline None");
        assert_eq!(runs("python3 -m claude"), "nothing");
        assert_eq!(runs("node -e claude"), "inline None");
        assert_eq!(runs("bash"), "nothing");
        assert_eq!(runs("sh -s claude"), "nothing");
    }

    #[test]
    fn a_shells_code_may_stand_behind_further_options() {
        assert_eq!(runs("bash -exc make"), "inline Some(\"make\")");
        assert_eq!(runs("bash -c -e make all"), "inline Some(\"make\")");
        assert_eq!(runs("sh -c"), "inline None");
    }

    #[test]
    fn versions_are_no_part_of_a_name() {
        assert_eq!(without_version(b"python3.11"), b"python");
        assert_eq!(without_version(b"pip-3"), b"pip");
        assert_eq!(without_version(b"7"), b"7");
    }

    #[test]
    fn the_interpreter_behind_env_is_its_first_program() {
        assert_eq!(behind_env(&[b"bash", b"/x/y"]), Some(b"bash".as_slice()));
        assert_eq!(behind_env(&[b"-S node --no-warnings", b"/x/y"]), Some(b"node".as_slice()));
        assert_eq!(behind_env(&[b"A=1", b"/usr/bin/python3"]), Some(b"python3".as_slice()));
    }
}
