//! A log directory with links in it that somebody else could have put there, and root who writes to it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;

use tests::{Outcome, Trace, tracer};

use crate::Outside;

/// Runs a script in which `$T` is tracer's run, under sudo by its environment, and `$L` its log directory.
pub(super) fn sudo(script: &str) -> Outcome {
    let head = "T=\"$0 run --tmpfs-path ../run --log-dir ../log\"; L=../log\n\
                export SUDO_UID=12345 SUDO_GID=12345\n";
    let tracer = tracer().into_os_string();
    Trace::command(["sh".into(), "-c".into(), format!("{head}{script}").into(), tracer]).without_tracer()
}

/// The directory that links lead to, beside the log directory.
fn elsewhere(outcome: &Outcome) -> Vec<PathBuf> {
    tests::files_below(&outcome.file("elsewhere"))
}

#[test]
fn a_link_where_the_sessions_are_to_be_is_refused_before_anything_runs() {
    for link in ["elsewhere", "nowhere"] {
        let outcome = sudo(&format!(
            "mkdir elsewhere $L; ln -s $PWD/{link} $L/sessions; $T -- touch elsewhere/ran; echo $?"
        ));
        assert_eq!(outcome.stdout, b"125\n", "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--log-dir"), "{}", outcome.stderr);
        assert_eq!(elsewhere(&outcome), Vec::<PathBuf>::new());
        assert!(!outcome.file("nowhere").exists());
    }
}

#[test]
fn root_writes_no_session_where_somebody_else_could_put_links() {
    let prepared = [
        "mkdir $L; chown 12345 $L",
        "mkdir -p $L/sessions; chown 12345 $L/sessions",
        "mkdir $L; chmod 777 $L",
        "mkdir -p $L/sessions; chmod 777 $L/sessions",
    ];
    for prepare in prepared {
        let outcome = sudo(&format!("{prepare}; $T -- touch ran; echo $?"));
        assert_eq!(outcome.stdout, b"125\n", "{prepare}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("--log-dir") && !outcome.file("ran").exists(), "{}", outcome.stderr);
    }
}

#[test]
fn who_called_sudo_can_read_his_session_whatever_the_umask_and_nobody_else_can() {
    for umask in ["077", "027", "022"] {
        let outcome = sudo(&format!(
            "chmod 755 ..; umask {umask}; $0 run --tmpfs-path ../run --log-dir ../new/log --session-id mine -- sh -c umask
             for id in 12345 65534; do cd /; setpriv --reuid=$id --regid=$id --clear-groups \
                 cat $OLDPWD/../new/log/sessions/mine/summary.json >/dev/null; echo $?; cd $OLDPWD; done
             stat -c %a ../new ../new/log ../new/log/sessions"
        ));
        let expected = format!("0{umask}\n0\n1\n755\n755\n755\n");
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), expected, "{umask}: {}", outcome.stderr);
    }
}

#[test]
fn a_link_in_the_place_of_the_index_is_not_followed_and_the_session_is_whole() {
    let outcome = Trace::command(["true"]).outcome();
    let outside = Outside::new(outcome.file("outside"));
    for link in [true, false] {
        let index = outcome.log().join("sessions.jsonl");
        fs::remove_file(&index).unwrap();
        if link { symlink(&outside.path, &index) } else { fs::hard_link(&outside.path, &index) }.unwrap();
        let outside = Outside { before: crate::stat(&outside.path), path: outside.path.clone() };
        let mut run = outcome.start_run(&format!("linked-{link}"), ["sh", "-c", "exit 3"]);
        assert_eq!(run.wait().unwrap().code(), Some(3));
        outside.assert_untouched();
        assert!(outcome.log().join(format!("sessions/linked-{link}/summary.json")).exists());
    }
}

