//! The way to the log directory leads over ground of somebody else, who turns it while root writes.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, setxattr};
use tests::Outcome;

use crate::log::sudo;

/// What somebody else does: `$AS` in a script.
const NOBODY: &str = "export AS='setpriv --reuid=65534 --regid=65534 --clear-groups'\n";

/// `theirs/way` is somebody else's, and `elsewhere` a log directory of root's with a session that retention would remove.
const PREPARE: &str = "
    mkdir -p theirs/way elsewhere/log/sessions/victim; chown -R 65534:65534 theirs
    for id in victim other; do echo '{\"session_id\":\"'$id'\",\"ended_at\":null}'; done >elsewhere/log/sessions.jsonl
    find elsewhere -printf '%p %i %s %T@\\n' | sort >before
    export RUN=\"$0 run --tmpfs-path ../run --log-dir theirs/way/log --spool-limit 64K --keep-sessions 1\"\n";

/// They put a link in the place of the way; then there is much to write.
const TURN: &str = "$AS mv theirs/way theirs/moved; $AS ln -s ../elsewhere theirs/way
    i=0; while [ $i -lt 150 ]; do /bin/true $i; i=$((i+1)); done";

/// Nothing was written, made or removed where the link leads.
const COMPARE: &str = "\nfind elsewhere -printf '%p %i %s %T@\\n' | sort | diff before - || echo touched\n";

fn turned(script: &str) -> Outcome {
    let outcome = sudo(&format!("{NOBODY}{PREPARE}{script}{COMPARE}"));
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    assert!(!stdout.contains("touched"), "{stdout}\n{}", outcome.stderr);
    outcome
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_directory_on_the_way_that_is_swapped_for_a_link_turns_no_write() {
    let outcome = turned(&format!(
        "$RUN --session-id first -- true; $RUN --session-id second -- sh -c '{TURN}; exit 3'; echo status $?"
    ));
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("status 3"), "{}", outcome.stderr);
    let log = outcome.file("theirs/moved/log");
    assert_eq!(names(&log.join("sessions")), ["second"], "written there, and retention worked there");
    assert_eq!(names(&log), ["sessions", "sessions.jsonl"]);
    let index = fs::read_to_string(log.join("sessions.jsonl")).unwrap();
    assert!(index.contains("second") && index.lines().count() == 1, "{index}");
    let whereabouts = fs::canonicalize(log.join("sessions/second")).unwrap();
    assert!(outcome.stderr.contains(whereabouts.to_str().unwrap()), "{}", outcome.stderr);
    let rows = fs::read_to_string(log.join("sessions/second/processes.jsonl")).unwrap();
    assert!(rows.lines().count() > 150);
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
}

#[test]
fn a_recovery_does_not_go_where_the_way_was_turned_to_and_the_crash_stays() {
    let crash =
        "until grep -aq the-last-one ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID";
    let outcome = turned(&format!("$RUN -q -- sh -c '{TURN}; /bin/true the-last-one; {crash}'"));
    outcome.await_ends();
    let way = outcome.file("theirs/way");
    let refused = outcome.recover([]);
    assert_eq!((refused.code, outcome.left().len()), (Some(1), 2), "{refused:?}");
    let error = refused.reports[0]["error"].as_str().unwrap();
    assert!(error.contains("theirs/way") && error.contains("user 65534"), "{error}");
    assert_eq!(tests::files_below(&outcome.file("elsewhere")).len(), 1, "the index that was there");
    fs::remove_file(&way).unwrap();
    fs::rename(outcome.file("theirs/moved"), &way).unwrap();
    assert_eq!((outcome.recover([]).code, outcome.left()), (Some(0), Vec::<PathBuf>::new()));
    let sessions = names(&way.join("log/sessions"));
    assert!(sessions.len() == 1 && !sessions[0].starts_with('.'), "{sessions:?}");
}

#[test]
fn a_link_in_the_place_of_the_runtime_directory_turns_no_write_and_what_was_made_there_goes() {
    // The sidecar is written again, since the index takes no line; then it is removed, since it does.
    for (index, left) in [("mkdir -p ../log/sessions.jsonl", 1), ("true", 0)] {
        let outcome = sudo(&format!(
            "{NOBODY} mkdir theirs elsewhere; chown 65534 theirs; {index}; touch -d '1 hour ago' elsewhere
             $0 run --log-dir ../log --tmpfs-path theirs -- sh -c 'until ls theirs/tracer-0/tracer_trace_$$_*; do :; done
               $AS mv theirs/tracer-0 theirs/moved; $AS ln -s ../elsewhere theirs/tracer-0; exit 3' >/dev/null 2>ls
             echo status $?; find elsewhere -mmin -30"
        ));
        let stdout = String::from_utf8_lossy(&outcome.stdout);
        assert_eq!(stdout, "status 3\n", "nothing is written there: {}", outcome.stderr);
        let moved = names(&outcome.file("theirs/moved"));
        assert!(
            moved.len() == left && moved.iter().all(|name| name.starts_with("tracer_enrollment_")),
            "{moved:?}"
        );
    }
}

