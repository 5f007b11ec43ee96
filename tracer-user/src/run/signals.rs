//! Signals: what the command inherits, what tracer does with its own, and how it dies of one.

use std::io;

use rustix::process::{Pid, Resource, Rlimit, Signal, setrlimit};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// Signals whose disposition this process changes, and that the command must find as they were.
const CHANGED: [libc::c_int; 5] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE];

/// What the command is to find: which of `CHANGED` were ignored when tracer was started.
#[derive(Clone, Debug)]
pub struct Inherited {
    ignored: [bool; CHANGED.len()],
}

impl Inherited {
    /// Takes note, and then ignores SIGPIPE, as every Rust program does: a closed pipe is an error like others. Must
    /// be called first of all, before any handler is installed.
    #[must_use]
    pub fn capture() -> Self {
        let inherited = Self { ignored: CHANGED.map(is_ignored) };
        // SAFETY: a system call on a valid signal number with a constant disposition.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        inherited
    }

    /// Whether `signal` was ignored.
    fn ignores(&self, signal: libc::c_int) -> bool {
        CHANGED.iter().zip(self.ignored).any(|(changed, ignored)| *changed == signal && ignored)
    }

    /// In the child: puts the dispositions back. exec resets handlers by itself, so only the rest is to do.
    pub(super) fn restore(&self) {
        for (signal, ignored) in CHANGED.iter().zip(self.ignored) {
            let handler = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
            // SAFETY: a system call on a valid signal number with one of the two constant dispositions.
            unsafe { libc::signal(*signal, handler) };
        }
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: an all-zero `sigaction` is a valid value to be overwritten.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks; `action` outlives the call.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// tracer's own signals while the command runs.
pub struct Signals {
    /// To be passed on: they were meant for the command.
    passed_on: Vec<(Signal, Stream)>,
    /// A terminal sends these to the command too; tracer only has to survive them.
    _survived: Vec<Stream>,
}

impl Signals {
    /// Installs the handlers, except where a signal was ignored. Must be called inside a tokio runtime.
    pub fn install(inherited: &Inherited) -> io::Result<Self> {
        let wanted = |kind: SignalKind| !inherited.ignores(kind.as_raw_value());
        let mut passed_on = Vec::new();
        for (kind, number) in [(SignalKind::terminate(), Signal::TERM), (SignalKind::hangup(), Signal::HUP)] {
            if wanted(kind) {
                passed_on.push((number, signal(kind)?));
            }
        }
        let survived = [SignalKind::interrupt(), SignalKind::quit()].into_iter().filter(|kind| wanted(*kind));
        Ok(Self { passed_on, _survived: survived.map(signal).collect::<io::Result<_>>()? })
    }

    /// Waits for a signal that is to be passed on.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (number, stream) in &mut self.passed_on {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Dies as the command did: by the same signal, without a core of its own. Returns only if the signal does not kill.
pub fn die_by(signal: u8) {
    // A core limit that can't be lowered costs a file; the death itself must not wait for that.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // SAFETY: a system call on a signal number with a constant disposition.
    unsafe { libc::signal(signal.into(), libc::SIG_DFL) };
    let Some(pid) = Pid::from_raw(std::process::id().cast_signed()) else { return };
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(pid.as_raw_nonzero().get(), signal.into()) };
}
