//! The thread that moves rows of a trace file to the file of older rows.
//!
//! Somebody may remove that file, or the directory that it is in, while it is in use. Then it has no name, and nobody would
//! find it after a kill. So before rows are taken out of the trace file it is looked after: a file without its name is
//! made again, from what the one that is still open holds.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use super::dir::Entry;
use super::log_place::sessions;
use super::older::{self, Older};

/// How often rows are copied in one move, if somebody removes the file meanwhile.
const TRIES: usize = 3;

/// The thread, as seen by who asks it.
#[derive(Debug)]
pub(super) struct Mover {
    older: Named,
    ask: Sender<(Arc<File>, u64, u64)>,
    told: Receiver<(Named, Result<u64, Failed>)>,
}

/// Why rows were not moved.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) path: PathBuf,
    pub(super) why: io::Error,
    /// There is no point in trying again.
    pub(super) for_good: bool,
}

/// A file of older rows, and the name that it was given.
#[derive(Clone, Debug)]
struct Named {
    entry: Entry,
    file: Arc<File>,
}

impl Named {
    fn make(to: &Older) -> Result<Self, Failed> {
        let nowhere = |why| Failed { path: sessions(to.place.path()).join(&to.name), why, for_good: false };
        let entry = to.entry().map_err(nowhere)?;
        match older::create(&entry) {
            Ok(file) => Ok(Self { entry, file: Arc::new(file) }),
            Err(why) => Err(failed(&entry, why)),
        }
    }

    /// Whether whoever looks for the name finds this file.
    fn is_found(&self) -> bool {
        self.entry.is(&self.file).unwrap_or(false)
    }
}

fn failed(entry: &Entry, why: io::Error) -> Failed {
    Failed { path: entry.path().to_owned(), why, for_good: false }
}

impl Mover {
    /// Makes the file of older rows, and a thread that moves rows when asked.
    pub(super) fn start(trace_path: &Path, to: &Older) -> Result<Self, Failed> {
        let older = Named::make(to)?;
        let (ask, asked) = channel::<(Arc<File>, u64, u64)>();
        let (tell, told) = channel();
        let trace_path = trace_path.to_owned();
        let mut work = Work { trace_path, to: to.clone(), older: older.clone() };
        let work = move || {
            while let Ok((trace, begin, end)) = asked.recv() {
                let moved = work.shift(&trace, begin, end);
                if tell.send((work.older.clone(), moved)).is_err() {
                    break;
                }
            }
        };
        match std::thread::Builder::new().name("tracer-spool".to_owned()).spawn(work) {
            Ok(_) => Ok(Self { older, ask, told }),
            Err(why) => {
                // It is empty: whether it can be removed changes nothing for the rows.
                let _ = older.entry.remove();
                Err(failed(&older.entry, why))
            }
        }
    }

    /// The file of older rows, as of what was told last.
    pub(super) fn older(&self) -> Arc<File> {
        Arc::clone(&self.older.file)
    }

    /// Has the rows of a trace file moved that lie from `begin` to before `end`. Whether it was heard.
    pub(super) fn ask(&self, trace: &Arc<File>, begin: u64, end: u64) -> bool {
        self.ask.send((Arc::clone(trace), begin, end)).is_ok()
    }

    /// What became of the rows that were on their way; `None`: they still are.
    pub(super) fn told(&mut self, wait: bool) -> Option<Result<u64, Failed>> {
        let told = if wait { self.told.recv().map_err(TryRecvError::from) } else { self.told.try_recv() };
        match told {
            Ok((older, told)) => {
                self.older = older;
                Some(told)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                let why = io::Error::other("the thread that moves them ended");
                Some(Err(Failed { for_good: true, ..failed(&self.older.entry, why) }))
            }
        }
    }

    /// Removes the file of older rows.
    pub(super) fn remove(&self) -> Result<(), (PathBuf, io::Error)> {
        let entry = &self.older.entry;
        entry.remove().map_err(|error| (entry.path().to_owned(), error))
    }
}

/// What the thread works with.
struct Work {
    trace_path: PathBuf,
    to: Older,
    older: Named,
}

impl Work {
    /// Moves rows, and tells how many bytes were moved by now.
    fn shift(&mut self, trace: &File, begin: u64, end: u64) -> Result<u64, Failed> {
        for _ in 0..TRIES {
            if !self.older.is_found() {
                self.make_again(begin)?;
            }
            if let Err(why) = older::copy(trace, &self.older.file, begin, end) {
                // What counts of this file ends at `begin`; the rest would only take room that is short.
                let _ = self.older.file.set_len(begin);
                return Err(failed(&self.older.entry, why));
            }
            // Only what can be found again may go from the trace file.
            if self.older.is_found() {
                let path = || self.trace_path.clone();
                let given = older::give_back(trace, end);
                return given.map(|()| end).map_err(|why| Failed { path: path(), why, for_good: true });
            }
        }
        Err(failed(&self.older.entry, io::Error::other("somebody removes it again and again")))
    }

    /// Makes the file again, with the rows that were moved, which are before `end`.
    fn make_again(&mut self, end: u64) -> Result<(), Failed> {
        let again = Named::make(&self.to)?;
        if let Err(why) = older::copy(&self.older.file, &again.file, 0, end) {
            // What it has of the rows is in the other one too, as long as this process lives.
            let _ = again.entry.remove();
            return Err(failed(&again.entry, why));
        }
        self.older = again;
        Ok(())
    }
}
