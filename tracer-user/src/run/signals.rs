//! Signals: what the command inherits, what tracer does with its own, and how it dies of one.
//!
//! tracer has no handlers. Signals that would end it are blocked and read from a descriptor (signalfd(2)), so what the
//! command inherits is easily put back: its mask, the three dispositions that tracer needs otherwise, and one that the C
//! library changes. A signal that somebody sent to tracer was meant for the command, and is passed on. Those of a terminal
//! reach the command by themselves, unless it has a terminal of its own; tracer only has to survive them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::process::{Pid, Resource, Rlimit, setrlimit};
use tokio::io::unix::AsyncFd;

use super::pipes::Pipes;
use super::room::{NoRoom, Room};
use super::ties::Ties;

/// A signal's number.
pub type Number = libc::c_int;

/// Dispositions that tracer needs for itself: a closed pipe or a file size limit is an error like others, and children
/// are waited for.
const OWN: [(Number, libc::sighandler_t); 3] =
    [(libc::SIGPIPE, libc::SIG_IGN), (libc::SIGXFSZ, libc::SIG_IGN), (libc::SIGCHLD, libc::SIG_DFL)];

/// A signal that the C library keeps to itself (glibc, `SIGSETXID`): with the first thread it gets a handler, and its
/// sigaction(2) knows nothing of it.
const HIDDEN: Number = 33;

/// Signals that somebody may send to tracer and mean the command: those that end a process, stop it, or let it go on, and
/// those that do nothing unless a program asks for them. A fault of tracer's own ends it all the same, since the kernel
/// does not let a process block that (`force_sig_info`, kernel/signal.c).
const TAKEN: [Number; 25] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGSTKFLT,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGTRAP,
    libc::SIGCONT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGURG,
    libc::SIGWINCH,
];

/// Of these, the ones that a terminal sends to everybody in a process group, and so to the command.
const FROM_TERMINALS: [Number; 7] =
    [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGWINCH];
/// `si_code` of a signal that the kernel sent by itself (sigaction(2)).
const SI_KERNEL: i32 = 0x80;

/// What the command is to find.
#[derive(Clone)]
pub struct Inherited {
    dispositions: [libc::sighandler_t; OWN.len()],
    hidden: libc::sighandler_t,
    mask: libc::sigset_t,
    room: Room,
    ties: Ties,
    pub(super) pipes: Pipes,
}

impl Inherited {
    /// Takes note, sets tracer's own dispositions and makes room for it. Must be called first of all.
    pub fn capture() -> Result<Self, NoRoom> {
        let room = Room::make()?;
        // SAFETY: a system call on valid signal numbers with constant dispositions. What a C program had as a handler
        // is gone since exec, so what comes back is SIG_DFL or SIG_IGN.
        let dispositions = OWN.map(|(signal, own)| unsafe { libc::signal(signal, own) });
        let mask = change_mask(libc::SIG_BLOCK, &[]);
        let hidden = disposition(HIDDEN, None);
        Ok(Self { dispositions, hidden, mask, room, ties: Ties::note(), pipes: Pipes::note() })
    }

    /// In the child: puts everything back.
    pub(super) fn restore(&self) {
        self.ties.tie();
        // A soft limit that goes back below the hard one is never refused (setrlimit(2)).
        let _ = self.room.give_back();
        for ((signal, _), disposition) in OWN.iter().zip(self.dispositions) {
            // SAFETY: a system call on a valid signal number with a disposition that was there before.
            unsafe { libc::signal(*signal, disposition) };
        }
        disposition(HIDDEN, Some(self.hidden));
        self.restore_mask();
    }

    fn restore_mask(&self) {
        // SAFETY: reads a mask that the kernel filled in; the old one is not asked for.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, std::ptr::null_mut()) };
    }
}

/// The disposition of a signal as the kernel has it, and the new one that it gets, if there is one: SIG_DFL or SIG_IGN.
fn disposition(signal: Number, new: Option<libc::sighandler_t>) -> libc::sighandler_t {
    /// As the kernel has it (rt_sigaction(2)); the C library's is another.
    #[repr(C)]
    #[derive(Default)]
    struct Action {
        handler: libc::sighandler_t,
        flags: libc::c_ulong,
        restorer: usize,
        mask: u64,
    }
    let new = new.map(|handler| Action { handler, ..Action::default() });
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let mut before = Action::default();
    // SAFETY: reads a local or nothing, and writes a local, of the size that the kernel knows.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, &raw mut before, size_of::<u64>()) };
    before.handler
}

