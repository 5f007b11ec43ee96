//! The same as `timeout`, where both do the same.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use tests::Trace;

fn status(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

#[test]
fn the_exit_status_is_that_of_timeout() {
    let cases: [(&[&str], &[&str], &str); 7] = [
        (&["0.3"], &["--timeout", "300ms"], "exec sleep 20"),
        (&["20"], &["--timeout", "20s"], "exit 5"),
        (&["20"], &["--timeout", "20s"], "kill -9 $$"),
        (&["0"], &["--timeout", "0s"], "exit 5"),
        (&["--preserve-status", "0.3"], &["--preserve-status", "--timeout", "300ms"], "exec sleep 20"),
        (
            &["--preserve-status", "0.3"],
            &["--preserve-status", "--timeout", "300ms"],
            "trap 'exit 7' TERM; while :; do :; done",
        ),
        (&["0.3"], &["--timeout", "300ms"], "kill -STOP $$; exit 5"),
    ];
    for (timeout, tracer, script) in cases {
        let shell = ["sh", "-c", script];
        let peer = Trace::command(["timeout"].iter().chain(timeout).chain(&shell)).without_tracer();
        let mut trace = Trace::sh(script);
        for flag in tracer {
            trace = trace.flags([*flag]);
        }
        let own = trace.run();
        assert_eq!(status(own.outcome.status), status(peer.status), "{script}: {}", own.outcome.stderr);
    }
}

#[test]
fn what_is_documented_to_differ_does() {
    let script = "trap '' TERM; while :; do :; done";
    let own = Trace::sh(script).flags(["--timeout", "200ms", "--kill-after", "200ms"]).run();
    assert_eq!(own.outcome.status.code(), Some(124), "timeout would say 137");
}
