//! A virtual SMMUv3 with stage 1, for the streams of one guest.
//!
//! The guest's context descriptors and tables are walked by the physical SMMU, under the stage 2 that the VMM
//! configures: there is no shadow of them and no exit for a DMA. What is emulated is the rest: registers, both queues,
//! and the stream table, of which entries are read when the guest says that they have changed.
//!
//! * **Reads do not trap.** The guest reads register frames that [`Backend::publish`] keeps current; only writes arrive
//!   here. Commands are complete when the write to CMDQ_PROD returns, so that the guest finds CMDQ_CONS where it waits
//!   for it: one exit for a batch of commands.
//! * **What is sent down is built here, never copied.** Of commands and stream table entries only fields with a meaning
//!   are taken over, into values that the kernel permits. StreamIDs and VMIDs of the guest go nowhere.
//! * **Bounded.** One write carries out at most 2^[`COMMAND_QUEUE_BITS`] commands. A command reads its 16 bytes, and
//!   for each stream that it concerns at most 72 bytes of the stream table; it has at most one `set_stage1` and one
//!   event for each of those streams. Invalidations are issued at most once for each command and stream, and 59 in one
//!   go where the guest's own order permits. Nothing is allocated after [`Smmu::new`].
//!
//! What differs from an SMMU of silicon, within what IHI 0070 permits or as a guest can tell it:
//!
//! * A stream whose entry is missing or invalid aborts in silence; there is no C_BAD_STREAMID or F_STE_FETCH. An
//!   illegal entry is told by C_BAD_STE once, when it is read.
//! * Entries are read when SMMUEN is set, when an invalidation names them, and when a prefetch names a stream that had
//!   no valid one; not with transactions.
//! * SYNCs of one batch that ask for an interrupt share one.

#[cfg(test)]
mod agreement;
mod backend;
mod batch;
mod binding;
mod command;
mod command_queue;
mod configure;
mod control;
mod event;
mod event_queue;
mod features;
mod formats;
mod pages;
mod queue;
mod regs;
mod ste;
mod stream_table;
mod streams;

pub use backend::{Backend, Interrupt, Stage1};
pub use binding::{Binding, Step};
pub use features::{COMMAND_QUEUE_BITS, EVENT_QUEUE_BITS, Features, MAX_OUTPUT_BITS};
pub use streams::{BadStreams, MAX_STREAMS};

use sluice_abi::smmu::Record;

use self::batch::Batch;
use self::pages::Pages;
use self::streams::{Found, Streams};
use crate::mmio::{Place, Width};

/// What became of a fault record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// The guest can read it in its event queue.
    Guest,
    /// It is the guest's, whose event queue is disabled, full, or not in its memory.
    Lost,
    /// It says nothing about the guest's stage 1: the VMM's own affair.
    Owner,
}

/// Interrupts to send when everything else is done.
#[derive(Clone, Copy, Default, Debug)]
struct Signals {
    events: bool,
    sync: bool,
    errors: bool,
}

/// The virtual SMMU of a guest.
#[derive(Clone, Debug)]
pub struct Smmu {
    features: Features,
    pages: Pages,
    streams: Streams,
    signals: Signals,
    /// Empty but while commands are carried out; kept for the memory it has.
    batch: Batch,
}

impl Smmu {
    /// An SMMU for streams with these numbers in the guest, which abort; [`reset`](Self::reset) it before the guest
    /// runs.
    ///
    /// # Errors
    /// When the list of streams is not one.
    pub fn new(features: Features, sids: &[u32]) -> Result<Self, BadStreams> {
        let features = features.within_bounds();
        let streams = Streams::new(sids, features.sid_bits)?;
        Ok(Self { features, pages: Pages::new(), streams, signals: Signals::default(), batch: Batch::default() })
    }

    /// Puts everything where a guest that boots expects it: the SMMU is disabled and streams bypass it, so that a guest
    /// without a driver for it can use its devices.
    pub fn reset(&mut self, world: &mut impl Backend) {
        self.pages.clear();
        self.features.identify(&mut self.pages);
        self.signals = Signals::default();
        for index in 0..self.streams.len() {
            self.streams.note(index, Found::Nothing);
            self.streams.set(index, self.disabled(), world);
        }
        self.settle(world);
    }

    /// Has every stream abort: the guest does not run any more. [`reset`](Self::reset) comes before it does again.
    pub fn stop(&mut self, world: &mut impl Backend) {
        for index in 0..self.streams.len() {
            self.streams.set(index, Stage1::Abort, world);
        }
    }

    /// What the guest reads at a place.
    #[must_use]
    pub fn read(&self, place: Place) -> u64 {
        self.pages.read(place)
    }

    /// The guest writes to a place. A doubleword is two words, the lower first; what is not aligned, or smaller than a
    /// word, is ignored (IHI 0070, 6.2).
    pub fn write(&mut self, place: Place, value: u64, world: &mut impl Backend) {
        if place.is_aligned() {
            match place.width {
                Width::Byte | Width::Half => {}
                Width::Word => self.write_word(place.offset, value as u32, world),
                Width::Double => {
                    self.write_word(place.offset, value as u32, world);
                    self.write_word(place.offset | 4, (value >> 32) as u32, world);
                }
            }
        }
        self.settle(world);
    }

    /// Takes a fault record of the stream at `index`, as `SID_GetFault` gives it: puts what is the guest's into its
    /// event queue.
    pub fn deliver(&mut self, index: usize, record: &Record, world: &mut impl Backend) -> Delivery {
        let Some(words) = self.streams.get(index).and_then(|stream| event::for_guest(record, stream.sid)) else {
            return Delivery::Owner;
        };
        let delivery = if self.record(words, world) { Delivery::Guest } else { Delivery::Lost };
        self.settle(world);
        delivery
    }

    /// Lets the guest see what has changed, and then hear of it.
    fn settle(&mut self, world: &mut impl Backend) {
        while let Some((offset, value)) = self.pages.take_changed() {
            world.publish(offset, value);
        }
        let Signals { events, sync, errors } = core::mem::take(&mut self.signals);
        for (due, interrupt) in [(events, Interrupt::Events), (sync, Interrupt::Sync), (errors, Interrupt::Errors)] {
            if due {
                world.interrupt(interrupt);
            }
        }
    }
}
