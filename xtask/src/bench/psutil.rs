//! What people do without tracer: a Python script that asks psutil again and again.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::report::Beside;
use super::sample::Sample;
use crate::child;

/// The figures of processes that a snapshot has and psutil knows: it has no OOM score, signal masks, or wait channel. Asks for those
/// of so many processes, so often in each of so many rounds, and tells the CPU time of one snapshot in ns.
pub(crate) const SNAPSHOT: &str = r#"
import json, psutil, subprocess, sys, time
rounds, each, crowd = (int(word) for word in sys.argv[1:])
fields = ["name", "status", "memory_info", "num_threads", "num_fds",
          "cpu_times", "num_ctx_switches", "io_counters", "create_time"]
sleepers = [subprocess.Popen(["sleep", "600"]) for _ in range(crowd)]
times = []
for _ in range(rounds):
    begin = time.thread_time()
    for _ in range(each):
        for sleeper in sleepers:
            process = psutil.Process(sleeper.pid)
            process.as_dict(fields)
            process.rlimit(psutil.RLIMIT_NOFILE)
    times.append((time.thread_time() - begin) / each / crowd * 1e9)
for sleeper in sleepers:
    sleeper.kill()
    sleeper.wait()
print(json.dumps(times))
"#;

/// How long after its start a workload behind two wrappers is found by a look at the tree every 50 ms, in µs.
pub(crate) const POLLING: &str = r#"
import json, os, psutil, random, subprocess, sys, time
runs, period = int(sys.argv[1]), 0.05
me, delays = psutil.Process(), []
for _ in range(runs):
    grid = time.monotonic()
    time.sleep(random.random() * period)
    begin = time.monotonic()
    command = subprocess.Popen(["nice", "env", "sleep", "600"])
    found = False
    while not found:
        grid += period
        time.sleep(max(0.0, grid - time.monotonic()))
        found = any(child.name() == "sleep" for child in me.children(recursive=True))
    delays.append((time.monotonic() - begin) * 1e6)
    command.kill()
    command.wait()
print(json.dumps(delays))
"#;

/// What a script with these arguments prints: a JSON list of numbers. Otherwise why there is none.
pub(crate) fn run(script: &str, arguments: &[String]) -> Result<Vec<f64>, String> {
    let Some(python) = find() else {
        return Err("not installed (apt-get install python3-psutil, or pip install psutil)".to_owned());
    };
    let mut command = Command::new(python);
    command.args(["-c", script]).args(arguments);
    let mut numbers = || -> Result<Vec<f64>> {
        let output = child::output(&mut command)?;
        serde_json::from_str(&output).with_context(|| format!("psutil's script printed {output:?}"))
    };
    numbers().map_err(|error| format!("failed ({error:#})"))
}

/// As a peer's figure.
pub(crate) fn beside(who: &str, measured: Result<Sample, String>) -> Beside {
    Beside { who: who.to_owned(), measured }
}

/// A Python that has psutil: the one in `PATH`, or the distribution's.
fn find() -> Option<PathBuf> {
    let pythons = child::find("python3").into_iter().chain([PathBuf::from("/usr/bin/python3")]);
    pythons.into_iter().find(|python| {
        let mut import = Command::new(python);
        import.args(["-c", "import psutil"]).stdout(Stdio::null()).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    })
}
