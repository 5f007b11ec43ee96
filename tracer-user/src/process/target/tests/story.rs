//! A small language for what the processes of a tree do. Process 1 is the root; it is there from the start.
//!
//! ```text
//! 1 execs /usr/bin/timeout 60 claude         argv[0] is the file's basename
//! 1 execs /bin/bash as -bash -c 'cd /; ls'   or what is said
//! 1 execs /usr/bin/env A=1 ...             arguments that were cut
//! 1 forks 2 3
//! 2 execs /usr/bin/claude by /usr/bin/env node with --resume    a script: file, interpreter, its argument, the rest
//! 2 is called worker
//! 2 exits
//! time is up
//! ```
//!
//! The search is over at `time is up`, or when the root exits.

use std::sync::Arc;

use crate::kernel::event::{Args, Comm, Event, Exec, Exit, Fork, Status, Totals, What};
use crate::process::identity::{Identity, Ticks};
use crate::process::target::resolver::Resolver;
use crate::process::target::unresolved::After;
use crate::process::target::{TraceTarget, Unresolved, Wanted};
use crate::process::tree::Tree;

/// A story being told.
pub(super) struct Story {
    pub(super) tree: Tree,
    pub(super) resolver: Resolver,
    pub(super) unresolved: Option<Unresolved>,
    line: u64,
}

/// What the end of a story is: `PID RULE NAME, line N, via WRAPPER PID, …`, or why there is no target.
pub(super) fn told(wanted: &Wanted, story: &str) -> String {
    let story = Story::tell(wanted, story);
    if let Some(unresolved) = &story.unresolved {
        return unresolved.to_string();
    }
    story.resolver.target().map_or_else(|| "none yet".to_owned(), describe)
}

/// The end of a story without `--target`.
pub(super) fn behind(story: &str) -> String {
    told(&Wanted::BehindWrappers, story)
}

/// The end of a story with `--target NAME`.
pub(super) fn called(name: &str, story: &str) -> String {
    told(&Wanted::named(name.as_bytes()).unwrap(), story)
}

fn describe(target: &TraceTarget) -> String {
    let how = target.how();
    let name = String::from_utf8_lossy(&how.name);
    let mut text = format!("{} {} {name}, line {}", target.pid(), how.rule.name(), how.at_ns);
    for (at, wrapper) in how.wrappers.iter().enumerate() {
        let before = if at == 0 { ", via" } else { "," };
        text.push_str(&format!("{before} {} {}", wrapper.name, wrapper.id.pid));
    }
    text
}

pub(super) fn id(pid: u32) -> Identity {
    Identity { pid, start: Ticks(100 + u64::from(pid)) }
}

pub(super) fn comm(name: &[u8]) -> Comm {
    let mut bytes = [0; tracer_ebpf::COMM_LEN];
    let len = name.len().min(bytes.len() - 1);
    bytes[..len].copy_from_slice(&name[..len]);
    Comm::new(bytes)
}

impl Story {
    /// Tells a story from its first line to its last.
    pub(super) fn tell(wanted: &Wanted, story: &str) -> Self {
        let resolver = Resolver::new(wanted.clone(), Arc::from("boot"));
        let mut told = Self { tree: Tree::default(), resolver, unresolved: None, line: 0 };
        told.happens(id(1), id(99), 0, comm(b"tracer"), fork());
        for line in story.lines().map(str::trim).filter(|line| !line.is_empty()) {
            told.line += 1;
            told.tell_line(&words(line));
        }
        told
    }

    fn tell_line(&mut self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words == ["time", "is", "up"] {
            return self.give_up(After::TimedOut);
        }
        let pid = words[0].parse().unwrap();
        match &words[1..] {
            ["forks", children @ ..] => {
                for child in children {
                    self.child(pid, child.parse().unwrap());
                }
            }
            ["execs", file, rest @ ..] => self.goes_on(pid, Some(file), exec(file, rest)),
            ["is", "called", name] => {
                let old_comm = self.comm_of(pid);
                self.goes_on(pid, Some(name), What::Rename { old_comm });
            }
            ["exits"] => {
                self.goes_on(pid, None, exit());
                if pid == 1 {
                    self.give_up(After::RootEnded);
                }
            }
            _ => panic!("no story has the line {words:?}"),
        }
    }

    fn give_up(&mut self, after: After) {
        self.unresolved = self.resolver.give_up(id(1), after, self.line, &self.tree).err();
    }

    fn child(&mut self, parent: u32, child: u32) {
        let depth = self.tree.get(id(parent)).map_or(0, |member| member.depth);
        self.happens(id(child), id(parent), depth + 1, self.comm_of(parent), fork());
    }

    fn goes_on(&mut self, pid: u32, name: Option<&str>, what: What) {
        let (parent, depth) =
            self.tree.get(id(pid)).map_or((id(1), 1), |member| (member.parent, member.depth));
        let base = |name: &str| comm(name.rsplit('/').next().unwrap().as_bytes());
        let comm = name.map_or_else(|| self.comm_of(pid), base);
        self.happens(id(pid), parent, depth, comm, what);
    }

    fn comm_of(&self, pid: u32) -> Comm {
        self.tree.get(id(pid)).map_or(comm(b"?"), |member| comm(member.comm()))
    }

    fn happens(&mut self, process: Identity, parent: Identity, depth: u16, comm: Comm, what: What) {
        let event = Event { ktime_ns: self.line, process, parent, depth, comm, what };
        self.tree.apply(&event);
        let known = self.resolver.target().is_some();
        let decided = self.resolver.observe(&event, &self.tree).is_some();
        assert_eq!(
            decided,
            !known && self.resolver.target().is_some(),
            "told once, by the event that decides"
        );
    }
}

/// Words, where single quotes hold some together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn exec(file: &str, rest: &[&str]) -> What {
    let base = file.rsplit('/').next().unwrap();
    let (interp, argv) = match rest {
        ["as", argv @ ..] => (None, argv.to_vec()),
        ["by", interpreter, rest @ ..] => {
            let (argument, rest) = match rest.iter().position(|word| *word == "with") {
                Some(at) => (&rest[..at], &rest[at + 1..]),
                None => (rest, [].as_slice()),
            };
            (Some(*interpreter), [&[*interpreter], argument, &[file], rest].concat())
        }
        rest => (None, [&[base], rest].concat()),
    };
    let bytes: Vec<u8> = argv.iter().flat_map(|arg| [arg.as_bytes(), b"\0"].concat()).collect();
    What::Exec(Box::new(Exec {
        filename: file.as_bytes().to_vec().into(),
        filename_truncated: false,
        interp: interp.map(|interp| interp.as_bytes().to_vec().into()),
        args: Args {
            total: bytes.len() as u64,
            bytes: bytes.into(),
            truncated: argv.last() == Some(&"..."),
            unreadable: false,
        },
        old_tid: 1,
        uid: 0,
        euid: Some(0),
        namespace: None,
        cgroup_id: None,
        cwd: None,
    }))
}

fn fork() -> What {
    What::Fork(Fork { uid: 0, namespace: None, parent_tid: 1, untracked: false })
}

fn exit() -> What {
    What::Exit(Box::new(Exit {
        status: Status(0),
        tid: 1,
        totals: Totals::default(),
        totals_partial: false,
        cgroup_id: None,
    }))
}
