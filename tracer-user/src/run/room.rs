//! Room for tracer itself under the limits that the caller set for the command.
//!
//! Where a soft limit is too low for tracer, it is raised as far as the hard one allows, and the command gets it back as it
//! was. Files of a session may become as large as they like, so that limit goes altogether where tracer may do that. Where there
//! is still too little, tracer says so and runs nothing: out of stack or memory it would die in the middle of a run, and its
//! death would be taken for the command's.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What tracer needs: of which resource how much, as `ulimit` calls it. Measured with a margin of two. A tree is ended through
/// descriptors, and a large one takes memory, so of those it takes more where it may have more. The largest file of a small
/// session is the trace file's.
const NEEDS: [Need; 5] = [
    Need { resource: Resource::Nofile, least: 64, better: 1024, what: "open files", option: "-n", unit: 1 },
    Need {
        resource: Resource::Stack,
        least: 1 << 20,
        better: 1 << 20,
        what: "KiB of stack",
        option: "-s",
        unit: 1024,
    },
    Need {
        resource: Resource::As,
        least: 64 << 20,
        better: 256 << 20,
        what: "KiB of address space",
        option: "-v",
        unit: 1024,
    },
    // The stacks of its threads count as a whole.
    Need {
        resource: Resource::Data,
        least: 8 << 20,
        better: 256 << 20,
        what: "KiB of data",
        option: "-d",
        unit: 1024,
    },
    Need {
        resource: Resource::Fsize,
        least: 64 << 20,
        better: UNBOUNDED,
        what: "blocks of 512 bytes in a file",
        option: "-f",
        unit: 512,
    },
];

/// No limit (RLIM_INFINITY).
const UNBOUNDED: u64 = u64::MAX;

struct Need {
    resource: Resource,
    least: u64,
    better: u64,
    what: &'static str,
    option: &'static str,
    unit: u64,
}

/// The limits as they were, where they had to be changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    before: [Option<(Resource, Rlimit)>; NEEDS.len()],
}

/// There is too little.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "tracer itself needs {needed} {what}, and the limit is {there}; raise it (ulimit {option} {needed}), \
     and lower it inside the command: tracer run -- sh -c 'ulimit {option} {there}; exec CMD'"
)]
pub struct NoRoom {
    what: &'static str,
    option: &'static str,
    needed: u64,
    there: u64,
}

impl Room {
    /// Makes room. Must be called before anything that needs it.
    pub(super) fn make() -> Result<Self, NoRoom> {
        let mut room = Self::default();
        for (need, before) in NEEDS.iter().zip(&mut room.before) {
            let limit = getrlimit(need.resource);
            if need.better == UNBOUNDED && limit.current.is_some() && need.lift() {
                *before = Some((need.resource, limit));
                continue;
            }
            let Some(raised) = need.raised(limit)? else { continue };
            *before = setrlimit(need.resource, raised).is_ok().then_some((need.resource, limit));
        }
        Ok(room)
    }

    /// In the child: gives the limits back. System calls only.
    pub(super) fn give_back(&self) -> io::Result<()> {
        self.before.iter().flatten().try_for_each(|(resource, limit)| Ok(setrlimit(*resource, *limit)?))
    }
}

impl Need {
    /// Takes away the hard limit too; whether that went well: not everybody may do it (CAP_SYS_RESOURCE).
    fn lift(&self) -> bool {
        setrlimit(self.resource, Rlimit { current: None, maximum: None }).is_ok()
    }

    /// The limit that tracer is to have instead, if this one is too low.
    fn raised(&self, limit: Rlimit) -> Result<Option<Rlimit>, NoRoom> {
        let wanted = limit.maximum.map_or(self.better, |maximum| maximum.min(self.better));
        if limit.current.is_none_or(|current| current >= wanted.max(self.least)) {
            Ok(None)
        } else if wanted >= self.least {
            Ok(Some(Rlimit { current: (wanted < UNBOUNDED).then_some(wanted), ..limit }))
        } else {
            Err(NoRoom {
                what: self.what,
                option: self.option,
                needed: self.least / self.unit,
                there: limit.maximum.unwrap_or(0) / self.unit,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NEEDS, Rlimit};

    fn limit(current: u64, maximum: Option<u64>) -> Rlimit {
        Rlimit { current: Some(current), maximum }
    }

    #[test]
    fn a_soft_limit_that_is_too_low_is_raised_to_what_is_needed_and_no_further() {
        let files = &NEEDS[0];
        assert_eq!(files.raised(limit(64, Some(64))), Ok(None));
        assert_eq!(files.raised(limit(16, Some(100))), Ok(Some(limit(100, Some(100)))));
        assert_eq!(files.raised(limit(16, None)), Ok(Some(limit(1024, None))));
        assert_eq!(files.raised(limit(2000, None)), Ok(None));
        assert_eq!(NEEDS[1].raised(limit(16, None)), Ok(Some(limit(1 << 20, None))));
        assert_eq!(NEEDS[4].raised(limit(16, Some(1 << 30))), Ok(Some(limit(1 << 30, Some(1 << 30)))));
        assert_eq!(NEEDS[4].raised(limit(16, None)), Ok(Some(Rlimit { current: None, maximum: None })));
        assert_eq!(files.raised(Rlimit { current: None, maximum: None }), Ok(None));
    }

    #[test]
    fn a_hard_limit_that_is_too_low_is_named_with_the_way_out() {
        let error = NEEDS[1].raised(limit(100 << 10, Some(256 << 10))).unwrap_err().to_string();
        assert!(error.contains("needs 1024 KiB of stack") && error.contains("the limit is 256"), "{error}");
        assert!(error.contains("ulimit -s 1024"), "{error}");
    }
}
