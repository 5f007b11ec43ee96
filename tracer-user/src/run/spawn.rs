//! Starts the command, the way a shell would, and says how it went.
//!
//! The child is a copy of this process until it runs the command, so it may only make system calls there. It gets the
//! streams, directory, environment and limits of tracer; signals that the runtime changed go back to what they were.

use std::cell::OnceCell;
use std::ffi::{CString, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, getpgid, getpgrp, kill_process, pidfd_open,
    pidfd_send_signal, waitid, waitpid,
};
use tokio::io::unix::AsyncFd;

use super::outcome::FAILED;
use super::signals::{Inherited, Number};
use super::user::Account;

/// A started command.
pub struct Child {
    /// Its process id.
    pub pid: Pid,
    /// Its process, which is readable once it has ended.
    pidfd: AsyncFd<OwnedFd>,
    failure: std::fs::File,
    not_run: OnceCell<Option<i32>>,
}

/// What the command has that is not tracer's own.
#[derive(Debug, Default)]
pub struct Ends {
    /// In the place of stdin, stdout and stderr; `None`: tracer's own, untouched.
    pub streams: [Option<OwnedFd>; 3],
    /// A terminal, whose session the command is to lead.
    pub terminal: Option<OwnedFd>,
}

/// How the command ended, from `wait4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its raw wait status.
    pub status: u32,
    /// CPU time of the command and of all descendants that were waited for, µs.
    pub cpu_us: u64,
    /// Why it could not be run at all: the error of `execvp`; with status 125, of the change to another user.
    pub not_run: Option<i32>,
}

/// Why no process could be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// An argument holds a NUL byte.
    #[error("an argument of the command holds a NUL byte")]
    Nul,
    /// The kernel refused.
    #[error("no process can be started")]
    Fork(#[source] io::Error),
}

impl Child {
    /// Forks, and runs `command` in the child, as `user` and with these ends. Must be called inside a tokio runtime.
    pub fn spawn(
        command: &[OsString],
        user: Option<&Account>,
        inherited: &Inherited,
        ends: &Ends,
    ) -> Result<Self, SpawnError> {
        let words: Result<Vec<CString>, _> =
            command.iter().map(|word| CString::new(word.clone().into_vec())).collect();
        let words = words.map_err(|_| SpawnError::Nul)?;
        let argv = pointers(&words);
        let environment = user.map(|user| user.environment(std::env::vars_os())).unwrap_or_default();
        let login = user.map(|user| (user, pointers(&environment)));
        let (failure, report) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .map_err(|error| SpawnError::Fork(error.into()))?;
        // SAFETY: this process has one thread, and the child makes only system calls until exec.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            run(&argv, login.as_ref(), inherited, ends, &report);
        }
        let pid = Pid::from_raw(pid).filter(|_| pid > 0);
        let pid = pid.ok_or_else(|| SpawnError::Fork(io::Error::last_os_error()))?;
        let pidfd = watched(pid).map_err(|error| {
            end(pid);
            SpawnError::Fork(error)
        })?;
        Ok(Self { pid, pidfd, failure: failure.into(), not_run: OnceCell::new() })
    }

    /// Its process group.
    pub(super) fn group(&self) -> Option<Pid> {
        getpgid(Some(self.pid)).ok()
    }

    /// Whether it, or somebody for it, has put it into another process group than tracer's.
    pub(super) fn left_our_group(&self) -> bool {
        self.group().is_some_and(|group| group != getpgrp())
    }

    /// Whether `pid` is the command, and in tracer's process group.
    pub(super) fn is_it_in_our_group(&self, pid: u32) -> bool {
        u32::try_from(self.pid.as_raw_nonzero().get()) == Ok(pid) && !self.left_our_group()
    }

    /// Waits until it has ended. Where that can't be waited for, it says so at once, and reaping waits.
    pub async fn ended(&self) {
        if let Err(error) = self.pidfd.readable().await {
            log::warn!("the command can't be watched ({error}); waiting for its end alone");
        }
    }

    /// Sends it a signal.
    pub(super) fn send(&self, signal: Signal) -> Result<(), Errno> {
        pidfd_send_signal(self.pidfd.get_ref(), signal)
    }

    /// Sends it a signal, of those too that have no name here. One that has ended needs none, so nothing comes back.
    pub fn signal(&self, signal: Number) {
        let info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open, and a null pointer stands for the information that `kill` would give.
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.pidfd.as_raw_fd(), signal, info, 0) };
    }

    /// The signal that stopped it, once for each time that it stopped.
    pub(super) fn stopped_by(&self) -> Option<Number> {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let status = waitid(WaitId::PidFd(self.pidfd.get_ref().as_fd()), options).ok().flatten()?;
        status.stopping_signal()
    }

    /// Why it could not be run at all, once it has ended: the error of `execvp`.
    #[must_use]
    pub fn not_run(&self) -> Option<i32> {
        *self.not_run.get_or_init(|| {
            let mut errno = [0; 4];
            (&self.failure).read_exact(&mut errno).is_ok().then(|| i32::from_ne_bytes(errno))
        })
    }

    /// Reaps it. Call this once, when it has ended; before, it waits.
    pub fn reap(&self) -> Ended {
        let pid = self.pid.as_raw_nonzero().get();
        let mut status = 0;
        // SAFETY: `rusage` is integers only, so zeros are a value of it.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: `status` and `usage` outlive the call.
        while unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } < 0 {
            // It is a child of this process that nobody else waits for, so no other error is possible.
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                log::error!("the command's status can't be had ({error})");
                return Ended { status: u32::from(FAILED) << 8, cpu_us: 0, not_run: None };
            }
        }
        let cpu_us = micros(usage.ru_utime) + micros(usage.ru_stime);
        Ended { status: status.cast_unsigned(), cpu_us, not_run: self.not_run() }
    }
}

