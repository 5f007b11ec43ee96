//! Where each kind of anomaly begins: the one place for these figures, each with its reason.
//!
//! As text it is `KIND=VALUE`, or `KIND=VALUE/TIME` for the two kinds that look at a span of time: `HIGH_CPU=90/30s` is 90% of a
//! processor in every row for 30 s, `RSS_GROWTH=200/5m` 200 MiB within 5 minutes. Without a time, that stays as it was.

use std::time::Duration;

use super::kind::Kind;

/// Where each kind begins.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Thresholds {
    /// `OOM_SPIKE`: points that the OOM score rises between two rows. An OOM score has 6.7 points for each hundredth of the
    /// memory, so 100 points are 15% of the machine at once: no ordinary start of a program.
    pub oom_spike: f64,
    /// `OOM_CRITICAL`: OOM score, less what `oom_score_adj` adds. 667 stands for nothing and 1333 for all of the memory and
    /// swap; 1200 are four fifths, where the next large allocation may be the last.
    pub oom_critical: f64,
    /// `ZOMBIE`: seconds from the first row that shows it ended to the row that still does. Parents that collect
    /// their children in a loop take up to a second or two.
    pub zombie: f64,
    /// `D_STATE`: seconds in uninterruptible sleep without one switch. Disks answer within milliseconds, and even their
    /// retries within a few seconds; a file server that is gone does not.
    pub d_state: f64,
    /// `HIGH_CPU`: percent of one processor, in every row for [`Self::high_cpu_for`]. A busy loop reaches 100 less what
    /// others take; work that waits for anything seldom stays above 95.
    pub high_cpu: f64,
    /// For how long. Compilers and test programs are busy for seconds; a minute of it in one process is work for somebody's eyes.
    pub high_cpu_for: Duration,
    /// `RSS_GROWTH`: MiB that the resident set grows within [`Self::rss_growth_within`]. Half a GiB a minute fills a machine
    /// of 16 GiB in half an hour.
    pub rss_growth: f64,
    /// Within this time, or half of it: the lowest figure is kept for two halves.
    pub rss_growth_within: Duration,
    /// `FD_HIGH`: share of the soft limit. Beyond four fifths a burst of connections runs into `EMFILE`.
    pub fd_high: f64,
    /// `EVENTS_LOST`: events. One is enough: the tree may have a hole.
    pub events_lost: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            oom_spike: 100.0,
            oom_critical: 1200.0,
            zombie: 5.0,
            d_state: 10.0,
            high_cpu: 95.0,
            high_cpu_for: Duration::from_secs(60),
            rss_growth: 512.0,
            rss_growth_within: Duration::from_secs(60),
            fd_high: 0.8,
            events_lost: 1.0,
        }
    }
}

/// What is wrong with a text of thresholds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadThreshold {
    /// No `KIND=VALUE`.
    #[error("{0:?} is no threshold; write KIND=VALUE, as in HIGH_CPU=90 or HIGH_CPU=90/30s")]
    NoPair(String),
    /// No such kind, or one without a threshold.
    #[error("{name:?} is no kind with a threshold; those are {}", names())]
    NoKind {
        /// What was written.
        name: String,
    },
    /// Not a value of that kind.
    #[error("{value:?} is no threshold of {kind}: it takes {accepted}")]
    NoValue {
        /// Of which kind.
        kind: Kind,
        /// What was written.
        value: String,
        /// What is accepted.
        accepted: &'static str,
    },
}

/// A kind's place, what it takes, and the highest value that makes sense.
struct Place<'t> {
    value: &'t mut f64,
    /// The span of time that belongs to it.
    span: Option<&'t mut Duration>,
    accepted: &'static str,
    highest: f64,
}

impl Thresholds {
    /// Takes over what `text` says: `KIND=VALUE` or `KIND=VALUE/TIME`, separated by commas. Of two values for a kind the last
    /// one counts.
    ///
    /// # Errors
    /// Names the first word that makes no sense, and what would; the values before it are taken over.
    pub fn set(&mut self, text: &str) -> Result<(), BadThreshold> {
        for pair in text.split(',') {
            let (name, value) = pair.split_once('=').ok_or_else(|| BadThreshold::NoPair(pair.to_owned()))?;
            let (name, value) = (name.trim(), value.trim());
            let no_kind = || BadThreshold::NoKind { name: name.to_owned() };
            let kind = name.parse::<Kind>().map_err(|()| no_kind())?;
            let place = self.place(kind).ok_or_else(no_kind)?;
            let accepted = place.accepted;
            place.set(value).ok_or(BadThreshold::NoValue { kind, value: value.to_owned(), accepted })?;
        }
        Ok(())
    }

