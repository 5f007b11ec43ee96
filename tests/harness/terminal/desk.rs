//! An interactive bash with job control at a terminal, in which the variable `W` holds the wrapper, so a scene types the same
//! line bare (`W` is empty) and under tracer. Its prompt shows the number of jobs and the last status. Nothing is echoed, so
//! what is shown was written by a program.

use std::ffi::OsString;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify;
use rustix::process::{Pid, Signal, kill_process};

use super::{DEADLINE, Terminal, timeout};
use crate::conform::{Under, tracer_words};
use crate::place::{Place, open_to_all};

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

impl Drop for Desk {
    /// Leaves nobody behind who works here: `script` survives a hang-up, and what it runs may stand still in another session.
    fn drop(&mut self) {
        let here = self.place.cwd();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            let works_here =
                fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&here));
            if let Some(pid) = pid.filter(|_| works_here) {
                // Gone by now: so much the better.
                let _ = kill_process(pid, Signal::KILL);
            }
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