#[test]
fn a_link_where_the_session_is_to_be_built_goes_and_what_is_behind_it_stays() {
    let script = "mkdir -p elsewhere/kept $L/sessions; ln -s $PWD/elsewhere $L/sessions/.mine.$$_$(cut -d' ' -f22 /proc/$$/stat); \
                  exec $T --session-id mine -- true";
    let outcome = sudo(script);
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    assert_eq!(outcome.session_names(), ["mine"]);
    assert!(outcome.file("elsewhere/kept").is_dir() && elsewhere(&outcome).is_empty());
    let session = outcome.session();
    session.assert_whole();
}

#[test]
fn a_lock_that_somebody_keeps_holds_up_nobody_for_long() {
    // Anybody may lock the directory; the index only who owns it.
    let outcome = sudo(
        "$T -q -- true
         flock ../log sh -c 'touch here; until [ -e done ]; do sleep 0.1; done' & until [ -e here ]; do :; done
         timeout 5 $0 clear --log-dir ../log; echo clear $?; timeout 20 $T -q -- true; echo run $?
         touch done; wait; rm here done ../log/.cleared_at
         flock ../log/sessions.jsonl sh -c 'touch here; until [ -e done ]; do sleep 0.1; done' & until [ -e here ]; do :; done
         timeout 40 $T -- sh -c 'exit 3'; echo run $?; wc -l <../log/sessions.jsonl
         touch done; wait; $0 recover --min-age 0s --tmpfs-path ../run >&2; echo recover $?",
    );
    let stdout = String::from_utf8_lossy(&outcome.stdout).into_owned();
    assert_eq!(stdout, "clear 0\nrun 0\nrun 3\n2\nrecover 0\n", "{}", outcome.stderr);
    let warned: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("warning")).collect();
    assert!(
        warned.len() == 1 && warned[0].contains("sessions.jsonl locked") && warned[0].contains("lslocks"),
        "{warned:?}"
    );
    assert_eq!((outcome.session_count(), outcome.index().len(), outcome.left().len()), (3, 3, 0));
}

#[test]
fn retention_and_clear_follow_no_link() {
    let outcome = Trace::command(["true"]).outcome();
    let outside = Outside::new(outcome.file("outside"));
    let (new, fence) = (outcome.log().join(".sessions.jsonl.new"), outcome.log().join(".cleared_at"));
    symlink(&outside.path, &new).unwrap();
    let mut run = std::process::Command::new(tracer());
    run.args(outcome.run("second", ["--keep-sessions", "1"])).env("TRACER_TEST", "1");
    assert!(run.status().unwrap().success());
    outside.assert_untouched();
    fs::remove_file(&new).unwrap();
    for name in [&fence, &outcome.log().join(".cleared_at.new")] {
        symlink(&outside.path, name).unwrap();
    }
    let mut clear = std::process::Command::new(tracer());
    assert!(clear.args(outcome.clear()).env("TRACER_TEST", "1").status().unwrap().success());
    outside.assert_untouched();
    assert!(fs::symlink_metadata(&fence).unwrap().is_file(), "a fence, and no link any more");
}

#[test]
fn a_recovery_is_as_careful_as_a_run() {
    let outcome =
        sudo("$T -q -- sh -c 'until ls ../run/tracer-0/tracer_trace_$$_*.jsonl; do :; done; kill -9 $PPID'");
    outcome.await_ends();
    let (sessions, aside) = (outcome.log().join("sessions"), outcome.file("elsewhere"));
    fs::remove_dir(&sessions).unwrap();
    fs::create_dir(&aside).unwrap();
    symlink(&aside, &sessions).unwrap();
    let recovered = outcome.recover([]);
    assert_eq!((recovered.code, outcome.left().len()), (Some(1), 2), "{:?}", recovered.reports);
    assert_eq!(elsewhere(&outcome), Vec::<PathBuf>::new());
    fs::remove_file(&sessions).unwrap();
    fs::create_dir(&sessions).unwrap();
    chown(&sessions, Some(12345), None).unwrap();
    assert_eq!(outcome.recover([]).code, Some(1));
    chown(&sessions, Some(0), None).unwrap();
    fs::set_permissions(&sessions, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!((outcome.recover([]).code, outcome.session_count()), (Some(0), 1));
}
