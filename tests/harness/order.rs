//! What every session promises, whatever ran.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::Session;

/// What completeness may have lost, by name.
const LOSSES: [&str; 9] = ["fork", "exec", "exit", "rename", "signal", "oom", "untracked", "skipped", "gaps"];

/// A process: pid and start.
type Identity = (u64, u64);

impl Session {
    /// Asserts that nothing is lost, that events are in kernel order, and that each process has one whole life.
    ///
    /// # Panics
    /// If the session breaks one of these promises.
    #[track_caller]
    pub fn assert_whole(&self) -> &Self {
        assert_eq!(self.state(), "complete", "{}", self.summary["completeness"]);
        for what in LOSSES {
            assert_eq!(self.lost(what), 0, "lost {what}");
        }
        self.assert_ordered();
        let (forks, exits) = (self.identities("fork"), self.identities("exit"));
        assert_eq!(forks.len(), self.processes.len(), "a fork for each process");
        assert_eq!(exits.len(), self.processes.len(), "an exit for each process");
        for row in &self.processes {
            assert!(forks.contains(&identity(row)), "no fork for {row}");
            assert!(exits.contains(&identity(row)), "no exit for {row}");
            assert!(row["ended_at"].is_string(), "an end for {row}");
        }
        assert_eq!(
            self.summary["process_count"].as_u64(),
            Some(self.processes.len() as u64),
            "process_count"
        );
        self
    }

    /// Asserts kernel order: times never decrease; fork before exec before exit; parents before their children.
    ///
    /// # Panics
    /// If two events stand in the wrong order.
    #[track_caller]
    pub fn assert_ordered(&self) {
        let mut last = 0;
        let mut forked = HashSet::new();
        let mut exited = HashMap::new();
        for (at, event) in self.all_events.iter().enumerate() {
            let ktime = event["ktime_ns"].as_u64().unwrap();
            assert!(ktime >= last, "event {at} is {} ns before the one above it: {event}", last - ktime);
            last = ktime;
            let process = identity(event);
            match event["event"].as_str().unwrap() {
                "fork" => {
                    let parent = (number(event, "ppid"), number(event, "parent_starttime_ticks"));
                    let known = event["depth"] == 0 || forked.contains(&parent);
                    assert!(known, "event {at}: the parent's fork comes first: {event}");
                    assert!(forked.insert(process), "event {at}: a second fork: {event}");
                }
                "exit" => assert_eq!(exited.insert(process, at), None, "event {at}: a second exit: {event}"),
                "exec" => assert!(!exited.contains_key(&process), "event {at}: exec after exit: {event}"),
                _ => {}
            }
            assert!(forked.contains(&process), "event {at}: before its process's fork: {event}");
        }
    }

    /// Every process that has an event of a kind.
    fn identities(&self, kind: &str) -> HashSet<Identity> {
        self.events(kind).into_iter().map(identity).collect()
    }
}

fn identity(row: &Value) -> Identity {
    (number(row, "pid"), number(row, "starttime_ticks"))
}

fn number(row: &Value, field: &str) -> u64 {
    row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"))
}
