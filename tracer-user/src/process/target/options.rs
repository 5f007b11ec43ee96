//! Where a command's options end: just enough of getopt(3) to find an interpreter's script or a wrapper's command.
//!
//! A table says which options take a value, since that is not to be seen from outside. An option that no table knows is
//! taken for one without; then its value is taken for the first operand, which makes a name nobody asks for, not a crash.

/// What is known of a program's options.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// Short options with a value: `n` for `-n 5` and `-n5`.
    pub(super) short: &'static [u8],
    /// Long options whose value may be the next argument, without their dashes.
    pub(super) long: &'static [&'static str],
    /// Options that leave no operand to be found: `c` for `python -c CODE`, `help`. One letter is a short option.
    pub(super) stop: &'static [&'static str],
    /// `+x` is an option too, as shells have it.
    pub(super) plus: bool,
}

/// What comes after the options.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'s, 'a> {
    /// Operands, the first of them first. There may be none.
    Operands(&'s [&'a [u8]]),
    /// One of `stop` came first, and this behind it.
    Stopped(&'static str, &'s [&'a [u8]]),
}

impl Options {
    /// Looks through arguments, without `argv[0]`.
    pub(super) fn scan<'s, 'a>(&self, mut args: &'s [&'a [u8]]) -> Found<'s, 'a> {
        while let Some((first, rest)) = args.split_first() {
            let skip = match first {
                [b'-', b'-'] => return Found::Operands(rest),
                [b'-', b'-', long @ ..] => match self.long(long) {
                    Step::Stop(name) => return Found::Stopped(name, rest),
                    Step::Skip(skip) => skip,
                },
                [b'+', ..] if self.plus => 0,
                [b'-', letters @ ..] if !letters.is_empty() => match self.short(letters) {
                    Step::Stop(name) => return Found::Stopped(name, rest),
                    Step::Skip(skip) => skip,
                },
                _ => return Found::Operands(args),
            };
            args = rest.get(skip..).unwrap_or_default();
        }
        Found::Operands(args)
    }

    fn long(&self, option: &[u8]) -> Step {
        let is = |name: &&str| name.as_bytes() == option;
        match self.stop.iter().find(|name| is(name)) {
            Some(name) => Step::Stop(name),
            None => Step::Skip(usize::from(self.long.iter().any(is))),
        }
    }

    /// Letters behind one dash: the first that takes a value takes the rest, or the next argument.
    fn short(&self, letters: &[u8]) -> Step {
        for (at, letter) in letters.iter().enumerate() {
            if let Some(name) = self.stop.iter().find(|name| name.as_bytes() == [*letter]) {
                return Step::Stop(name);
            }
            if self.short.contains(letter) {
                return Step::Skip(usize::from(at + 1 == letters.len()));
            }
        }
        Step::Skip(0)
    }
}

enum Step {
    Skip(usize),
    Stop(&'static str),
}

#[cfg(test)]
mod tests {
    use super::{Found, Options};

    const SHELL: Options = Options { short: b"oO", long: &["rcfile"], stop: &["c", "help"], plus: true };

    fn found(line: &str) -> String {
        let args: Vec<&[u8]> = line.split(' ').filter(|arg| !arg.is_empty()).map(str::as_bytes).collect();
        let text = |args: &[&[u8]]| String::from_utf8(args.join(&b' ')).unwrap();
        match SHELL.scan(&args) {
            Found::Operands(operands) => text(operands),
            Found::Stopped(name, rest) => format!("{name}: {}", text(rest)),
        }
    }

    #[test]
    fn the_first_operand_stands_behind_options_and_their_values() {
        assert_eq!(found("-x -o pipefail --rcfile F --posix +x go.sh -c"), "go.sh -c");
        assert_eq!(found("-opipefail go.sh"), "go.sh");
        assert_eq!(found("-- -c"), "-c");
        assert_eq!(found("- x"), "- x");
    }

    #[test]
    fn a_letter_among_others_stops() {
        assert_eq!(found("-exc make"), "c: make");
        assert_eq!(found("--help x"), "help: x");
    }

    #[test]
    fn a_missing_value_leaves_nothing() {
        assert_eq!(found("-o"), "");
        assert_eq!(found(""), "");
    }
}
