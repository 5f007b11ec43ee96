//! An exec event, read: which program really runs, which script it runs, what its arguments are.
//!
//! For a `#!` script the kernel keeps the script's path as the file name and rewrites the arguments
//! (fs/binfmt_script.c, `load_script`): `INTERPRETER [ARGUMENT] SCRIPT REST...`. With `#!/usr/bin/env node`, `env` then execs
//! `node SCRIPT REST...`, a second exec of the same process in which the script is but an argument.

use super::interpreters::{Runs, behind_env, interpreter, is_shell};
use super::names::basename;
use crate::kernel::event::Exec;

/// Programs that are many, by the name under which they are called.
const MULTI_CALL: [&[u8]; 4] = [b"busybox", b"toybox", b"coreutils", b"uutils"];

/// What a process runs after an exec.
#[derive(Clone, Debug)]
pub(super) struct Image<'a> {
    file: Option<&'a [u8]>,
    /// The kernel named an interpreter: the file is a script.
    by_interpreter: Option<&'a [u8]>,
    args: Vec<&'a [u8]>,
    is_complete: bool,
    /// Arguments in front of the program's own, beside the first: the applet of `busybox sh`.
    applet: usize,
}

impl<'a> Image<'a> {
    /// The image of an exec.
    pub(super) fn of(exec: &'a Exec) -> Self {
        let args: Vec<&[u8]> = if exec.args.unreadable { Vec::new() } else { exec.args.iter().collect() };
        // A file name that was cut has another end, so its basename would be somebody else's.
        let file = (!exec.filename_truncated).then_some(&*exec.filename);
        let called = args.first().map(|arg| basename(arg)).unwrap_or_default();
        let applet = usize::from(args.len() > 1 && MULTI_CALL.contains(&called));
        let is_complete = !exec.args.unreadable && !exec.args.truncated;
        Self { file, by_interpreter: exec.interp.as_deref(), args, is_complete, applet }
    }

    /// The executed file, if its name is known whole.
    pub(super) fn file(&self) -> Option<&'a [u8]> {
        self.file
    }

    /// The basename of the executed file.
    pub(super) fn file_name(&self) -> Option<&'a [u8]> {
        self.file.map(basename)
    }

    /// Whether all of its arguments are known.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The basename of `argv[0]`, without the dash of a login shell.
    pub(super) fn argv0_name(&self) -> Option<&'a [u8]> {
        self.args.first().map(|arg| basename(arg.strip_prefix(b"-").unwrap_or(arg)))
    }

    /// Whether it was started as a login shell is (`-bash`, `bash -l`).
    pub(super) fn is_login_shell(&self) -> bool {
        let options = self.own_args().iter().take_while(|arg| arg.starts_with(b"-"));
        let by_option = |arg: &&[u8]| *arg == b"--login" || (!arg.starts_with(b"--") && arg.contains(&b'l'));
        self.args.first().is_some_and(|arg| arg.starts_with(b"-")) || options.into_iter().any(by_option)
    }

    /// The basename of the program that runs: a script's interpreter, a multi-call program's applet.
    pub(super) fn program(&self) -> &'a [u8] {
        if let Some(interpreter) = self.by_interpreter {
            return basename(interpreter);
        }
        let file = self.file_name().or(self.argv0_name()).unwrap_or_default();
        match self.args.get(self.applet) {
            Some(called) if MULTI_CALL.contains(&file) => {
                basename(called.strip_prefix(b"-").unwrap_or(called))
            }
            _ => file,
        }
    }

    /// The program's own arguments, without its name.
    pub(super) fn own_args(&self) -> &[&'a [u8]] {
        self.args.get(self.applet + 1..).unwrap_or_default()
    }

    /// The path of the script that it runs, if it runs one.
    pub(super) fn script(&self) -> Option<&'a [u8]> {
        if self.by_interpreter.is_some() {
            return self.file;
        }
        match interpreter(self.program())?.runs(self.own_args()) {
            Runs::Script(path) => Some(path),
            Runs::Inline(_) | Runs::Nothing => None,
        }
    }

    /// The basename of that script.
    pub(super) fn script_name(&self) -> Option<&'a [u8]> {
        self.script().map(basename)
    }

    /// The name by which it is known: the script's, or the program's.
    pub(super) fn name(&self) -> &'a [u8] {
        self.script_name().unwrap_or_else(|| self.program())
    }

    /// Every name that somebody may have called it by.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        [self.script_name(), self.file_name(), self.argv0_name(), Some(self.program())].into_iter().flatten()
    }

    /// Whether a command shell interprets it, also by way of `#!/usr/bin/env bash`.
    pub(super) fn is_run_by_a_shell(&self) -> bool {
        let program = self.program();
        match self.by_interpreter {
            Some(_) if program == b"env" => behind_env(self.own_args()).is_some_and(is_shell),
            _ => is_shell(program),
        }
    }

    /// The code of a shell's `-c`, or nothing where it is no `sh -c`. The code may be missing in cut arguments.
    pub(super) fn shell_code(&self) -> Option<&'a [u8]> {
        let shell = interpreter(self.program()).filter(|known| known.is_shell)?;
        if self.by_interpreter.is_some() {
            return None;
        }
        match shell.runs(self.own_args()) {
            Runs::Inline(code) => Some(code.unwrap_or_default()),
            Runs::Script(_) | Runs::Nothing => None,
        }
    }
}