/// Changes this thread's mask by `signals`, and returns the one before.
fn change_mask(how: libc::c_int, signals: &[Number]) -> libc::sigset_t {
    let set = set_of(signals);
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: reads a local set and writes a local one.
    unsafe { libc::sigprocmask(how, &raw const set, before.as_mut_ptr()) };
    // SAFETY: integers only, so zeros are a value of it even if the call failed.
    unsafe { before.assume_init() }
}

fn set_of(signals: &[Number]) -> libc::sigset_t {
    // SAFETY: `sigset_t` is integers only, so zeros are a value of it: the empty set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in signals {
        // SAFETY: writes a local set; the number is a valid signal.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    set
}

/// tracer's own signals while the command runs.
pub struct Signals {
    descriptor: AsyncFd<OwnedFd>,
}

impl Signals {
    /// Blocks the signals and opens the descriptor. Must be called inside a tokio runtime, before the command is started.
    pub fn take() -> io::Result<Self> {
        let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
        let signals: Vec<Number> = TAKEN.into_iter().chain([libc::SIGCHLD]).chain(real_time).collect();
        change_mask(libc::SIG_BLOCK, &signals);
        let set = set_of(&signals);
        // SAFETY: reads a local set.
        let raw = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: the registration owns the descriptor.
        Ok(Self { descriptor: unsafe { AsyncFd::register(descriptor) }? })
    }

    /// Waits for the next one. SIGCHLD, which is tracer's own, is among them.
    pub async fn next(&mut self) -> Sent {
        loop {
            let Ok(mut ready) = self.descriptor.readable().await else { return std::future::pending().await };
            match read_one(ready.get_inner()) {
                None => ready.clear_ready(),
                Some(sent) => return sent,
            }
        }
    }
}

/// A signal that came to tracer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub signal: Number,
    /// The process that sent it.
    pub sender: u32,
    /// A terminal sent it, to everybody in a process group.
    pub keyed: bool,
}

/// The next signal, if one is waiting.
fn read_one(descriptor: &OwnedFd) -> Option<Sent> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: writes at most `size` bytes to a local of that size.
    let read = unsafe { libc::read(descriptor.as_raw_fd(), info.as_mut_ptr().cast(), size) };
    if usize::try_from(read) != Ok(size) {
        return None;
    }
    // SAFETY: integers only, and the kernel has filled all of it.
    let info = unsafe { info.assume_init() };
    let signal = Number::try_from(info.ssi_signo).ok()?;
    let keyed = info.ssi_code == SI_KERNEL && FROM_TERMINALS.contains(&signal);
    Some(Sent { signal, sender: info.ssi_pid, keyed })
}

/// Stops this process by a signal, as the command was stopped; returns once it goes on. A stop by a terminal's signal does
/// not take place where nobody could end it: in an orphaned process group (setpgid(2)).
pub(super) fn stop_by(signal: Number) {
    // To ignore it discards the one that the terminal may have sent to tracer too: one stop, not two (signal(7)).
    // SAFETY: a system call on a valid signal number with a constant disposition.
    let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
    // SAFETY: as before.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    change_mask(libc::SIG_UNBLOCK, &[signal]);
    let me = std::process::id().cast_signed();
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(me, signal) };
    change_mask(libc::SIG_BLOCK, &[signal]);
    // SAFETY: a system call on a valid signal number with the disposition that was there before.
    unsafe { libc::signal(signal, before) };
}

/// Dies as the command did: by the same signal, without a core of its own. Returns only if the signal does not kill.
pub fn die_by(signal: u8) {
    let signal = Number::from(signal);
    // A core limit that can't be lowered costs a file; the death itself must not wait for that.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // SAFETY: a system call on a signal number with a constant disposition.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    change_mask(libc::SIG_UNBLOCK, &[signal]);
    let Some(pid) = Pid::from_raw(std::process::id().cast_signed()) else { return };
    // SAFETY: a system call without pointers.
    unsafe { libc::kill(pid.as_raw_nonzero().get(), signal) };
}
