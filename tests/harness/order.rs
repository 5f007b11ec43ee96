//! Kernel order, which every session's events keep, whatever ran.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::Session;
use crate::whole::{Identity, identity, number, parent};

/// What the order is about.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) kind: &'a str,
    pub(crate) ktime_ns: u64,
    pub(crate) process: Identity,
    /// Of a fork: who forked it, unless it is the root.
    pub(crate) parent: Option<Identity>,
}

impl<'a> Told<'a> {
    fn of(event: &'a Value) -> Self {
        let kind = event["event"].as_str().unwrap();
        let has_parent = kind == "fork" && event["depth"] != 0;
        Self {
            kind,
            ktime_ns: number(event, "ktime_ns"),
            process: identity(event),
            parent: has_parent.then(|| parent(event)),
        }
    }
}

/// The events so far.
#[derive(Debug, Default)]
pub(crate) struct Order {
    events: usize,
    last: u64,
    pub(crate) forked: HashSet<Identity>,
    pub(crate) exited: HashMap<Identity, usize>,
}

impl Order {
    /// The next event: times never decrease; fork before exec before exit; parents before their children.
    ///
    /// # Panics
    /// If it stands in the wrong place.
    #[track_caller]
    pub(crate) fn see(&mut self, event: &Told<'_>) {
        let (at, process) = (self.events, event.process);
        self.events += 1;
        assert!(
            event.ktime_ns >= self.last,
            "event {at} is {} ns before the one above it: {event:?}",
            self.last - event.ktime_ns
        );
        self.last = event.ktime_ns;
        match event.kind {
            "fork" => {
                let known = event.parent.is_none_or(|parent| self.forked.contains(&parent));
                assert!(known, "event {at}: the parent's fork comes first: {event:?}");
                assert!(self.forked.insert(process), "event {at}: a second fork: {event:?}");
            }
            "exit" => {
                assert_eq!(self.exited.insert(process, at), None, "event {at}: a second exit: {event:?}");
            }
            "exec" => {
                assert!(!self.exited.contains_key(&process), "event {at}: exec after exit: {event:?}");
            }
            _ => {}
        }
        assert!(self.forked.contains(&process), "event {at}: before its process's fork: {event:?}");
    }
}

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
    let mut order = Order::default();
    events.iter().for_each(|event| order.see(&Told::of(event)));
}
