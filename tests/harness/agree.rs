//! Compares a session with the ground truth. All differences are collected, so that one run shows them all.
//!
//! tracer takes its totals where `sched_process_exit` fires, near the beginning of `do_exit` (kernel/exit.c); `wait4`
//! reads them when the process is gone. What the exit itself costs is therefore in `wait4`'s figures alone. Peak RSS is
//! final before the record: it must be equal.

use std::fmt::Debug;

use serde_json::Value;

use crate::session::raw;
use crate::truth::{Reaped, Shown};
use crate::{Session, escape, machine};

/// Faults after the record: `exit_mm` writes the cleared tid to a user page that fork may have left shared.
const LATE_FAULTS: u64 = 1;
/// Voluntary switches after the record: always the last one, into death; and a lock or two on the way.
const LATE_SWITCHES: u64 = 3;
/// Involuntary switches after the record: tearing down the memory is preemptible. Three are common while other tests keep
/// the host busy, more than five were seen once, for a victim of the OOM killer.
const LATE_PREEMPTIONS: u64 = 20;
/// CPU time after the record, and the ending thread's time since the scheduler last added it up, at a tick or a switch
/// (at most 4 ms with CONFIG_HZ=250, 10 ms with 100): the longer tick, and 10 ms for tearing down the memory. Without
/// other load, 3 ms were the most that was seen.
const LATE_CPU_US: u64 = 20_000;

impl Session {
    /// Asserts that everything that the waiters and the programs themselves said is what tracer recorded.
    ///
    /// # Panics
    /// With the list of all differences.
    #[track_caller]
    pub fn assert_agrees(&self) -> &Self {
        let mut differences = Differences::default();
        assert!(!self.reaped().is_empty(), "no truth to compare with; stderr:\n{}", self.outcome.stderr);
        for truth in self.reaped() {
            self.compare_end(truth, &mut differences);
        }
        for truth in self.shown() {
            self.compare_exec(truth, &mut differences);
        }
        let (root, truth) = (self.root(), self.note("root"));
        differences.equal(truth.pid, "pid of the root", root["pid"].as_i64(), Some(truth.pid.into()));
        differences.equal(
            truth.pid,
            "start of the root",
            root["starttime_ticks"].as_i64(),
            Some(truth.value),
        );
        assert!(
            differences.0.is_empty(),
            "tracer's record differs from the truth:\n{}",
            differences.0.join("\n")
        );
        self
    }

    fn compare_end(&self, truth: &Reaped, out: &mut Differences) {
        let rows: Vec<&Value> = self.processes.iter().filter(|row| row["pid"] == truth.pid).collect();
        let exits = self.events_of(truth.pid, "exit");
        out.equal(truth.pid, "rows in processes.jsonl", rows.len(), 1);
        out.equal(truth.pid, "exit events", exits.len(), 1);
        let forks = self.notes("forked-by").into_iter().find(|note| note.pid == truth.pid);
        let ppid = forks.map_or(i64::from(truth.waiter), |note| note.value);
        let partial = exits.iter().any(|exit| exit["totals_partial"] == true);
        for row in rows.into_iter().chain(exits) {
            compare_status(truth, row, out);
            compare_totals(truth, row, partial, out);
            out.equal(truth.pid, "ppid", row["ppid"].as_i64(), Some(ppid));
        }
        for row in self.events_of(truth.pid, "exit") {
            out.equal(truth.pid, "comm at the end", text(&raw(&row["comm"])), text(&truth.comm));
        }
    }

