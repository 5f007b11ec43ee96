//! The kinds of anomaly, by the names of the contract.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// What an anomaly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The OOM score rose at once.
    OomSpike,
    /// The OOM score is high.
    OomCritical,
    /// It ended, and nobody waits for it.
    Zombie,
    /// It sleeps where no signal wakes it.
    DState,
    /// It kept a processor busy.
    HighCpu,
    /// Its resident set grows fast.
    RssGrowth,
    /// It is about to run out of descriptors.
    FdHigh,
    /// A row has a name that the kernel never reported for that process.
    IdentityDrift,
    /// The OOM killer ended it.
    OomKilled,
    /// A signal ended it.
    KilledBySignal,
    /// It left a core dump.
    CoreDumped,
    /// Some events of the session are missing.
    EventsLost,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::OomSpike,
        Self::OomCritical,
        Self::Zombie,
        Self::DState,
        Self::HighCpu,
        Self::RssGrowth,
        Self::FdHigh,
        Self::IdentityDrift,
        Self::OomKilled,
        Self::KilledBySignal,
        Self::CoreDumped,
        Self::EventsLost,
    ];

    /// Its name in rows and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OomSpike => "OOM_SPIKE",
            Self::OomCritical => "OOM_CRITICAL",
            Self::Zombie => "ZOMBIE",
            Self::DState => "D_STATE",
            Self::HighCpu => "HIGH_CPU",
            Self::RssGrowth => "RSS_GROWTH",
            Self::FdHigh => "FD_HIGH",
            Self::IdentityDrift => "IDENTITY_DRIFT",
            Self::OomKilled => "OOM_KILLED",
            Self::KilledBySignal => "KILLED_BY_SIGNAL",
            Self::CoreDumped => "CORE_DUMPED",
            Self::EventsLost => "EVENTS_LOST",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.name() == word).ok_or(())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Often meant: a process that was told to end.
    Info,
    /// Worth a look.
    Warning,
    /// Something broke, or is about to.
    Critical,
}