#[test]
fn a_link_in_the_place_of_the_sessions_turns_no_write() {
    let outcome = sudo(
        "mkdir elsewhere; $T -- sh -c 'mv ../log/sessions ../log/aside; ln -s ../cwd/elsewhere ../log/sessions; exit 3'; echo $?",
    );
    assert_eq!((outcome.stdout.as_slice(), names(&outcome.file("elsewhere"))), (b"3\n".as_slice(), vec![]));
    assert_eq!(names(&outcome.log().join("aside")).len(), 1);
    assert!(outcome.stderr.contains("log/aside/"), "where the session is now: {}", outcome.stderr);
}

#[test]
fn a_link_on_the_way_is_followed_only_if_nobody_else_can_have_put_it_there() {
    let ways = [
        ("ln -s elsewhere link", true),
        ("ln -s elsewhere link; chown -h 65534 link", false),
        ("mkdir theirs; ln -s ../elsewhere theirs/link; chown 65534 theirs; ln -s theirs/link link", false),
        ("mkdir open; chmod 777 open; ln -s ../elsewhere open/link; ln -s open/link link", false),
        (
            "mkdir open; chgrp 12345 open; chmod 775 open; ln -s $PWD/elsewhere open/link; ln -s open/link link",
            false,
        ),
        ("mkdir open; chmod 1777 open; ln -s ../elsewhere open/link; ln -s open/link link", true),
    ];
    for (way, is_followed) in ways {
        let run = "$0 run --tmpfs-path ../run --log-dir link/log -- touch ran";
        let outcome = sudo(&format!("mkdir elsewhere; {way}; {run}; echo $?"));
        assert_eq!(outcome.stdout == b"0\n", is_followed, "{way}: {}", outcome.stderr);
        assert_eq!(outcome.file("ran").exists(), is_followed, "{way}");
        assert_eq!(outcome.file("elsewhere/log/sessions").exists(), is_followed, "{way}");
        if !is_followed {
            assert_eq!(outcome.stdout, b"125\n");
            for word in ["link of user", "mode", "--log-dir"] {
                assert!(outcome.stderr.contains(word), "{way}: {}", outcome.stderr);
            }
        }
    }
}

#[test]
fn a_directory_that_a_group_may_write_to_is_refused_by_its_owner_and_mode() {
    for dir in ["$L", "$L/sessions"] {
        let outcome = sudo(&format!(
            "mkdir -p $L/sessions; chgrp 12345 {dir}; chmod 775 {dir}; $T -- touch ran; echo $?"
        ));
        assert_eq!(outcome.stdout, b"125\n", "{}", outcome.stderr);
        for word in ["of user 0 and group 12345 with mode 0775", "chmod go-w", "--log-dir"] {
            assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
        }
        assert!(!outcome.file("ran").exists());
    }
    let outcome = sudo("umask 2; mkdir -p $L/sessions; chmod 775 $L; exec $T -- true");
    outcome.session().assert_whole();
}

#[test]
fn an_access_list_that_lets_somebody_write_is_seen() {
    // acl(5), as the kernel keeps it (posix_acl_xattr.h): owner, user 12345, group, mask, others.
    const NONE: u32 = u32::MAX;
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, NONE), (2, 7, 12345), (4, 5, NONE), (16, 7, NONE), (32, 5, NONE)];
    let entry = |(tag, rights, id): (u16, u16, u32)| {
        [tag.to_le_bytes().to_vec(), rights.to_le_bytes().to_vec(), id.to_le_bytes().to_vec()].concat()
    };
    let list = [2_u32.to_le_bytes().to_vec(), entries.map(entry).concat()].concat();
    let outcome = sudo("exec $T -q -- true");
    setxattr(outcome.log(), "system.posix_acl_access", &list, XattrFlags::empty()).unwrap();
    assert_eq!(outcome.start_run("second", ["true"]).wait().unwrap().code(), Some(125));
}

#[test]
fn a_log_directory_of_roots_in_somebody_elses_home_is_as_good_as_any() {
    let outcome =
        sudo("mkdir home; chown 12345 home; cd home; exec $0 run --tmpfs-path ../../run --log-dir x -- true");
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
    assert_eq!(names(&outcome.file("home/x")), ["sessions", "sessions.jsonl"]);
}

#[test]
fn an_index_of_somebody_else_is_not_written_and_the_session_is_there() {
    let outcome = sudo("$T -q -- true; chown 65534 $L/sessions.jsonl; $T -- sh -c 'exit 3'; echo $?");
    assert_eq!((outcome.stdout.as_slice(), outcome.session_count()), (b"3\n".as_slice(), 2));
    assert_eq!(outcome.index().len(), 1, "it is as it was");
    for word in ["sessions.jsonl", "user 65534"] {
        assert!(outcome.stderr.contains(word), "{}", outcome.stderr);
    }
}