    fn place(&mut self, kind: Kind) -> Option<Place<'_>> {
        let mut span = None;
        let (value, accepted, highest) = match kind {
            Kind::OomSpike => {
                (&mut self.oom_spike, "points of the OOM score, above 0 and up to 2000", 2000.0)
            }
            Kind::OomCritical => (&mut self.oom_critical, "an OOM score, above 0 and up to 2000", 2000.0),
            Kind::Zombie => (&mut self.zombie, "seconds, above 0", f64::MAX),
            Kind::DState => (&mut self.d_state, "seconds, above 0", f64::MAX),
            Kind::HighCpu => {
                span = Some(&mut self.high_cpu_for);
                (
                    &mut self.high_cpu,
                    "percent of one processor, above 0, and for how long, as in 90/30s",
                    f64::MAX,
                )
            }
            Kind::RssGrowth => {
                span = Some(&mut self.rss_growth_within);
                (&mut self.rss_growth, "MiB, above 0, and within which time, as in 200/5m", f64::MAX)
            }
            Kind::FdHigh => (&mut self.fd_high, "a share of the limit, above 0 and up to 1", 1.0),
            Kind::EventsLost => (&mut self.events_lost, "a number of events, above 0", f64::MAX),
            Kind::IdentityDrift | Kind::OomKilled | Kind::KilledBySignal | Kind::CoreDumped => return None,
        };
        Some(Place { value, span, accepted, highest })
    }
}

impl Place<'_> {
    /// Takes over `VALUE` or `VALUE/TIME`. `None`: it makes no sense, and nothing has changed.
    fn set(self, text: &str) -> Option<()> {
        let (number, time) = match text.split_once('/') {
            Some((number, time)) => (number.trim_end(), Some(time.trim_start())),
            None => (text, None),
        };
        let number = number.parse().ok().filter(|number| *number > 0.0 && *number <= self.highest)?;
        if let Some(time) = time {
            *self.span? = humantime::parse_duration(time).ok().filter(|time| !time.is_zero())?;
        }
        *self.value = number;
        Some(())
    }
}

/// The kinds that have a threshold.
fn names() -> String {
    let mut any = Thresholds::default();
    let names = Kind::ALL.into_iter().filter(|kind| any.place(*kind).is_some()).map(Kind::name);
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Thresholds;

    fn set(text: &str) -> Result<Thresholds, String> {
        let mut thresholds = Thresholds::default();
        thresholds.set(text).map_err(|error| error.to_string())?;
        Ok(thresholds)
    }

    #[test]
    fn what_is_not_named_keeps_its_default() {
        let expected = Thresholds { high_cpu: 50.5, fd_high: 1.0, ..Thresholds::default() };
        assert_eq!(set("HIGH_CPU=50.5, FD_HIGH = 1").unwrap(), expected);
        assert_eq!(set("ZOMBIE=1,ZOMBIE=2").unwrap().zombie, 2.0);
    }

    #[test]
    fn a_span_of_time_belongs_to_its_kind_alone() {
        let expected = Thresholds {
            high_cpu: 90.0,
            high_cpu_for: Duration::from_secs(2),
            rss_growth: 20.0,
            rss_growth_within: Duration::from_millis(1500),
            ..Thresholds::default()
        };
        assert_eq!(set("HIGH_CPU=90/2s, RSS_GROWTH=20 / 1s 500ms").unwrap(), expected);
        for wrong in [
            "HIGH_CPU=90/",
            "HIGH_CPU=90/2",
            "HIGH_CPU=90/0s",
            "HIGH_CPU=/2s",
            "HIGH_CPU=0/2s",
            "ZOMBIE=5/2s",
        ] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_error_names_the_kind_and_what_it_takes() {
        let no_value =
            |kind, value, takes| Err(format!("\"{value}\" is no threshold of {kind}: it takes {takes}"));
        for value in ["1.5", "0", "-1", "NaN", "many", ""] {
            let takes = "a share of the limit, above 0 and up to 1";
            assert_eq!(set(&format!("FD_HIGH={value}")), no_value("FD_HIGH", value, takes));
        }
        assert_eq!(set("ZOMBIE=inf"), no_value("ZOMBIE", "inf", "seconds, above 0"));
        for kind in ["OOM_KILLED", "high_cpu", ""] {
            let known =
                "OOM_SPIKE, OOM_CRITICAL, ZOMBIE, D_STATE, HIGH_CPU, RSS_GROWTH, FD_HIGH, EVENTS_LOST";
            let expected = format!("\"{kind}\" is no kind with a threshold; those are {known}");
            assert_eq!(set(&format!("{kind}=1")), Err(expected));
        }
        assert_eq!(
            set("HIGH_CPU"),
            Err("\"HIGH_CPU\" is no threshold; write KIND=VALUE, as in HIGH_CPU=90 or HIGH_CPU=90/30s"
                .to_owned())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_thresholds_or_an_error(text: String) {
            let _ = set(&text);
        }
    }
}
