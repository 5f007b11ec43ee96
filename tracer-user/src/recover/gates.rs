//! What is to become of a trace file: one pure function from facts to a decision with its reason.
//!
//! The gates are asked in order, and the first that knows decides. What a gate does not know is left alone, but for what can
//! only be rubbish; only what passes all of them is a crash.

use serde::Serialize;

/// What is known of a trace file that may be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// It was written less than the least age ago.
    pub young: bool,
    /// Its sidecar.
    pub sidecar: Sidecar,
}

/// What is known of a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sidecar {
    /// There is none.
    Missing,
    /// It is not to be read: no regular file of ours, or too large.
    Refused,
    /// It does not parse.
    Unreadable,
    /// It is about another process than its name says.
    Disagrees,
    /// Somebody has the lock on it.
    Held,
    /// It is whole, and the lock is ours.
    Whole(Enrolled),
}

/// What is known of an enrolled process and its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// When it was enrolled.
    pub boot: Boot,
    /// What `/proc` says.
    pub process: Process,
    /// Whose the rows are.
    pub rows: Rows,
}

/// The boot in which a process was enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// This one.
    This,
    /// Another one.
    Other,
    /// Nobody knows which one this is.
    Unknown,
}

/// An enrolled process, as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It lives.
    Alive,
    /// It is not there, or nobody has waited for it yet.
    Gone,
    /// Somebody else has its pid.
    Reused,
    /// `/proc` does not tell.
    Unreadable,
}

/// Whose the first row of a trace file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Its comm is the enrolled one, or one that the file's events give the process.
    Named,
    /// It is neither.
    Alien,
    /// There is no row.
    None,
    /// The sidecar is of version 1, without a comm to compare with.
    NotAsked,
}

/// The gate that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Gate {
    /// Age.
    G0,
    /// Sidecar.
    G1,
    /// Boot.
    G2,
    /// Process.
    G3,
    /// Rows.
    G4,
    /// None of them: a crash.
    G5,
    /// Lock.
    G6,
    /// Ground.
    G7,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    Leave,
    /// Remove the trace file and its sidecar.
    Remove,
    /// Make a session of them, and then remove both.
    Finish,
}

/// What is to be done, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The gate that decided.
    pub gate: Gate,
    /// What is to be done.
    pub action: Action,
    /// Why.
    pub reason: &'static str,
}

impl Decision {
    /// To leave it alone.
    #[must_use]
    pub const fn leave(gate: Gate, reason: &'static str) -> Self {
        Self { gate, action: Action::Leave, reason }
    }

    const fn remove(gate: Gate, reason: &'static str) -> Self {
        Self { gate, action: Action::Remove, reason }
    }

    const fn finish(reason: &'static str) -> Self {
        Self { gate: Gate::G5, action: Action::Finish, reason }
    }
}

/// What is to become of a trace file.
#[must_use]
pub fn decide(facts: Facts) -> Decision {
    if facts.young {
        return Decision::leave(Gate::G0, "it was written a moment ago, and may be live");
    }
    let enrolled = match facts.sidecar {
        Sidecar::Missing => return Decision::leave(Gate::G1, "it has no sidecar, so it is not ours"),
        Sidecar::Refused => return Decision::leave(Gate::G1, "its sidecar is no file that tracer wrote"),
        Sidecar::Unreadable => return Decision::leave(Gate::G1, "its sidecar does not parse"),
        Sidecar::Disagrees => {
            return Decision::leave(Gate::G1, "its sidecar is about another process than its name says");
        }
        Sidecar::Held => {
            return Decision::leave(Gate::G6, "its tracer, or another recovery, is at work on it");
        }
        Sidecar::Whole(enrolled) => enrolled,
    };
    match enrolled.boot {
        Boot::Other => return Decision::remove(Gate::G2, "it is from before a reboot"),
        Boot::Unknown => return Decision::leave(Gate::G2, "nobody knows which boot this is"),
        Boot::This => {}
    }
    let crash = match enrolled.process {
        Process::Alive => return Decision::leave(Gate::G3, "its process still runs"),
        Process::Gone => "its process is gone",
        Process::Reused => "its process is gone, and somebody else has the pid",
        Process::Unreadable => "nothing shows that its process still runs",
    };
    match enrolled.rows {
        Rows::Alien => Decision::remove(Gate::G4, "its first row is about a program that was never enrolled"),
        Rows::Named | Rows::None | Rows::NotAsked => Decision::finish(crash),
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Boot, Enrolled, Facts, Gate, Process, Rows, Sidecar, decide};

    const BOOTS: [Boot; 3] = [Boot::This, Boot::Other, Boot::Unknown];
    const PROCESSES: [Process; 4] = [Process::Alive, Process::Gone, Process::Reused, Process::Unreadable];
    const ROWS: [Rows; 4] = [Rows::Named, Rows::Alien, Rows::None, Rows::NotAsked];

    fn every_combination() -> Vec<Facts> {
        let mut sidecars =
            vec![Sidecar::Missing, Sidecar::Refused, Sidecar::Unreadable, Sidecar::Disagrees, Sidecar::Held];
        for boot in BOOTS {
            for process in PROCESSES {
                sidecars.extend(ROWS.map(|rows| Sidecar::Whole(Enrolled { boot, process, rows })));
            }
        }
        let both = |sidecar| [true, false].map(|young| Facts { young, sidecar });
        sidecars.into_iter().flat_map(both).collect()
    }

    /// The specification once more, as a table read from the top: the first line that fits is the answer.
    fn expected(facts: Facts) -> (Gate, Action) {
        let whole = |wanted: &dyn Fn(Enrolled) -> bool| match facts.sidecar {
            Sidecar::Whole(enrolled) => wanted(enrolled),
            _ => false,
        };
        let table = [
            (facts.young, Gate::G0, Action::Leave),
            (facts.sidecar == Sidecar::Held, Gate::G6, Action::Leave),
            (!whole(&|_| true), Gate::G1, Action::Leave),
            (whole(&|it| it.boot == Boot::Unknown), Gate::G2, Action::Leave),
            (whole(&|it| it.boot == Boot::Other), Gate::G2, Action::Remove),
            (whole(&|it| it.process == Process::Alive), Gate::G3, Action::Leave),
            (whole(&|it| it.rows == Rows::Alien), Gate::G4, Action::Remove),
            (true, Gate::G5, Action::Finish),
        ];
        let line = table.iter().find(|(fits, ..)| *fits).unwrap();
        (line.1, line.2)
    }

    #[test]
    fn every_combination_of_facts_has_the_decision_that_the_table_says() {
        let all = every_combination();
        assert_eq!(all.len(), 2 * (5 + 3 * 4 * 4));
        for facts in all {
            let decision = decide(facts);
            assert_eq!((decision.gate, decision.action), expected(facts), "{facts:?}");
            assert!(!decision.reason.is_empty());
        }
    }

    #[test]
    fn nothing_is_removed_or_finished_without_a_whole_sidecar_that_is_locked() {
        for facts in every_combination() {
            let whole = matches!(facts.sidecar, Sidecar::Whole(_)) && !facts.young;
            assert!(whole || decide(facts).action == Action::Leave, "{facts:?}");
        }
    }

    #[test]
    fn what_lives_is_never_touched_in_its_own_boot() {
        for facts in every_combination() {
            if let Sidecar::Whole(Enrolled { boot: Boot::This, process: Process::Alive, .. }) = facts.sidecar
            {
                assert_eq!(decide(facts).action, Action::Leave, "{facts:?}");
            }
        }
    }
}
