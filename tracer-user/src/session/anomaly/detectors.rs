//! The fold: rows and events in, anomalies out.
//!
//! Rows and events may come in any order among each other, as long as each kind is in its own: a row may be read before
//! the event that explains its name arrives. So a name that nobody reported yet is only suspect; the process's exit or the
//! session's end decides.
//!
//! Memory: what `process` holds for each living process, and one suspicion for each that drifted.

use std::collections::HashMap;

use jiff::Timestamp;

use super::process::Process;
use super::thresholds::Thresholds;
use super::{Anomaly, Kind, Severity};
use crate::kernel::event::{Comm, Event, Exit, Sender, What};
use crate::kernel::loss::Loss;
use crate::process::identity::Identity;
use crate::process::signal;
use crate::process::snapshot::Snapshot;
use crate::session::clock::Clock;
use crate::session::text::for_terminal;

/// Suspicions that are kept for the end; a session with more has a fault that these show well enough.
const DRIFTS: usize = 1000;

/// The fold.
#[derive(Debug)]
pub struct Detectors {
    thresholds: Thresholds,
    clock: Clock,
    /// Boxed: a table is half empty, and what is held of a process is large.
    processes: HashMap<u32, Box<Process>>,
    drifts: Vec<Anomaly>,
    sweep: u64,
}

impl Detectors {
    /// None seen yet. `clock` gives events their calendar times.
    #[must_use]
    pub fn new(thresholds: Thresholds, clock: Clock) -> Self {
        Self { thresholds, clock, processes: HashMap::new(), drifts: Vec::new(), sweep: 0 }
    }

    /// Takes a row.
    pub fn snapshot(&mut self, row: &Snapshot) -> Vec<Anomaly> {
        if row.sweep != self.sweep {
            // Rows that came after their process's exit, or without any event: kept as long as there are more.
            let last = self.sweep;
            self.processes.retain(|_, process| process.is_named() || process.sweep >= last);
            self.sweep = row.sweep;
        }
        let thresholds = self.thresholds;
        let findings = self.process(row.id).row(row, &thresholds);
        let anomaly = |(kind, detail)| Anomaly {
            kind,
            severity: if kind == Kind::OomCritical { Severity::Critical } else { Severity::Warning },
            captured_at: row.captured_at,
            process: Some((row.id, row.comm)),
            detail,
        };
        findings.into_iter().map(anomaly).collect()
    }

    /// Takes an event.
    pub fn event(&mut self, event: &Event) -> Vec<Anomaly> {
        let process = self.process(event.process);
        process.named(event.comm);
        match &event.what {
            What::Rename { old_comm } => process.named(*old_comm),
            What::Oom => process.oom = true,
            What::Signal(sent) => {
                process.signals.retain(|(signal, _)| *signal != sent.signal);
                process.signals.push((sent.signal, sent.sender.clone()));
            }
            What::Exit(exit) => return self.exit(event, exit),
            What::Fork(_) | What::Exec(_) => {}
        }
        Vec::new()
    }

    /// The end: what is only known now. `at` is the time of the end.
    pub fn finish(&mut self, loss: &Loss, at: Timestamp) -> Vec<Anomaly> {
        let mut living: Vec<Box<Process>> = self.processes.drain().map(|(_, process)| process).collect();
        living.sort_unstable_by_key(|process| process.id);
        living.iter_mut().for_each(|process| self.drifted(process));
        // Where events that carry names were lost, a name that nobody reported says nothing.
        let mut anomalies = if loss_of_names(loss) { Vec::new() } else { std::mem::take(&mut self.drifts) };
        anomalies.sort_by_key(|anomaly| (anomaly.captured_at, anomaly.process.map(|(id, _)| id)));
        anomalies.extend(events_lost(loss, &self.thresholds, at));
        anomalies
    }

    /// The process; one that has another's pid takes its place.
    fn process(&mut self, id: Identity) -> &mut Process {
        if self.processes.get(&id.pid).is_some_and(|process| process.id != id)
            && let Some(mut gone) = self.processes.remove(&id.pid)
        {
            self.drifted(&mut gone);
        }
        self.processes.entry(id.pid).or_insert_with(|| Box::new(Process::new(id)))
    }