    fn compare_exec(&self, truth: &Shown, out: &mut Differences) {
        let execs = self.events_of(truth.pid, "exec");
        let Some(exec) = execs.last() else {
            return out.0.push(format!("pid {}: no exec event", truth.pid));
        };
        let number = |field: &str| exec[field].as_u64();
        out.equal(truth.pid, "filename", text(&raw(&exec["filename"])), text(&truth.filename));
        out.equal(truth.pid, "comm after exec", text(&raw(&exec["comm"])), text(&truth.comm));
        out.equal(truth.pid, "cwd", text(&raw(&exec["cwd"])), text(&truth.cwd));
        out.equal(truth.pid, "uid", number("uid"), Some(truth.uid.into()));
        out.equal(truth.pid, "euid", number("euid"), Some(truth.euid.into()));
        out.equal(truth.pid, "ns_pid", number("ns_pid"), Some(truth.ns_pid.into()));
        out.equal(truth.pid, "pid_ns", number("pid_ns"), Some(truth.pid_ns));
        out.equal(truth.pid, "args_bytes", number("args_bytes"), Some(truth.args_bytes));
        out.equal(truth.pid, "args_unreadable", exec["args_unreadable"].as_bool(), Some(false));
        if truth.cgroup_id.is_some() {
            out.equal(truth.pid, "cgroup_id", number("cgroup_id"), truth.cgroup_id);
        }
        compare_args(truth, exec, out);
    }
}

/// All arguments, or, where the record says that it is cut, a beginning of them.
fn compare_args(truth: &Shown, exec: &Value, out: &mut Differences) {
    let told: Vec<u8> = exec["argv"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|arg| {
            let mut bytes = escape::bytes(arg.as_str().unwrap_or_default());
            bytes.push(0);
            bytes
        })
        .collect();
    if exec["args_truncated"] == true {
        let cut = told.strip_suffix(b"\0").unwrap_or(&told);
        out.equal(truth.pid, "a cut argv is a beginning", truth.args.starts_with(cut), true);
        out.equal(truth.pid, "a cut argv is shorter", (cut.len() as u64) < truth.args_bytes, true);
    } else {
        out.equal(truth.pid, "args_truncated", exec["args_truncated"].as_bool(), Some(false));
        out.equal(truth.pid, "argv", text(&told), text(&truth.args));
    }
}

fn compare_status(truth: &Reaped, row: &Value, out: &mut Differences) {
    let number = |field: &str| row[field].as_i64();
    out.equal(truth.pid, "starttime_ticks", row["starttime_ticks"].as_u64(), Some(truth.starttime_ticks));
    out.equal(truth.pid, "exit_code", number("exit_code"), truth.exit_code.map(i64::from));
    out.equal(truth.pid, "exit_signal", number("exit_signal"), truth.exit_signal.map(i64::from));
    out.equal(truth.pid, "core_dumped", row["core_dumped"].as_bool(), Some(truth.core_dumped));
}

/// Totals that say that they are partial may lack any share, but may still not exceed the truth.
fn compare_totals(truth: &Reaped, row: &Value, partial: bool, out: &mut Differences) {
    if truth.has_waited {
        return;
    }
    let slowness = u64::from(machine::slowness());
    let may_lack = |late: u64| if partial { u64::MAX } else { late };
    let number = |field: &str| row[field].as_u64();
    out.equal(truth.pid, "max_rss_kb", number("max_rss_kb"), Some(truth.max_rss_kb));
    out.near(truth.pid, "min_flt", number("min_flt"), truth.min_flt, may_lack(LATE_FAULTS));
    out.near(truth.pid, "maj_flt", number("maj_flt"), truth.maj_flt, 0);
    out.near(truth.pid, "nvcsw", number("nvcsw"), truth.nvcsw, may_lack(LATE_SWITCHES * slowness));
    out.near(truth.pid, "nivcsw", number("nivcsw"), truth.nivcsw, may_lack(LATE_PREEMPTIONS * slowness));
    let cpu = number("utime_us").zip(number("stime_us")).map(|(user, system)| user + system);
    out.near(truth.pid, "utime_us + stime_us", cpu, truth.cpu_us, may_lack(LATE_CPU_US * slowness));
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    #[expect(clippy::needless_pass_by_value, reason = "every caller compares temporaries")]
    fn equal<T: PartialEq + Debug>(&mut self, pid: u32, what: &str, got: T, truth: T) {
        if got != truth {
            self.0.push(format!("pid {pid}: {what} is {got:?}, in truth {truth:?}"));
        }
    }

    /// The record may lack up to `late` of the truth, and never has more.
    fn near(&mut self, pid: u32, what: &str, got: Option<u64>, truth: u64, late: u64) {
        if got.is_none_or(|got| got > truth || truth - got > late) {
            self.0.push(format!(
                "pid {pid}: {what} is {got:?}, in truth {truth}, of which {late} may be missing"
            ));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
