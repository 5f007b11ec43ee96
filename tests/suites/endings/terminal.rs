//! A terminal for a test: tracer on its inside, and the test in the place of the person before it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{OptionalActions, Termios, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(30);

/// A size that no default has.
pub(crate) const SIZE: (u16, u16) = (37, 91);

/// tracer on a terminal of its own.
pub(crate) struct Terminal {
    outside: File,
    inside: OwnedFd,
    tracer: Child,
    shown: String,
    before: Termios,
    _place: TempDir,
}

impl Terminal {
    /// Starts `tracer run FLAGS -- sh -c SCRIPT`. `typed`: its stdin is the terminal too, and not `/dev/null`.
    pub(crate) fn run(flags: &[&str], script: &str, typed: bool) -> Self {
        Self::start(flags, script, typed, true)
    }

    /// The same, where the terminal is not that of tracer's session, as behind `setsid` and `su -c`.
    pub(crate) fn run_in_another_session(flags: &[&str], script: &str) -> Self {
        Self::start(flags, script, true, false)
    }

    fn start(flags: &[&str], script: &str, typed: bool, leads: bool) -> Self {
        let flags_of_openpt = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let outside = openpt(flags_of_openpt).unwrap();
        grantpt(&outside).unwrap();
        unlockpt(&outside).unwrap();
        let inside = ioctl_tiocgptpeer(&outside, flags_of_openpt).unwrap();
        resize(&outside, SIZE);
        let stream = || Stdio::from(inside.try_clone().unwrap());
        let base = tests::tracer().parent().unwrap().join("live");
        std::fs::create_dir_all(&base).unwrap();
        let place = tempfile::tempdir_in(base).unwrap();
        let mut command = Command::new(tests::tracer());
        command.args(["run", "-q", "--log-dir"]).arg(place.path().join("log"));
        command.arg("--tmpfs-path").arg(place.path()).args(flags).args(["--", "sh", "-c", script]);
        command.env("TRACER_TEST", "1").current_dir(place.path());
        command.stdin(if typed { stream() } else { Stdio::null() }).stdout(stream()).stderr(stream());
        let terminal = inside.as_raw_fd();
        let lead = move || {
            rustix::process::setsid()?;
            if !leads {
                return Ok(());
            }
            // SAFETY: a system call on a descriptor that is open in this copy of the process, with an integer.
            match unsafe { libc::ioctl(terminal, libc::TIOCSCTTY, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(lead) };
        let before = tcgetattr(&inside).unwrap();
        let tracer = command.spawn().unwrap();
        Self { outside: File::from(outside), inside, tracer, shown: String::new(), before, _place: place }
    }

    /// Waits until the terminal shows this.
    #[track_caller]
    pub(crate) fn await_text(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.shown.contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.shown);
            if is_ready(self.outside.as_fd(), Duration::from_millis(100)) {
                let mut piece = [0; 4096];
                let count = self.outside.read(&mut piece).unwrap();
                self.shown.push_str(&String::from_utf8_lossy(&piece[..count]));
            }
        }
    }

    /// Types these keys.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.outside.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn resize(&self, size: (u16, u16)) {
        resize(&self.outside, size);
    }

    pub(crate) fn signal_tracer(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.tracer), signal).unwrap();
    }

    /// Waits for tracer's end: its code, or 128 and the signal. The terminal's settings are then what they were.
    #[track_caller]
    pub(crate) fn end(mut self) -> i32 {
        let pidfd = pidfd_open(Pid::from_child(&self.tracer), PidfdFlags::empty()).unwrap();
        let in_time = is_ready(pidfd.as_fd(), DEADLINE);
        if !in_time {
            self.tracer.kill().unwrap();
        }
        let status = self.tracer.wait().unwrap();
        assert!(in_time, "tracer was killed after {DEADLINE:?}, having shown {:?}", self.shown);
        assert_eq!(modes(&tcgetattr(&self.inside).unwrap()), modes(&self.before), "the terminal's settings");
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
    }

    /// Gives the terminal the settings that it had.
    pub(crate) fn put_back(&self) {
        tcsetattr(&self.inside, OptionalActions::Now, &self.before).unwrap();
    }

    /// Waits until the terminal passes keys on as they are.
    #[track_caller]
    pub(crate) fn await_raw(&self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.is_raw() {
            assert!(Instant::now() < deadline, "the terminal has its own settings still");
            std::thread::yield_now();
        }
    }

    /// Whether the terminal passes keys on as they are.
    pub(crate) fn is_raw(&self) -> bool {
        modes(&tcgetattr(&self.inside).unwrap()) != modes(&self.before)
    }
}

fn modes(settings: &Termios) -> [u32; 4] {
    [
        settings.input_modes.bits(),
        settings.output_modes.bits(),
        settings.control_modes.bits(),
        settings.local_modes.bits(),
    ]
}

fn resize(terminal: impl AsFd, (ws_row, ws_col): (u16, u16)) {
    tcsetwinsize(terminal, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

fn is_ready(fd: std::os::fd::BorrowedFd<'_>, within: Duration) -> bool {
    let within = Timespec { tv_sec: within.as_secs().cast_signed(), tv_nsec: within.subsec_nanos().into() };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&within)).unwrap() > 0
}
