use super::Tree;
use crate::kernel::event::{Comm, Event, Exit, Fork, Sender, Signal, Status, Totals, What};
use crate::process::identity::{Identity, Ticks};

fn id(pid: u32, start: u64) -> Identity {
    Identity { pid, start: Ticks(start) }
}

fn comm(name: &str) -> Comm {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Comm::new(bytes)
}

fn event(ktime_ns: u64, process: Identity, depth: u16, what: What) -> Event {
    Event { ktime_ns, process, parent: id(1, 1), depth, comm: comm("x"), what }
}

fn fork() -> What {
    What::Fork(Fork { uid: 0, namespace: None, parent_tid: 1, untracked: false })
}

fn exit(status: u32) -> What {
    What::Exit(Box::new(Exit {
        status: Status(status),
        tid: 1,
        totals: Totals::default(),
        totals_partial: false,
        cgroup_id: None,
    }))
}

#[test]
fn who_ends_is_handed_out_and_forgotten() {
    let mut tree = Tree::default();
    tree.apply(&event(1, id(10, 5), 0, fork()));
    let ended = tree.apply(&event(2, id(10, 5), 0, exit(0x100))).ended.unwrap();
    assert_eq!((ended.started_ns, ended.ended_ns), (Some(1), Some(2)));
    assert_eq!(tree.living().count(), 0);
    assert_eq!(tree.processes(), 1);
}

#[test]
fn a_lost_fork_heals_with_the_next_event() {
    let mut tree = Tree::default();
    tree.apply(&event(2, id(11, 6), 3, What::Oom));
    let member = tree.get(id(11, 6)).unwrap();
    assert_eq!((member.parent, member.depth, member.started_ns), (id(1, 1), 3, None));
    assert_eq!(tree.max_depth(), 3);
}

#[test]
fn a_lost_exit_heals_when_the_pid_comes_back() {
    let mut tree = Tree::default();
    tree.apply(&event(1, id(10, 5), 1, fork()));
    let gone = tree.apply(&event(9, id(10, 7), 1, fork())).settled.unwrap();
    assert!(gone.end_lost && gone.end.is_none());
    assert_eq!(gone.id, id(10, 5));
    assert_eq!(tree.living().count(), 1);
}

#[test]
fn the_sender_of_the_fatal_signal_is_the_last_one_who_sent_it() {
    let mut tree = Tree::default();
    let from = |pid, signal| {
        let sender = Sender { process: id(pid, 1), comm: comm("killer"), uid: 0 };
        What::Signal(Signal { signal, code: 0, sender: Some(sender), handled: false })
    };
    tree.apply(&event(1, id(10, 5), 0, fork()));
    for what in [from(70, 9), from(71, 9), from(72, 15)] {
        tree.apply(&event(2, id(10, 5), 0, what));
    }
    let ended = tree.apply(&event(3, id(10, 5), 0, exit(9))).ended.unwrap();
    assert_eq!(ended.killed_by().unwrap().process.pid, 71);
}

#[test]
fn who_exits_by_itself_was_killed_by_nobody() {
    let mut tree = Tree::default();
    let signal = Signal { signal: 15, code: 0, sender: None, handled: true };
    tree.apply(&event(1, id(10, 5), 0, What::Signal(signal)));
    let ended = tree.apply(&event(3, id(10, 5), 0, exit(0))).ended.unwrap();
    assert_eq!((ended.killed_by(), ended.exit_signal()), (None, None));
}