/// A descriptor of its process, registered.
fn watched(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    // SAFETY: the registration owns the descriptor.
    Ok(unsafe { AsyncFd::register(pidfd) }?)
}

/// A command that can't be followed must not run on by itself.
fn end(pid: Pid) {
    // It is a child that nobody has waited for, so it is there, whatever has become of it.
    let _ = kill_process(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
}

fn micros(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or(0)
}

/// What execve(2) takes: pointers to C strings, the last one null.
fn pointers(words: &[CString]) -> Vec<*const libc::c_char> {
    words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Somebody, and the environment of that login.
type Login<'a> = (&'a Account, Vec<*const libc::c_char>);

/// In the child: becomes the command, or says why not and exits as `env` does.
fn run(
    argv: &[*const libc::c_char],
    login: Option<&Login<'_>>,
    inherited: &Inherited,
    ends: &Ends,
    report: &OwnedFd,
) -> ! {
    if let Some((user, _)) = login
        && let Err(errno) = user.become_it()
    {
        give_up(errno, FAILED, report);
    }
    inherited.restore();
    if ends.take() {
        match login {
            // SAFETY: null-terminated arrays of C strings that live on in this copy of the process.
            Some((_, environment)) => unsafe { libc::execvpe(argv[0], argv.as_ptr(), environment.as_ptr()) },
            // SAFETY: as before.
            None => unsafe { libc::execvp(argv[0], argv.as_ptr()) },
        };
    }
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    give_up(errno, exit_code_of(errno), report)
}

/// In the child: says why, and exits.
fn give_up(errno: i32, code: u8, report: &OwnedFd) -> ! {
    let bytes = errno.to_ne_bytes();
    // SAFETY: `bytes` outlives the call.
    unsafe { libc::write(report.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    // SAFETY: ends the child at once, without running what belongs to the parent.
    unsafe { libc::_exit(code.into()) }
}

impl Ends {
    /// In the child: takes them. False: that failed, as `errno` says.
    fn take(&self) -> bool {
        if let Some(terminal) = &self.terminal {
            // SAFETY: a system call without arguments.
            let leads = unsafe { libc::setsid() } >= 0;
            // SAFETY: a system call on an open descriptor, with an integer.
            if !leads || unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) } < 0 {
                return false;
            }
        }
        // None of these is a standard stream itself: tracer keeps its own descriptors off those.
        (0..).zip(&self.streams).all(|(stream, end)| match end {
            // SAFETY: a system call on an open descriptor; what it closes is tracer's own stream in this copy of it.
            Some(end) => unsafe { libc::dup2(end.as_raw_fd(), stream) >= 0 },
            None => true,
        })
    }
}

/// What `env` exits with when it can't run a command (env(1), "Exit status").
#[must_use]
pub fn exit_code_of(errno: i32) -> u8 {
    if errno == libc::ENOENT { 127 } else { 126 }
}
