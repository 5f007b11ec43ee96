//! The rings -> a stream of [`Event`]s in kernel order.

use std::time::Duration;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use tracer_ebpf::names;
use tracer_ebpf::record::Header;
use zerocopy::FromBytes;

use super::decode::{DecodeError, Decoder};
use super::event::Event;
use super::load::{LoadError, Programs};
use super::merge::{Merge, Ring as Which};
use super::ring::Ring;

/// Why events can't be read.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// A ring or a counter can't be had.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A ring can't be waited for or mapped.
    #[error("the ring of kernel events can't be read")]
    Ring(#[from] std::io::Error),
    /// A record makes no sense.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Both rings, merged.
pub struct Events {
    life: Ring,
    detail: Ring,
    merge: Merge,
    decoder: Decoder,
    received: Vec<u64>,
    latest: u64,
}

impl Events {
    /// Takes the rings of `programs`. Must be called inside a tokio runtime.
    pub fn new(programs: &mut Programs) -> Result<Self, EventsError> {
        Ok(Self {
            life: Ring::new(programs.ring(names::LIFE)?)?,
            detail: Ring::new(programs.ring(names::DETAIL)?)?,
            merge: Merge::default(),
            decoder: Decoder::new(programs.kernel.facts),
            received: Vec::new(),
            latest: 0,
        })
    }

    /// Waits until the programs wake the reader. They do when a ring fills up, at an OOM
    /// kill, and at each exec if so asked.
    pub async fn woken(&mut self) -> Result<(), EventsError> {
        tokio::select! {
            woken = self.life.woken() => woken?,
            woken = self.detail.woken() => woken?,
        }
        Ok(())
    }

    /// Reads everything that happened before this call, in kernel order.
    pub fn read(&mut self, mut take: impl FnMut(Event)) -> Result<(), EventsError> {
        let now = boot_ns();
        while !self.round() {
            // A program is between reserving and submitting on another CPU, or was preempted there: microseconds.
            std::thread::yield_now();
        }
        while let Some(placed) = self.merge.pop(now) {
            self.latest = self.latest.max(placed.ktime_ns);
            take(self.decoder.decode(&placed.bytes, self.latest)?);
        }
        Ok(())
    }

    /// One pass over both rings. False: a record that was reserved before is still being written.
    fn round(&mut self) -> bool {
        let Self { life, detail, merge, received, .. } = self;
        let (life_reserved, detail_reserved) = (life.reserved(), detail.reserved());
        let mut take = |ring, bytes: Bytes| {
            let Ok((header, _)) = Header::read_from_prefix(&bytes) else { return };
            let cpu = usize::from(header.cpu);
            if received.len() <= cpu {
                received.resize(cpu + 1, 0);
            }
            received[cpu] += 1;
            merge.push(ring, header.ktime_ns, bytes);
        };
        let life_done = life.drain(life_reserved, |bytes| take(Which::Life, bytes));
        let detail_done = detail.drain(detail_reserved, |bytes| take(Which::Detail, bytes));
        life_done && detail_done
    }

    /// How many records of each CPU arrived.
    #[must_use]
    pub fn received(&self) -> &[u64] {
        &self.received
    }
}

/// Now, on the clock of the events.
#[must_use]
pub fn boot_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let whole = Duration::try_from(now).unwrap_or_default();
    u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX)
}
