//! Waiting for a lock that somebody may never give back: whoever can open a file can lock it (flock(2)).
//!
//! Those who hold the lock of an index hold it for some milliseconds. Who waits much longer for it gives up, with an error that
//! names the file; and does not wait as long again, for the next of a thousand sessions, until he once got it.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How long somebody waits, the first time.
const FIRST: Duration = Duration::from_secs(10);
/// And then.
const LATER: Duration = Duration::from_millis(50);
/// The longest time between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// Whether it is lost.
#[derive(Debug, Default)]
pub(super) struct Patience {
    is_lost: AtomicBool,
}

impl Patience {
    /// One that nobody has tried.
    pub(super) const fn new() -> Self {
        Self { is_lost: AtomicBool::new(false) }
    }

    /// Locks `file`, which is called `name`, for as long as it is open.
    pub(super) fn lock(&self, file: &File, name: impl Display) -> io::Result<()> {
        let patience = if self.is_lost.load(Ordering::Relaxed) { LATER } else { FIRST };
        let is_ours = wait(file, patience)?;
        self.is_lost.store(!is_ours, Ordering::Relaxed);
        if is_ours {
            return Ok(());
        }
        let why = format!("somebody keeps {name} locked; who, says: lslocks");
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    }
}

/// Whether it could be locked in that time.
fn wait(file: &File, patience: Duration) -> io::Result<bool> {
    let (begin, mut pause) = (Instant::now(), Duration::from_micros(50));
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) if begin.elapsed() >= patience => return Ok(false),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::{FIRST, LATER, Patience};

    #[test]
    fn who_never_gets_a_lock_gives_up_and_is_quicker_to_do_so_until_he_got_it() {
        let dir = crate::scratch();
        let path = dir.path().join("index");
        let held = File::create(&path).unwrap();
        held.lock_shared().unwrap();
        let (file, patience) = (File::open(&path).unwrap(), Patience::new());
        let mut waited = Vec::new();
        for _ in 0..3 {
            let begin = Instant::now();
            let error = patience.lock(&file, "the index").unwrap_err();
            assert!(error.to_string().contains("the index"));
            waited.push(begin.elapsed());
        }
        assert!(waited[0] >= FIRST && waited[1..].iter().all(|time| *time < FIRST), "{waited:?}");
        held.unlock().unwrap();
        patience.lock(&file, "the index").unwrap();
        file.unlock().unwrap();
        held.lock().unwrap();
        let (said, heard) = channel();
        std::thread::scope(|scope| {
            let (patience, file) = (&patience, &file);
            scope.spawn(move || said.send(patience.lock(file, "the index")).unwrap());
            // Who had lost his patience would have given up by then.
            assert!(heard.recv_timeout(4 * LATER).is_err(), "nobody gets it, and nobody gives up");
            held.unlock().unwrap();
            heard.recv_timeout(FIRST).unwrap().unwrap();
        });
    }
}
