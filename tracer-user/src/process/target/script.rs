//! The code of `sh -c CODE`, looked at just closely enough to tell the workload from what runs before it.
//!
//! This is no shell parser: quoting is not followed, nothing is expanded. It only ever decides about processes that a
//! shell *forked*. A shell that execs a program in its own process has nothing left to do, so that program is what it
//! was for. Where the code can't be understood, fewer processes are passed over, not more, but for one kind: a login
//! shell reads start-up files first, and only a process that the code names can be told from theirs.

use super::chores::{is_builtin, is_chore};
use super::image::Image;
use super::names::basename;

/// Bytes that end a command.
const ENDS: &[u8] = b";&|\n(){}`";
/// Words in front of a command.
const IN_FRONT: &[&[u8]] = &[
    b"!", b"do", b"done", b"elif", b"else", b"esac", b"exec", b"fi", b"if", b"then", b"time", b"until",
    b"while", b"builtin", b"command",
];
/// Words that begin something which is no command.
const NO_COMMAND: &[&[u8]] = &[b"case", b"for", b"function", b"select"];
/// Shells that read start-up files for `-c` too (zsh(1), fish(1), csh(1)).
const READ_FILES: &[&[u8]] = &[b"zsh", b"fish", b"csh", b"tcsh"];

/// A shell's code.
#[derive(Clone, Debug)]
pub(super) struct Script {
    code: Vec<u8>,
    reads_files: bool,
}

impl Script {
    /// The code that `image` runs, if it is a `sh -c`.
    pub(super) fn of(image: &Image<'_>) -> Option<Self> {
        let code = image.shell_code()?.to_vec();
        // Code that was cut may name anything further on.
        let reads_files = image.is_login_shell() || READ_FILES.contains(&image.program());
        Some(Self { code, reads_files: reads_files && image.is_complete() })
    }

    /// Whether a program that the shell forked is not yet what the code is for.
    pub(super) fn passes_over(&self, image: &Image<'_>) -> bool {
        if self.reads_files && !image.names().any(|name| self.mentions(name)) {
            return true;
        }
        let name = image.name();
        is_chore(name) && self.is_compound() && self.last_chore() != Some(name)
    }

    /// Whether there may be more than one command.
    fn is_compound(&self) -> bool {
        self.code.iter().any(|byte| ENDS.contains(byte))
    }

    /// Whether the code has this word anywhere, alone or as the end of a path.
    fn mentions(&self, name: &[u8]) -> bool {
        let in_word =
            |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_./+-@[".contains(&byte);
        self.code.split(|byte| !in_word(*byte)).any(|word| basename(word) == name)
    }

    /// The last command, where all commands are chores: then that is what the code is for.
    fn last_chore(&self) -> Option<&[u8]> {
        let mut last = None;
        for command in self.code.split(|byte| ENDS.contains(byte)).filter_map(command) {
            if is_builtin(command) {
                continue;
            }
            if !is_chore(command) {
                return None;
            }
            last = Some(command);
        }
        last
    }
}

/// The basename of the command in a part of the code that holds at most one.
fn command(part: &[u8]) -> Option<&[u8]> {
    let mut words = part.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let word = words.find(|word| !IN_FRONT.contains(word) && !is_assignment(word))?;
    let bare = word.trim_ascii().strip_prefix(b"\"").or(word.strip_prefix(b"'")).unwrap_or(word);
    let bare = bare.strip_suffix(b"\"").or(bare.strip_suffix(b"'")).unwrap_or(bare);
    (!NO_COMMAND.contains(&word)).then_some(basename(bare))
}

fn is_assignment(word: &[u8]) -> bool {
    let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
    name.len() < word.len() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::Script;

    fn script(code: &str) -> Script {
        Script { code: code.into(), reads_files: false }
    }

    #[test]
    fn code_of_chores_alone_is_for_the_last() {
        for (code, last) in [
            ("mkdir x; sleep 1", Some("sleep")),
            ("cd /tmp && X=1 'sleep' 1; exit 3", Some("sleep")),
            ("if true; then /bin/cat f; fi", Some("cat")),
            ("mkdir x; make", None),
            ("for i in 1 2; do touch $i; done", Some("touch")),
            ("sleep 1; $COMMAND", None),
            ("sleep 1; eval x", None),
            (":", None),
        ] {
            assert_eq!(script(code).last_chore(), last.map(str::as_bytes), "{code}");
        }
    }

    #[test]
    fn a_word_is_found_alone_and_behind_a_path() {
        let code = script("cd /tmp&&\"/opt/x/claude\" --resume=make");
        assert!(code.mentions(b"claude") && code.mentions(b"make"));
        assert!(!code.mentions(b"clau") && !code.mentions(b"opt"));
    }
}
