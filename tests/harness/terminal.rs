//! A person at a real pseudo-terminal: types, waits for what is shown, resizes the window, hangs up.
//!
//! [`Desk`] is a shell at such a terminal.

mod desk;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

pub use desk::{Desk, assert_same_scene};

/// How long anything may take that a person waits for.
const DEADLINE: Duration = Duration::from_secs(30);
/// Ctrl-C, Ctrl-D, Ctrl-Z, Ctrl-\.
pub const CTRL_C: &str = "\x03";
/// End of input.
pub const CTRL_D: &str = "\x04";
/// Stop.
pub const CTRL_Z: &str = "\x1a";
/// Quit.
pub const CTRL_BACKSLASH: &str = "\x1c";

/// A terminal with a session on it.
#[derive(Debug)]
pub struct Terminal {
    /// `None`: hung up.
    master: Option<File>,
    leader: Child,
    /// All that was shown, and how much of it was waited for.
    shown: Vec<u8>,
    seen: usize,
    /// How long anything may take that is waited for.
    patience: Duration,
}

impl Terminal {
    /// Starts a command as the leader of a new session, whose terminal this is.
    ///
    /// # Panics
    /// If there is no such terminal or command.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave =
            rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        tcsetwinsize(&slave, window(80, 24)).unwrap();
        let stream = || slave.try_clone().unwrap();
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let begin = || {
            rustix::process::setsid()?;
            // SAFETY: a number alone: descriptor 0 becomes the session's terminal.
            if unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        };
        // SAFETY: system calls only.
        unsafe { command.pre_exec(begin) };
        let leader = command.spawn().unwrap();
        Self { master: Some(File::from(master)), leader, shown: Vec::new(), seen: 0, patience: DEADLINE }
    }

    /// Types.
    pub fn send(&mut self, text: &str) {
        self.master.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits no longer than this for what may not come.
    pub fn patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Waits until this is shown, after what was waited for last. Gives what came before it.
    ///
    /// # Panics
    /// If it is not shown in time.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let shown = self.comes(text, self.patience);
        shown.unwrap_or_else(|| panic!("{text:?} is not shown, but: {:?}\n{}", self.text(), self.processes()))
    }

    /// What comes before this, if it is shown in so much time.
    fn comes(&mut self, text: &str, patience: Duration) -> Option<String> {
        let begun = Instant::now();
        loop {
            let new = &self.shown[self.seen..];
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                let before = String::from_utf8_lossy(&new[..at]).into_owned();
                self.seen += at + text.len();
                return Some(before);
            }
            if !self.read_some(patience.saturating_sub(begun.elapsed())) {
                return None;
            }
        }
    }

    /// Who is in the session, for whoever has to find out what went wrong.
    fn processes(&self) -> String {
        let session = self.leader.id().to_string();
        let listed = Command::new("ps")
            .args(["-o", "pid,ppid,pgid,tpgid,stat,wchan:20,pending,blocked,args", "-ww", "-s", &session])
            .output();
        listed.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// Everything that was shown.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Reads until the last process has closed the terminal.
    ///
    /// # Panics
    /// If that takes too long.
    pub fn rest(&mut self) -> String {
        let begun = Instant::now();
        while self.read_some(DEADLINE.saturating_sub(begun.elapsed())) {}
        assert!(begun.elapsed() < DEADLINE, "somebody holds the terminal; shown: {:?}", self.text());
        String::from_utf8_lossy(&self.shown[self.seen..]).into_owned()
    }

    /// Another window size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        tcsetwinsize(self.master.as_ref().unwrap(), window(columns, rows)).unwrap();
    }

    /// Waits for the leader's end.
    ///
    /// # Panics
    /// If that takes too long.
    #[track_caller]
    pub fn status(&mut self) -> ExitStatus {
        let pidfd = pidfd_open(Pid::from_child(&self.leader), PidfdFlags::empty()).unwrap();
        let begun = Instant::now();
        loop {
            let mut awaited = vec![PollFd::new(&pidfd, PollFlags::IN)];
            // Whoever writes has to be read.
            awaited.extend(self.master.as_ref().map(|master| PollFd::new(master, PollFlags::IN)));
            let patience = timeout(DEADLINE.saturating_sub(begun.elapsed()));
            assert!(
                poll(&mut awaited, Some(&patience)).unwrap() > 0,
                "the leader does not end; shown: {:?}",
                self.text()
            );
            if awaited[0].revents().contains(PollFlags::IN) {
                return self.leader.wait().unwrap();
            }
            if !self.read_some(Duration::ZERO) {
                // Nobody has it open any more.
                self.master = None;
            }
        }
    }

    /// Closes the terminal, as a lost connection does.
    pub fn hang_up(&mut self) {
        self.master = None;
    }

    /// Reads what is there, or waits for it. False: nothing came in time, or nobody has the terminal open.
    fn read_some(&mut self, patience: Duration) -> bool {
        let Some(master) = &mut self.master else { return false };
        if poll(&mut [PollFd::new(master, PollFlags::IN)], Some(&timeout(patience))).unwrap() == 0 {
            return false;
        }
        let mut buffer = [0; 4096];
        // EIO: the last one has closed it (tty_ioctl(4) does not say so, drivers/tty/n_tty.c does).
        let Ok(count @ 1..) = master.read(&mut buffer) else { return false };
        self.shown.extend_from_slice(&buffer[..count]);
        true
    }
}

impl Drop for Terminal {
    /// Leaves nobody behind: the leader dies, and the others' terminal with it.
    fn drop(&mut self) {
        let _ = self.leader.kill();
        let _ = self.leader.wait();
    }
}

fn timeout(patience: Duration) -> Timespec {
    Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: patience.subsec_nanos().into() }
}

fn window(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}
