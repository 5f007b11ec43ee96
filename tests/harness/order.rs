//! Kernel order, which every session's events keep, whatever ran.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::Session;
use crate::whole::{identity, number, parent};

impl Session {
    /// Asserts kernel order: times never decrease; fork before exec before exit; parents before their children.
    ///
    /// # Panics
    /// If two events stand in the wrong order.
    #[track_caller]
    pub fn assert_ordered(&self) {
        assert_ordered(&self.all_events);
    }
}

/// The same of any events, of a session that has no end too.
///
/// # Panics
/// If two events stand in the wrong order.
#[track_caller]
pub fn assert_ordered(events: &[Value]) {
    let mut last = 0;
    let mut forked = HashSet::new();
    let mut exited = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        let ktime = number(event, "ktime_ns");
        assert!(ktime >= last, "event {at} is {} ns before the one above it: {event}", last - ktime);
        last = ktime;
        let process = identity(event);
        match event["event"].as_str().unwrap() {
            "fork" => {
                let known = event["depth"] == 0 || forked.contains(&parent(event));
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
