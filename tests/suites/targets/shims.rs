//! Version managers' shims, which run dozens of processes before the tool.

use tests::{Session, Trace};

use crate::{assert_target, changes, wrappers};

/// As pyenv's are: it hands over to the manager, by exec.
const SHIM: &str = "#!/usr/bin/env bash
set -e
program=\"${0##*/}\"
export FAKEENV_ROOT=\"$PWD\"
exec \"$PWD/libexec/pyenv\" exec \"$program\" \"$@\"
";

/// The manager: looks around with dozens of processes, some of them shells, and goes on as its command.
const MANAGER: &str = "#!/usr/bin/env bash
set -e
for round in 1 2 3 4 5 6 7 8; do
  here=\"$(dirname \"$(readlink -f \"$0\")\")\"
  name=\"$(bash -c 'echo \"$1\" | tr a-z A-Z' sh \"$round\")\"
  env true
done
shift
exec \"$here/pyenv-exec\" \"$@\"
";

/// Its command: finds the version, with another part of itself, and becomes the tool.
const COMMAND: &str = "#!/usr/bin/env bash
set -e
tool=\"$1\"
shift
version=\"$(\"$FAKEENV_ROOT/libexec/pyenv-version\")\"
exec \"$FAKEENV_ROOT/versions/$version/bin/$tool\" \"$@\"
";

const VERSION: &str = "#!/usr/bin/env bash
cat /dev/null | sort
date >/dev/null
echo 1.2.3
";

fn behind_a_shim<const N: usize>(flags: [&str; N]) -> Session {
    let session = Trace::command(["script", "-qefc", "claude --flag", "/dev/null"])
        .after("PATH=$PWD/shims:$PWD:$PATH; export SHELL=/bin/sh")
        .workload_as("interp")
        .script("shims/claude", SHIM)
        .script("libexec/pyenv", MANAGER)
        .script("libexec/pyenv-exec", COMMAND)
        .script("libexec/pyenv-version", VERSION)
        .script("versions/1.2.3/bin/claude", "#!/usr/bin/env interp\nrename MainThread exit 7\n")
        .flags(flags)
        .run();
    assert!(session.processes.len() > 40, "dozens of processes: {}", session.processes.len());
    assert_eq!(session.outcome.status.code(), Some(7), "stderr:\n{}", session.outcome.stderr);
    session
}

#[track_caller]
fn assert_is_the_tool(session: &Session) {
    let target = session.target();
    let evidence = session.all_events.iter().find(|event| event["ktime_ns"] == target["how"]["ktime_ns"]);
    let file = evidence.and_then(|event| event["filename"].as_str()).unwrap_or_default();
    assert!(file.ends_with("/versions/1.2.3/bin/claude"), "{file} for {target:#}");
    assert_eq!(wrappers(session), ["script", "sh -c", "shim claude"]);
    let became: Vec<&str> = changes(session).into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(became, ["interp", "MainThread"]);
    session.assert_whole();
}

#[test]
fn what_a_shim_runs_on_its_way_is_not_the_target_but_the_tool_is() {
    let session = behind_a_shim([]);
    assert_target(&session, "seen_through", "claude");
    assert_is_the_tool(&session);
}

#[test]
fn a_shim_of_the_name_that_was_asked_for_is_not_the_target_but_the_tool_is() {
    let session = behind_a_shim(["--target", "claude"]);
    assert_target(&session, "script", "claude");
    assert_is_the_tool(&session);
}