    fn exit(&mut self, event: &Event, exit: &Exit) -> Vec<Anomaly> {
        let Some(mut process) = self.processes.remove(&event.process.pid) else { return Vec::new() };
        self.drifted(&mut process);
        let at = self.clock.at(event.ktime_ns).0;
        let anomaly = |kind, severity, detail| Anomaly {
            kind,
            severity,
            captured_at: at,
            process: Some((event.process, event.comm)),
            detail,
        };
        let mut anomalies = Vec::new();
        if let Some(number) = exit.status.exit_signal() {
            anomalies.push(if process.oom && number == 9 {
                anomaly(Kind::OomKilled, Severity::Critical, "the OOM killer chose it".to_owned())
            } else {
                let sender = process.signals.iter().find(|(signal, _)| *signal == number);
                let detail = death(number, sender.map(|(_, sender)| sender.as_ref()));
                anomaly(Kind::KilledBySignal, severity_of(number), detail)
            });
        }
        if exit.status.core_dumped() {
            let detail =
                "the kernel wrote a core dump, or handed it to the program in core_pattern".to_owned();
            anomalies.push(anomaly(Kind::CoreDumped, Severity::Critical, detail));
        }
        anomalies
    }

    /// Processes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.processes.len()
    }

    fn drifted(&mut self, process: &mut Process) {
        for (comm, captured_at) in process.drifts() {
            if self.drifts.len() < DRIFTS {
                self.drifts.push(drift(process, comm, captured_at));
            }
        }
    }
}

fn drift(process: &Process, comm: Comm, captured_at: Timestamp) -> Anomaly {
    let names: Vec<String> = process.names().iter().map(|name| for_terminal(name.bytes())).collect();
    Anomaly {
        kind: Kind::IdentityDrift,
        severity: Severity::Critical,
        captured_at,
        process: Some((process.id, comm)),
        detail: format!(
            "a row names it {}; the kernel reported {}",
            for_terminal(comm.bytes()),
            names.join(", ")
        ),
    }
}

fn death(number: u8, sender: Option<Option<&Sender>>) -> String {
    let by = match sender {
        None => "; who sent it was not seen".to_owned(),
        Some(None) => " from the kernel".to_owned(),
        Some(Some(by)) => {
            format!(" from {} ({}), uid {}", for_terminal(by.comm.bytes()), by.process.pid, by.uid)
        }
    };
    format!("killed by {}{by}", signal::name(number))
}

/// Faults are critical; what people and shells end programs with is information.
fn severity_of(number: u8) -> Severity {
    match i32::from(number) {
        libc::SIGHUP | libc::SIGINT | libc::SIGTERM | libc::SIGPIPE => Severity::Info,
        libc::SIGSEGV
        | libc::SIGBUS
        | libc::SIGILL
        | libc::SIGFPE
        | libc::SIGABRT
        | libc::SIGTRAP
        | libc::SIGSYS => Severity::Critical,
        _ => Severity::Warning,
    }
}

fn loss_of_names(loss: &Loss) -> bool {
    [loss.fork, loss.exec, loss.rename, loss.untracked, loss.skipped, loss.gaps]
        .iter()
        .any(|count| *count > 0)
}

fn events_lost(loss: &Loss, thresholds: &Thresholds, at: Timestamp) -> Option<Anomaly> {
    let by_kind = [
        ("fork", loss.fork),
        ("exec", loss.exec),
        ("exit", loss.exit),
        ("rename", loss.rename),
        ("signal", loss.signal),
        ("oom", loss.oom),
        ("untracked", loss.untracked),
        ("skipped", loss.skipped),
        ("gaps", loss.gaps),
    ];
    let lost = by_kind.iter().fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
    let counts: Vec<String> = by_kind
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    (lost > 0 && lost as f64 >= thresholds.events_lost).then(|| Anomaly {
        kind: Kind::EventsLost,
        severity: Severity::Warning,
        captured_at: at,
        process: None,
        detail: format!("{lost} events are missing: {}", counts.join(", ")),
    })
}
