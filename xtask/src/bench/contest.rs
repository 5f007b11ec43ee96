//! The same work done by turns: bare, under tracer, and under each peer that is installed.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::ground::{Ground, command};
use super::peers::{Beside as Watcher, How, Peer};
use super::report::{Beside, Line, Unit};
use super::sample::{Sample, pairwise};

/// Peers are slow, and their figures need not be sharp: of so many rounds they take part in one.
const PEERS_EVERY: usize = 8;

/// Runs a command and tells how long the work in it took.
type Time = fn(Command) -> Result<Duration>;
/// A time under a tracer against the bare one, both in seconds.
type Compare = fn(f64, f64) -> f64;

/// What is compared.
pub(crate) struct Contest<'g> {
    pub(crate) ground: &'g Ground,
    /// The bare work.
    pub(crate) words: Vec<OsString>,
    /// Does and times the work once.
    pub(crate) time: Time,
    pub(crate) rounds: usize,
    pub(crate) compare: Compare,
    /// Who takes part.
    pub(crate) peers: Vec<&'static Peer>,
}

/// In seconds, and beside each the bare times before and after it.
#[derive(Default)]
struct Turns {
    times: Vec<f64>,
    bare: Vec<[f64; 2]>,
}

/// A peer, and its turns; or why it has none.
struct Contender {
    name: &'static str,
    /// The bare words, or with the peer around them.
    words: Vec<OsString>,
    /// The peer, where it runs beside them.
    watcher: Option<Vec<OsString>>,
    turns: Result<Turns, String>,
}

impl Contest<'_> {
    /// Holds it. The comparison is reported in `unit`, against `budget`.
    pub(crate) fn hold(&self, what: &str, unit: Unit, budget: f64) -> Result<Vec<Line>> {
        let mut peers: Vec<Contender> =
            self.peers.iter().map(|peer| Contender::new(peer, &self.words)).collect();
        // One turn each that fills caches and is not counted.
        self.bare()?;
        self.traced()?;
        let mut own = Turns::default();
        for round in 0..self.rounds {
            let before = self.bare()?;
            let traced = self.traced()?;
            // What gets faster or slower meanwhile does so on both sides.
            let bare = [before, self.bare()?];
            own.add(traced, bare);
            if round.is_multiple_of(PEERS_EVERY) {
                peers.iter_mut().for_each(|peer| peer.take_turn(self.time, bare));
            }
        }
        let line = |what: &str, budget, by: fn(&Turns, Compare) -> Option<Sample>| {
            let measured = by(&own, self.compare).context("there was no round")?;
            let beside = peers.iter().map(|peer| peer.beside(|turns| by(turns, self.compare))).collect();
            anyhow::Ok(Line { what: what.to_owned(), unit, measured, budget, beside })
        };
        Ok(vec![
            line(what, Some(budget), Turns::by_round)?,
            line("the same, least time against least time", None, Turns::by_least)?,
        ])
    }

    fn bare(&self) -> Result<f64> {
        (self.time)(command(&self.words)).map(|time| time.as_secs_f64())
    }

    fn traced(&self) -> Result<f64> {
        (self.time)(self.ground.traced(&self.words)).map(|time| time.as_secs_f64())
    }
}

impl Turns {
    fn add(&mut self, time: f64, bare: [f64; 2]) {
        self.times.push(time);
        self.bare.push(bare);
    }

    /// Each round compared with itself.
    fn by_round(&self, compare: Compare) -> Option<Sample> {
        let bare: Vec<f64> = self.bare.iter().map(|[before, after]| f64::midpoint(*before, *after)).collect();
        Sample::of(pairwise(&self.times, &bare, compare))
    }

    /// What is left on a busy machine when each had its least disturbed round.
    fn by_least(&self, compare: Compare) -> Option<Sample> {
        let (times, bare) = (Sample::of(self.times.clone())?, Sample::of(self.bare.concat())?);
        Some(Sample::exact(compare(times.min, bare.min)))
    }
}

impl Contender {
    fn new(peer: &Peer, words: &[OsString]) -> Self {
        let (name, words) = (peer.name, words.to_vec());
        match (peer.find(), &peer.how) {
            (None, _) => Self { name, words, watcher: None, turns: Err(peer.missing()) },
            (Some(program), How::Around(wrap)) => Self {
                name,
                words: wrap(program.into_os_string(), &words),
                watcher: None,
                turns: Ok(Turns::default()),
            },
            (Some(program), How::Beside(arguments)) => {
                let watcher =
                    std::iter::once(program.into_os_string()).chain(arguments.iter().map(OsString::from));
                Self { name, words, watcher: Some(watcher.collect()), turns: Ok(Turns::default()) }
            }
        }
    }

    /// A peer that fails is out, and why is reported.
    fn take_turn(&mut self, time: Time, bare: [f64; 2]) {
        let Ok(turns) = &mut self.turns else { return };
        let watched = || {
            let _watcher = self.watcher.as_deref().map(Watcher::start).transpose()?;
            time(command(&self.words))
        };
        match watched() {
            Ok(time) => turns.add(time.as_secs_f64(), bare),
            Err(error) => self.turns = Err(format!("failed ({error:#})")),
        }
    }

    fn beside(&self, compare: impl FnOnce(&Turns) -> Option<Sample>) -> Beside {
        let figure = |turns: &Turns| compare(turns).ok_or_else(|| "not measured".to_owned());
        Beside {
            who: self.name.to_owned(),
            measured: self.turns.as_ref().map_err(Clone::clone).and_then(figure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_on_a_slow_machine_counts_as_any_other() {
        let mut turns = Turns::default();
        for slowness in [1.0, 5.0, 1.0] {
            turns.add(2.0 * slowness, [slowness, slowness]);
        }
        let sample = turns.by_round(|with, bare| with / bare).unwrap();
        assert_eq!((sample.median, sample.upper_quartile), (2.0, 2.0));
        assert_eq!(turns.by_least(|with, bare| with - bare), Some(Sample::exact(1.0)));
    }

    #[test]
    fn a_peer_that_fails_is_out_with_its_reason() {
        let words = vec!["false".into()];
        let mut peer = Contender { name: "false", words, watcher: None, turns: Ok(Turns::default()) };
        peer.take_turn(|_| anyhow::bail!("no such tracepoint"), [1.0, 1.0]);
        let beside = peer.beside(|turns| turns.by_round(|with, bare| with / bare));
        assert_eq!(beside.measured.unwrap_err(), "failed (no such tracepoint)");
    }
}
