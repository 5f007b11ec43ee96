//! Who may work on a session: whoever has the lock on its sidecar. So each crash is finished once, however many look for it.
//!
//! The lock ends with the process that has it, so a recovery that dies leaves the session to the next one. Files are
//! removed under the lock, the sidecar last: whoever waited for it finds that its name is gone, or somebody else's.

use rustix::fs::{FlockOperation, flock};

use super::scan::{Ground, Opened, Refused};
use super::sidecar;
use crate::process::identity::Identity;
use crate::record::enrollment::{self, Enrollment};

/// What became of a claim.
#[derive(Debug)]
pub enum Claim {
    /// There is no sidecar, or not any more.
    Missing,
    /// It is not to be opened.
    Refused,
    /// Somebody else has the lock.
    Held,
    /// It does not parse.
    Unreadable,
    /// It is about another process.
    Disagrees,
    /// It is ours as long as this lives.
    Ours(Box<Enrollment>, Opened),
}

/// Whether others may look at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Only to look.
    Look,
    /// To finish or to remove.
    Work,
}

/// Claims the session of `root`.
#[must_use]
pub fn claim(ground: &Ground, root: Identity, intent: Intent) -> Claim {
    let name = enrollment::name(root);
    let opened = match ground.file(&name, sidecar::LIMIT) {
        Ok(opened) => opened,
        Err(Refused::Missing) => return Claim::Missing,
        Err(Refused::Foreign(_) | Refused::Failed(_)) => return Claim::Refused,
    };
    let operation = match intent {
        Intent::Look => FlockOperation::NonBlockingLockShared,
        Intent::Work => FlockOperation::NonBlockingLockExclusive,
    };
    if flock(&opened.file, operation).is_err() {
        return Claim::Held;
    }
    if !ground.is_still(&name, &opened) {
        return Claim::Missing;
    }
    match sidecar::read(&opened.file) {
        None => Claim::Unreadable,
        Some(enrollment) if enrollment.root() != root => Claim::Disagrees,
        Some(enrollment) => Claim::Ours(Box::new(enrollment), opened),
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Intent, claim};
    use crate::process::identity::{Identity, Ticks};
    use crate::record::enrollment::{Enrolled, made};
    use crate::recover::scan::Ground;

    const ID: Identity = Identity { pid: 10, start: Ticks(5) };
    const NAME: &str = "tracer_enrollment_10_5.json";

    fn ground(tmpfs: &std::path::Path) -> Ground {
        crate::record::runtime::open(tmpfs).unwrap();
        Ground::open(tmpfs).unwrap().unwrap()
    }

    #[test]
    fn who_records_holds_it_and_who_died_does_not() {
        let tmpfs = crate::scratch();
        let ground = ground(tmpfs.path());
        assert!(matches!(claim(&ground, ID, Intent::Work), Claim::Missing));
        let enrolled =
            Enrolled::write(&crate::record::runtime::open(tmpfs.path()).unwrap(), &made(10, 5)).unwrap();
        assert!(matches!(claim(&ground, ID, Intent::Work), Claim::Held));
        assert!(matches!(claim(&ground, ID, Intent::Look), Claim::Held));
        drop(enrolled);
        let Claim::Ours(enrollment, first) = claim(&ground, ID, Intent::Work) else { panic!() };
        assert_eq!(*enrollment, made(10, 5));
        assert!(matches!(claim(&ground, ID, Intent::Work), Claim::Held));
        drop(first);
        assert!(matches!(claim(&ground, ID, Intent::Work), Claim::Ours(..)));
    }

    #[test]
    fn what_is_no_sidecar_of_that_process_is_told_apart() {
        let tmpfs = crate::scratch();
        let ground = ground(tmpfs.path());
        let put = |text: &[u8]| std::fs::write(ground.path().join(NAME), text).unwrap();
        let deep = [b"{\"labels\":".as_slice(), &b"[".repeat(1 << 20)].concat();
        let whole = serde_json::to_string(&made(10, 5)).unwrap();
        let twice = whole.replacen('{', "{\"pid\":10,", 1);
        let huge = whole.replacen("\"pid\":10", "\"pid\":1e999", 1);
        for bad in [b"".as_slice(), b"{}", &deep, twice.as_bytes(), huge.as_bytes(), &whole.as_bytes()[..40]]
        {
            put(bad);
            assert!(matches!(claim(&ground, ID, Intent::Work), Claim::Unreadable));
        }
        put(&serde_json::to_vec(&made(11, 5)).unwrap());
        assert!(matches!(claim(&ground, ID, Intent::Work), Claim::Disagrees));
        std::fs::remove_file(ground.path().join(NAME)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", ground.path().join(NAME)).unwrap();
        assert!(matches!(claim(&ground, ID, Intent::Work), Claim::Refused));
    }
}
