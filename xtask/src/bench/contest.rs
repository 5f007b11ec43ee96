//! The same work done by turns: bare, under tracer, and under each peer that is installed.

use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::ground::{Ground, command};
use super::peers::PEERS;
use super::report::{Beside, Line, Unit};
use super::sample::{Sample, pairwise};

/// What is compared.
pub(crate) struct Contest<'g> {
    pub(crate) ground: &'g Ground,
    /// The bare work.
    pub(crate) words: Vec<OsString>,
    /// Does and times the work once.
    pub(crate) time: fn(Command) -> Result<Duration>,
    pub(crate) rounds: usize,
    /// How a time under a tracer is compared with the bare one of the same round, both in seconds.
    pub(crate) compare: fn(f64, f64) -> f64,
}

/// Who does the work, and in how many seconds each time; or why it does not.
struct Contender {
    name: &'static str,
    words: Vec<OsString>,
    seconds: Result<Vec<f64>, String>,
}

impl Contest<'_> {
    /// Holds it. The comparison is reported in `unit`, against `budget`.
    pub(crate) fn hold(&self, what: &str, unit: Unit, budget: f64) -> Result<Vec<Line>> {
        let (mut bare, mut traced) = (Vec::new(), Vec::new());
        let mut peers = self.peers();
        // The first round fills caches, and is not counted.
        for round in 0..=self.rounds {
            let times = self.round(round, &mut peers)?;
            if round > 0 {
                bare.push(times.0);
                traced.push(times.1);
            }
        }
        let rounds = Line {
            what: what.to_owned(),
            unit,
            measured: self.by_round(&traced, &bare).context("there was no round")?,
            budget: Some(budget),
            beside: peers.iter().map(|peer| peer.beside(|times| self.by_round(times, &bare))).collect(),
        };
        let least = Line {
            what: "the same, least time against least time".to_owned(),
            unit,
            measured: self.by_least(&traced, &bare).context("there was no round")?,
            budget: None,
            beside: peers.iter().map(|peer| peer.beside(|times| self.by_least(times, &bare))).collect(),
        };
        Ok(vec![rounds, least])
    }

    /// One turn each, tracer first in every other round. Gives the bare time and tracer's.
    fn round(&self, round: usize, peers: &mut [Contender]) -> Result<(f64, f64)> {
        let bare = || (self.time)(command(&self.words)).map(|time| time.as_secs_f64());
        let traced = || (self.time)(self.ground.traced(&self.words)).map(|time| time.as_secs_f64());
        let times = if round.is_multiple_of(2) {
            let bare = bare()?;
            (bare, traced()?)
        } else {
            let traced = traced()?;
            (bare()?, traced)
        };
        for peer in peers {
            let Ok(seconds) = &mut peer.seconds else { continue };
            match (self.time)(command(&peer.words)) {
                Ok(time) if round > 0 => seconds.push(time.as_secs_f64()),
                Ok(_) => {}
                Err(error) => peer.seconds = Err(format!("failed ({error:#})")),
            }
        }
        Ok(times)
    }

    fn peers(&self) -> Vec<Contender> {
        let contender = |peer: &super::peers::Peer| match peer.find() {
            Some(program) => {
                let words = peer.around(program, &self.words);
                Contender { name: peer.name, words, seconds: Ok(Vec::new()) }
            }
            None => Contender { name: peer.name, words: Vec::new(), seconds: Err(peer.missing()) },
        };
        PEERS.iter().map(contender).collect()
    }

    /// Each round compared with itself: disturbances of many rounds are in it.
    fn by_round(&self, times: &[f64], bare: &[f64]) -> Option<Sample> {
        Sample::of(pairwise(times, bare, self.compare))
    }

    /// What is left on a busy machine when each had its least disturbed round.
    fn by_least(&self, times: &[f64], bare: &[f64]) -> Option<Sample> {
        let (times, bare) = (Sample::of(times.to_vec())?, Sample::of(bare.to_vec())?);
        Some(Sample::exact((self.compare)(times.min, bare.min)))
    }
}

impl Contender {
    fn beside(&self, compare: impl FnOnce(&[f64]) -> Option<Sample>) -> Beside {
        let figure = |times: &Vec<f64>| compare(times).ok_or_else(|| "not measured".to_owned());
        Beside { who: self.name, measured: self.seconds.as_ref().map_err(Clone::clone).and_then(figure) }
    }
}
