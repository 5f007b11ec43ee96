//! One ring of the programs', with what aya's reader does not tell: how far the kernel has got.
//!
//! aya's `next` gives `None` both when nothing is there and when the next record is reserved but not yet written.
//! Merging two rings needs the difference, so the ring's two position pages are mapped once more, read-only
//! (kernel/bpf/ringbuf.c: consumer page, producer page, data).

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use aya::maps::{MapData, RingBuf};
use bytes::{Bytes, BytesMut};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use tokio::io::unix::AsyncFd;

/// Room that is asked for at a time to hold records.
const ARENA: usize = 64 << 10;

/// A ring and its position pages.
pub(super) struct Ring {
    buffer: AsyncFd<RingBuf<MapData>>,
    positions: Positions,
    arena: BytesMut,
}

impl Ring {
    /// Must be called inside a tokio runtime.
    pub(super) fn new(buffer: RingBuf<MapData>) -> std::io::Result<Self> {
        let positions = Positions::map(&buffer)?;
        // SAFETY: the descriptor is the ring's own; it lives as long as the ring, which the registration owns.
        let buffer = unsafe { AsyncFd::register(buffer) }?;
        Ok(Self { buffer, positions, arena: BytesMut::new() })
    }

    /// Waits until the programs wake the reader.
    pub(super) async fn woken(&mut self) -> std::io::Result<()> {
        self.buffer.readable_mut().await?.clear_ready();
        Ok(())
    }

    /// Up to where room has been reserved.
    pub(super) fn reserved(&self) -> u64 {
        self.positions.producer()
    }

    /// Hands the records up to `reserved` to `take`. False: it stopped before, at a record that is being written.
    pub(super) fn drain(&mut self, reserved: u64, mut take: impl FnMut(Bytes)) -> bool {
        while self.positions.consumer() < reserved {
            let Some(record) = self.buffer.get_mut().next() else { break };
            if self.arena.capacity() < record.len() {
                self.arena.reserve(ARENA.max(record.len()));
            }
            self.arena.extend_from_slice(&record);
            take(self.arena.split().freeze());
        }
        self.positions.consumer() >= reserved
    }
}

/// The two position pages.
struct Positions {
    pages: NonNull<AtomicU64>,
    page: usize,
}

// SAFETY: the mapping belongs to this value alone and is only read, atomically.
unsafe impl Send for Positions {}

impl Positions {
    fn map(buffer: &RingBuf<MapData>) -> std::io::Result<Self> {
        let page = rustix::param::page_size();
        let (protection, flags) = (ProtFlags::READ, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let pages = unsafe { mmap(std::ptr::null_mut(), 2 * page, protection, flags, buffer.as_fd(), 0) }?;
        let pages = NonNull::new(pages.cast()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Self { pages, page })
    }

    fn consumer(&self) -> u64 {
        // SAFETY: the first page begins with the position, and stays mapped as long as `self`.
        unsafe { self.pages.as_ref() }.load(Ordering::Acquire)
    }

    fn producer(&self) -> u64 {
        // SAFETY: the second page lies in the mapping.
        let position = unsafe { self.pages.byte_add(self.page) };
        // SAFETY: it begins with the position, and stays mapped as long as `self`.
        unsafe { position.as_ref() }.load(Ordering::Acquire)
    }
}

impl Drop for Positions {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nothing borrows from it.
        let unmapped = unsafe { munmap(self.pages.as_ptr().cast(), 2 * self.page) };
        debug_assert!(unmapped.is_ok());
    }
}
