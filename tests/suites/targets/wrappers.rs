//! Wrappers, alone and nested: each is seen through, and told of in order.

use serde_json::Value;

use crate::{assert_target, changes, with_claude, wrappers};

/// A wrapper around a command: its words, its names in the evidence, and whether it takes the command as one word.
type Around = (&'static [&'static str], &'static [&'static str], bool);

/// Those that need no more than their program. `$PATH` is handed on by hand where the wrapper takes it away.
const AROUND: [Around; 14] = [
    (&["timeout", "60"], &["timeout"], false),
    (&["nice", "-n", "1"], &["nice"], false),
    (&["ionice", "-c", "2", "-n", "5"], &["ionice"], false),
    (&["setsid", "--wait"], &["setsid"], false),
    (&["stdbuf", "-oL"], &["stdbuf"], false),
    (&["env", "-u", "NO_SUCH", "X=1"], &["env"], false),
    (&["sh", "-c"], &["sh -c"], true),
    (&["bash", "-c"], &["bash -c"], true),
    (&["script", "-qe", "/dev/null", "-c"], &["script", "sh -c"], true),
    (&["tini", "-s", "--"], &["tini"], false),
    (&["dumb-init"], &["dumb-init"], false),
    (&["unbuffer"], &["unbuffer"], false),
    (&["sudo", "env", "PATH=$PATH"], &["sudo", "env"], false),
    (&["su", "-s", "/bin/bash", "root", "-c"], &["su", "bash -c"], true),
];

/// A command inside these wrappers, the first outermost, and the names that the evidence should have.
fn nested(around: &[Around], path: &str) -> (Vec<String>, Vec<&'static str>) {
    let mut words = vec!["claude".to_owned(), "--flag".to_owned(), "two words".to_owned()];
    for (before, _, as_one) in around.iter().rev() {
        let inside = if *as_one { vec![quoted(&words)] } else { words };
        words = before.iter().map(|word| word.replace("$PATH", path)).chain(inside).collect();
    }
    (words, around.iter().flat_map(|around| around.1).copied().collect())
}

fn quoted(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    quoted.join(" ")
}

/// Runs a claude inside these wrappers, and holds what must come of it.
#[track_caller]
fn assert_seen_through(around: &[Around]) {
    let trace = with_claude([""; 0], "exit 7");
    let path = format!("{}:/usr/bin:/bin", trace.file("").display());
    let (command, names) = nested(around, &path);
    let session = trace.args(command).run();
    let target = session.target();
    assert_eq!(wrappers(&session), names, "{target:#}");
    assert_target(&session, "seen_through", "claude");
    assert_eq!(target["comm"], "claude");
    let argv = target["cmdline"].as_array().map(|words| &words[words.len() - 2..]);
    assert_eq!(argv, Some(&["--flag".into(), "two words".into()][..]), "{target:#}");
    let row = session.processes.iter().find(|row| row["is_target"] == true);
    assert_eq!(row.map(|row| &row["exit_code"]), Some(&7.into()), "the workload does what it says");
    let became: Vec<&str> = changes(&session).into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(became, ["interp", "MainThread"], "{target:#}");
}

#[test]
fn each_wrapper_alone_is_seen_through() {
    for around in AROUND {
        println!("{:?}", around.0);
        assert_seen_through(&[around]);
    }
}

#[test]
fn wrappers_are_seen_through_in_whatever_order_they_are_nested() {
    for (first, step) in [(0, 3), (8, 5), (4, 11), (13, 1), (6, 9), (11, 13)] {
        let order: Vec<Around> = (0..5).map(|at| AROUND[(first + at * step) % AROUND.len()]).collect();
        println!("{:?}", order.iter().map(|around| around.0[0]).collect::<Vec<_>>());
        assert_seen_through(&order);
    }
}

#[test]
fn no_wrapper_makes_a_direct_target() {
    let session = with_claude(["claude", "--flag"], "exit 7").run();
    assert_target(&session, "direct", "claude");
    assert_eq!((wrappers(&session), session.outcome.status.code()), (vec![], Some(7)));
    assert_eq!(session.root()["is_target"], true);
}

#[test]
fn a_terminal_a_deadline_and_an_environment_around_a_script_of_an_interpreter() {
    let command = ["timeout", "60", "script", "-qefc", "env X=1 claude --flag", "/dev/null"];
    let session = with_claude(command, "exit 7").run();
    assert_target(&session, "seen_through", "claude");
    assert_eq!(wrappers(&session), ["timeout", "script", "sh -c", "env"]);
    assert_eq!(session.outcome.status.code(), Some(7), "through script and timeout");
    session.assert_whole();
}

#[test]
fn what_a_wrapper_starts_for_itself_is_not_the_target() {
    // They leave files in /tmp, so they get one of their own; the build directory may be below /tmp, and stays.
    let own_tmp = r#"exec unshare --mount sh -c 'keep=$(dirname "$(dirname "$1")") && mount --bind "$keep" /mnt &&
        mount -t tmpfs none /tmp && mkdir -p "$keep" && mount --bind /mnt "$keep" && cd "$PWD" &&
        PATH=$PWD:$PATH SHELL=/bin/sh exec "$@"' sh "$@""#;
    for (command, names, helper) in [
        (&["xvfb-run", "-a", "claude"][..], &["xvfb-run"][..], "Xvfb"),
        (&["dbus-run-session", "--", "claude"], &["dbus-run-session"], "dbus-daemon"),
        (
            &["dbus-run-session", "--", "xvfb-run", "-a", "script", "-qec", "claude", "/dev/null"],
            &["dbus-run-session", "xvfb-run", "script", "sh -c"],
            "Xvfb",
        ),
    ] {
        let session = with_claude(command, "exit 7").after(own_tmp).run();
        assert_target(&session, "seen_through", "claude");
        assert_eq!(wrappers(&session), names);
        let is_helper = |row: &&Value| row["filename"].as_str().is_some_and(|file| file.ends_with(helper));
        assert_eq!(session.processes.iter().filter(is_helper).count(), 1, "the wrapper does what it says");
    }
}
