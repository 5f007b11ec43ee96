//! A person at a real pseudo-terminal: types, waits for what is shown, resizes the window, hangs up.
//!
//! [`Desk`] is an interactive bash with job control at such a terminal, in which the variable `W` holds the wrapper, so a
//! scene types the same line bare (`W` is empty) and under tracer. Its prompt shows the number of jobs and the last status.
//! Nothing is echoed, so what is shown was written by a program.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, inotify};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::conform::{Under, tracer_words};
use crate::place::{Place, open_to_all};

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

/// An interactive shell at a terminal.
#[derive(Debug)]
pub struct Desk {
    terminal: Terminal,
    place: Place,
}

impl Desk {
    /// A shell in which `W` holds the wrapper and `T` tracer's with its words at the end.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn with(under: Under) -> Self {
        let place = Place::new();
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile", "--noediting", "-i"]).current_dir(place.cwd()).env_clear();
        command
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("TERM", "xterm")
            .env("TRACER_TEST", "1");
        command
            .env("W", wrapper(under, &place))
            .env("T", tracer(&place, None))
            .env("WORKLOAD", crate::workload());
        command.env("PS1", "[\\j $?]> ").env("SHELL", "/bin/bash");
        let mut desk = Self { terminal: Terminal::start(&mut command), place };
        desk.wait_for("]> ");
        desk.send(
            "stty -echo -echoctl; ulimit -c 0; bind 'set enable-bracketed-paste off' 2>/dev/null; echo go\n",
        );
        desk.wait_for("go\r\n[0 0]> ");
        desk
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        self.send(&format!("{line}\n"));
    }

    /// Types a line, and waits for the next prompt with so many jobs and this status. Gives what was shown.
    #[track_caller]
    pub fn does(&mut self, line: &str, jobs: u32, status: i32) -> String {
        self.line(line);
        self.prompt(jobs, status)
    }

    /// Types a key until there is a prompt: `less` forgets a Ctrl-Z that comes before it reads, and so do its kind.
    #[track_caller]
    pub fn insists(&mut self, key: &str, jobs: u32, status: i32) {
        let prompt = format!("[{jobs} {status}]> ");
        let patience = Duration::from_secs(1);
        let shown = (0..DEADLINE.as_secs()).any(|_| {
            self.send(key);
            self.comes(&prompt, patience).is_some()
        });
        assert!(shown, "{prompt:?} is not shown, but: {:?}\n{}", self.text(), self.processes());
    }

    /// Waits until whatever the wrapper was sent so far has come to the command, which has written its process id to `pid` and
    /// says `settled` at SIGRTMAX. Of those that wait the kernel hands out the signal with the lowest number first, and tracer
    /// passes on one after the other. Others than tracer pass on nothing of that kind, so it is sent to the command itself.
    #[track_caller]
    pub fn settles(&mut self) {
        let number = |path: PathBuf, name: &str| -> i32 {
            let text = fs::read_to_string(path).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse().unwrap()
        };
        let command = number(self.path("pid"), "");
        let parent = number(format!("/proc/{command}/status").into(), "PPid:");
        let is_traced = fs::read_to_string(format!("/proc/{parent}/comm")).unwrap() == "tracer\n";
        // SAFETY: a system call without pointers.
        assert_eq!(unsafe { libc::kill(if is_traced { parent } else { command }, libc::SIGRTMAX()) }, 0);
        self.wait_for("settled\r\n");
    }

    /// Waits for a prompt.
    #[track_caller]
    pub fn prompt(&mut self, jobs: u32, status: i32) -> String {
        self.wait_for(&format!("[{jobs} {status}]> "))
    }

    /// A path in the shell's first working directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.cwd().join(name)
    }

    /// The session of the only run, once there is one.
    ///
    /// # Panics
    /// If there is none in time.
    #[must_use]
    #[track_caller]
    pub fn summary(&self) -> serde_json::Value {
        let begun = Instant::now();
        let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).unwrap();
        let (log, sessions) = (self.place.log(), self.place.log().join("sessions"));
        let root = log.parent().unwrap().to_owned();
        loop {
            for dir in [&root, &log, &sessions] {
                // Watched before it is looked into, and as soon as it is there.
                let _ = inotify::add_watch(
                    &changes,
                    dir,
                    inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO,
                );
            }
            let sessions = fs::read_dir(&sessions);
            // A session in the making has a name that begins with a dot.
            let mut ready = sessions.into_iter().flatten().map(|entry| entry.unwrap().path());
            let place = ready.find(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
            if let Some(text) = place.map(|place| fs::read(place.join("summary.json")).unwrap()) {
                return serde_json::from_slice(&text).unwrap();
            }
            let patience = timeout(DEADLINE.saturating_sub(begun.elapsed()));
            let changed = poll(&mut [PollFd::new(&changes, PollFlags::IN)], Some(&patience)).unwrap() > 0;
            assert!(changed, "no session; shown: {:?}", self.text());
            while rustix::io::read(&changes, &mut [0; 4096]).is_ok() {}
        }
    }
}

impl Deref for Desk {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }
}

/// Plays a scene bare and under tracer, which must show the same to the person.
///
/// # Panics
/// If it does not.
#[track_caller]
pub fn assert_same_scene<T: PartialEq + std::fmt::Debug>(scene: impl Fn(&mut Desk) -> T) -> T {
    let play = |under| {
        // Shown if the scene fails.
        println!("under {under:?}");
        scene(&mut Desk::with(under))
    };
    let (bare, traced) = (play(Under::Nothing), play(Under::Tracer));
    assert_eq!(bare, traced, "bare and traced");
    bare
}

fn wrapper(under: Under, place: &Place) -> OsString {
    match under {
        Under::Nothing => "".into(),
        Under::Script => {
            // `script` takes its command as one word.
            let path = place.cwd().join("script");
            fs::write(&path, "#!/bin/bash\nexec script -qec \"$(printf '%q ' \"$@\")\" /dev/null\n").unwrap();
            open_to_all(&path, 0o755);
            path.into()
        }
        Under::Strace => "strace -f -o /dev/null".into(),
        Under::Timeout => "timeout 60".into(),
        Under::Tracer => tracer(place, Some("-q")),
    }
}

/// A tracer whose words the shell splits: no path here has blanks.
fn tracer(place: &Place, quiet: Option<&str>) -> OsString {
    let mut words = tracer_words(place);
    words.retain(|word| word != "-q");
    words.extend(quiet.map(OsString::from));
    words.push("--".into());
    words.join(" ".as_ref())
}
