use super::story::{Story, behind, id};
use crate::process::target::history::KEPT;
use crate::process::target::{Wanted, trace_target::Rule};

#[test]
fn a_target_stays_the_target_whatever_it_becomes() {
    let story = Story::tell(
        &Wanted::named(b"claude").unwrap(),
        "1 execs /usr/bin/claude by /usr/bin/env node
         1 execs /usr/bin/node /usr/bin/claude
         1 is called worker
         1 forks 2
         2 is called stranger",
    );
    let target = story.resolver.target().unwrap();
    assert_eq!((target.identity(), target.comm(), target.resolved_at()), (id(1), b"claude".as_slice(), 1));
    let history = story.resolver.history().unwrap();
    let known = ["tracer", "claude", "node", "worker"];
    assert!(known.iter().all(|comm| history.knows_comm(comm.as_bytes())));
    assert!(!history.knows_comm(b"stranger") && !history.knows_comm(b""));
    let changes: Vec<_> = history
        .changes()
        .iter()
        .map(|change| (change.from.bytes(), change.to.bytes(), change.filename.is_some()))
        .collect();
    let expected: [(&[u8], &[u8], bool); 2] = [(b"claude", b"node", true), (b"node", b"worker", false)];
    assert_eq!(changes, expected);
}

#[test]
fn a_target_that_shows_its_progress_in_its_name_does_not_fill_the_memory() {
    let renames: String = (0..100).map(|n| format!("1 is called {}\n", n % 2)).collect();
    let story = Story::tell(&Wanted::BehindWrappers, &format!("1 execs /usr/bin/make\n{renames}"));
    let history = story.resolver.history().unwrap();
    assert_eq!((history.changes().len(), history.total()), (KEPT, 100));
}

#[test]
fn the_target_has_the_arguments_of_its_exec() {
    let story =
        Story::tell(&Wanted::BehindWrappers, "1 execs /usr/bin/nice make -j8\n 1 execs /usr/bin/make -j8");
    let target = story.resolver.target().unwrap();
    assert_eq!(target.cmdline().unwrap().iter().collect::<Vec<_>>(), [b"make".as_slice(), b"-j8"]);
    assert_eq!((target.boot_id(), target.how().rule), ("boot", Rule::SeenThrough));
}

#[test]
fn a_target_that_only_forked_has_the_arguments_of_who_forked_it() {
    let wanted = Wanted::named(b"worker").unwrap();
    let story = Story::tell(&wanted, "1 execs /usr/bin/node x.js\n 1 forks 2\n 2 is called worker");
    let target = story.resolver.target().unwrap();
    assert_eq!(target.cmdline().unwrap().iter().collect::<Vec<_>>(), [b"node".as_slice(), b"x.js"]);
}

#[test]
fn a_process_whose_fork_was_lost_stands_where_its_parent_does() {
    assert_eq!(
        behind("1 execs /usr/bin/timeout 5 make\n 7 execs /usr/bin/make"),
        "7 seen_through make, line 2, via timeout 1"
    );
    let end = behind(
        "1 execs /usr/bin/dbus-run-session make\n 1 forks 2\n 2 execs /usr/bin/dbus-daemon\n 2 forks 3\n 3 forks 4\n 4 execs /bin/x",
    );
    assert_eq!(end, "none yet");
}

#[test]
fn a_recording_in_which_two_processes_fork_each_other_ends() {
    let wanted = Wanted::named(b"make").unwrap();
    let story = Story::tell(&wanted, "2 forks 3\n 3 forks 2\n 2 is called make");
    assert_eq!(story.resolver.target().unwrap().cmdline(), None);
}
