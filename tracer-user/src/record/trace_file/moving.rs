//! When rows of a trace file move, what is waited for, and what becomes of those that can't be moved.

use super::{Room, TraceFile};
use crate::record::mover::{Failed, Mover};

/// How rows move.
#[derive(Debug)]
pub(super) struct Moving {
    room: Room,
    pub(super) mover: Option<Mover>,
    /// Bytes that the trace file may take before the next try.
    pub(super) patience: u64,
    /// Rows are on their way.
    busy: bool,
    warned: bool,
}

impl Moving {
    pub(super) fn new(room: Room) -> Self {
        let patience = room.limit / 2;
        Self { room, mover: None, patience, busy: false, warned: false }
    }
}

impl TraceFile {
    /// Has rows moved, if they are many, and waits for that if they are too many.
    pub(super) fn make_room(&mut self) {
        let held = self.held();
        let Some(moving) = &mut self.moving else { return };
        if held < moving.patience && !moving.busy {
            return;
        }
        if moving.busy {
            let full = held >= moving.room.limit;
            return self.hear(full);
        }
        if moving.mover.is_none() {
            match Mover::start(&self.path, &moving.room.older) {
                Ok(mover) => {
                    self.older = Some(mover.older());
                    moving.mover = Some(mover);
                }
                Err(failed) => return self.take_note(Some(Err(failed))),
            }
        }
        let asked =
            moving.mover.as_ref().is_some_and(|mover| mover.ask(&self.file, self.moved, self.written));
        moving.busy = asked;
    }

    /// Waits for rows that are on their way. Whether there is more room now.
    pub(super) fn gets_room(&mut self) -> bool {
        let before = self.moved;
        self.hear(true);
        self.moved > before
    }

    /// What became of the rows that were on their way; if they still are, and `wait`, waits for it.
    pub(super) fn hear(&mut self, wait: bool) {
        let moving = self.moving.as_mut().filter(|moving| moving.busy);
        let Some(mover) = moving.and_then(|moving| moving.mover.as_mut()) else { return };
        let told = mover.told(wait);
        // It may be another one by now.
        self.older = Some(mover.older());
        self.take_note(told);
    }

    fn take_note(&mut self, told: Option<Result<u64, Failed>>) {
        let held = self.held();
        let (Some(told), Some(moving)) = (told, &mut self.moving) else { return };
        moving.busy = false;
        match told {
            Ok(moved) => {
                self.moved = moved;
                moving.patience = moving.room.limit / 2;
            }
            Err(Failed { path, why, for_good }) => {
                moving.patience = if for_good { u64::MAX } else { held + moving.room.limit / 2 };
                if !std::mem::replace(&mut moving.warned, true) {
                    let (path, trace) = (path.display(), self.path.display());
                    log::warn!(
                        "{path} can't take older rows ({why}); {trace} keeps them, beyond --spool-limit"
                    );
                }
            }
        }
    }

    /// Waits until no rows are on their way, and moves no more.
    pub(super) fn rest(&mut self) {
        self.hear(true);
        if let Some(moving) = &mut self.moving {
            moving.patience = u64::MAX;
        }
    }
}
