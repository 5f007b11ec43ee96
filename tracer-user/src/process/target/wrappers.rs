//! The wrappers that are seen through, each in a row of one table.
//!
//! A program is only a wrapper while it has something to run: `env` alone prints the environment, `sudo -l` lists, `strace -p`
//! attaches to somebody else's process. In such a call it is a workload like any other. `systemd-run` counts with `--scope`
//! alone: without it the command runs under systemd, outside the tree, and systemd-run is all there is to trace.
//! `strace` and `ltrace` count, for whoever traces a command under them means the command. `watch`, `xargs`, `make`
//! and their like do not: they run many commands, and that is their work.
//!
//! A helper is a program that a wrapper starts for itself. It and all that it starts are passed over.

use super::image::Image;
use super::options::{Found, Options};

/// A wrapper.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    options: Options,
    /// How many operands it takes to run a command; 0: without any it runs a shell.
    operands: usize,
    /// What it starts for itself.
    helpers: &'static [&'static str],
    /// It is a script: then its name counts where a script has it, and its chores are helpers too.
    pub(super) is_script: bool,
}

const HELP: &[&str] = &["help", "version"];
/// Helpers of PAM's modules (pam_unix(8), pam_xauth(8), pam_mkhomedir(8), pam_motd(8)).
const PAM: &[&str] = &["unix_chkpwd", "xauth", "mkhomedir_helper", "run-parts"];

const fn known(name: &'static str, operands: usize, short: &'static [u8]) -> Known {
    let options = Options { short, long: &[], stop: HELP, plus: false };
    Known { name, options, operands, helpers: &[], is_script: false }
}

impl Known {
    const fn long(mut self, long: &'static [&'static str]) -> Self {
        self.options.long = long;
        self
    }

    /// Options with which it runs nothing.
    const fn not_with(mut self, stop: &'static [&'static str]) -> Self {
        self.options.stop = stop;
        self
    }

    const fn helpers(mut self, helpers: &'static [&'static str]) -> Self {
        self.helpers = helpers;
        self
    }

    const fn script(mut self) -> Self {
        self.is_script = true;
        self
    }
}

const WRAPPERS: &[Known] = &[
    // Terminals and users.
    known("script", 0, b"BcEIOTmot"),
    known("unbuffer", 1, b"").helpers(&["stty"]).script(),
    known("sudo", 0, b"aCcDgghpRrTtUu")
        .not_with(&["l", "v", "K", "V", "list", "validate", "help", "version"])
        .helpers(&["unix_chkpwd", "xauth", "mkhomedir_helper", "run-parts", "sendmail", "ssh-askpass"]),
    known("sesh", 1, b""),
    known("doas", 0, b"Cu").helpers(PAM),
    known("pkexec", 0, b"").long(&["user"]).helpers(PAM),
    known("su", 0, b"cGgsTw").helpers(PAM),
    known("runuser", 0, b"cGgsTuw").helpers(PAM),
    known("gosu", 2, b""),
    known("su-exec", 2, b""),
    // Environment, limits and scheduling.
    known("env", 1, b"CuaS").long(&["chdir", "unset", "argv0"]).not_with(HELP),
    known("nice", 1, b"n").long(&["adjustment"]),
    known("ionice", 1, b"cn")
        .long(&["class", "classdata"])
        .not_with(&["p", "P", "u", "pid", "pgid", "uid", "help"]),
    known("chrt", 1, b"DPT").not_with(&["p", "m", "pid", "max", "help"]),
    known("taskset", 2, b"").not_with(&["p", "pid", "help"]),
    known("numactl", 1, b"CcimNPp").not_with(&["H", "s", "hardware", "show"]),
    known("prlimit", 1, b"o").not_with(&["p", "pid", "help"]),
    known("setpriv", 1, b"")
        .long(&["reuid", "regid", "groups", "inh-caps", "bounding-set", "securebits"])
        .not_with(&["d", "dump", "help"]),
    known("stdbuf", 1, b"eio").long(&["input", "output", "error"]),
    known("chroot", 1, b""),
    known("unshare", 0, b"RSGw"),
    known("nsenter", 0, b"tSGWe").long(&["target", "setuid", "setgid"]),
    known("eatmydata", 1, b"").script(),
    known("fakeroot", 0, b"lsiub").helpers(&["faked", "faked-sysv", "faked-tcp"]).script(),
    // Time, order and sessions.
    known("timeout", 2, b"ks").long(&["kill-after", "signal"]),
    known("time", 1, b"fo").long(&["format", "output"]),
    known("nohup", 1, b""),
    known("setsid", 1, b""),
    known("flock", 2, b"Ew").long(&["conflict-exit-code", "timeout", "wait"]),
    known("xvfb-run", 1, b"enfpsw").helpers(&["Xvfb", "xauth", "mcookie", "fmt"]).script(),
    known("dbus-run-session", 1, b"")
        .long(&["config-file", "dbus-daemon"])
        .helpers(&["dbus-daemon", "dbus-broker-launch"]),
    known("ssh-agent", 1, b"aEPt").not_with(&["k"]),
    known("systemd-run", 1, b"EpuMHGtC").helpers(&["systemd-tty-ask-password-agent", "pkttyagent"]),
    known("systemd-inhibit", 1, b"").not_with(&["list", "help"]),
    // First processes of containers.
    known("tini", 1, b"ep"),
    known("tini-static", 1, b"ep"),
    known("docker-init", 1, b"ep"),
    known("dumb-init", 1, b"r").long(&["rewrite"]),
    known("catatonit", 1, b"g"),
    // Tracers.
    known("strace", 1, b"aEeIObopPSsUuX").not_with(&["p", "attach", "help", "version"]),
    known("ltrace", 1, b"aAeDFlnopsuwx").not_with(&["p", "help", "version"]),
    known("tracer", 2, b""),
];

/// The wrapper that `image` is, if it is one and has something to run.
pub(super) fn wrapper(image: &Image<'_>) -> Option<&'static Known> {
    let script = image.script_name();
    let name = script.unwrap_or_else(|| image.program());
    let known = WRAPPERS.iter().find(|known| known.name.as_bytes() == name)?;
    if script.is_some() {
        // Where a script's own arguments begin depends on its interpreter: its name alone has to do.
        return known.is_script.then_some(known);
    }
    // What it runs may stand where the arguments were cut.
    (!image.is_complete() || known.runs_something(image.own_args())).then_some(known)
}

impl Known {
    /// Whether `name` is a program that it starts for itself.
    pub(super) fn has_helper(&self, name: &[u8]) -> bool {
        self.helpers.iter().any(|helper| helper.as_bytes() == name)
    }

    fn runs_something(&self, args: &[&[u8]]) -> bool {
        let Found::Operands(operands) = self.options.scan(args) else { return false };
        match self.name {
            "env" => splits_a_string(args) || operands.iter().any(|word| !word.contains(&b'=')),
            "systemd-run" => args.contains(&b"--scope".as_slice()) && !operands.is_empty(),
            "tracer" => operands.first() == Some(&b"run".as_slice()),
            _ => operands.len() >= self.operands,
        }
    }
}

/// `env -S 'X=1 claude'`: the command is in the option's value.
fn splits_a_string(args: &[&[u8]]) -> bool {
    let options = args.iter().take_while(|arg| arg.starts_with(b"-") && **arg != b"--");
    let split =
        |arg: &&[u8]| arg.starts_with(b"--split-string") || (!arg.starts_with(b"--") && arg.contains(&b'S'));
    options.into_iter().any(split)
}
