//! GICv3 of a guest (IHI 0069): distributor and redistributors. The CPU interface is the real one.
//!
//! One security state, affinity routing always on, 32 private interrupts for each processor, shared ones up to
//! [`intid::END`](crate::layout::intid::END). No LPIs, no ITS, no messages, no 1-of-N.
//!
//! What is signalled goes into list registers, by way of the kernel, and comes back as maintenance when the guest has ended
//! it. [`delivery`] says what follows from the VMM's not seeing them in between. Interrupts of devices can go to the guest
//! without that, see [`forward`].
//!
//! The only state is in registers and lines; [`Gic::violation`] says what holds of it at all times.

mod bank;
mod delivery;
mod distributor;
mod forward;
mod redistributor;
mod registers;
mod sgi;

pub use delivery::Injection;
pub use forward::Progress;
pub use sgi::SgiRegister;

use self::bank::Bank;
use self::delivery::{ListRegister, MAX_LIST_REGISTERS};
use self::redistributor::Redistributor;
use crate::layout::{MAX_PROCESSORS, intid};
use crate::processor::Processor;

/// First shared INTID.
const FIRST_SHARED: u32 = 32;
/// Shared interrupts.
const SHARED: usize = (intid::END - FIRST_SHARED) as usize;
const SHARED_BANKS: usize = SHARED / 32;
const _: () = assert!(SHARED.is_multiple_of(32), "registers of a bit each are for 32 interrupts");

/// The interrupt controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gic {
    processors: usize,
    list_registers: usize,
    /// Bit 0, bit 1: group enabled.
    groups: u32,
    shared: [Bank; SHARED_BANKS],
    /// Affinity that each shared interrupt goes to.
    routes: [u64; SHARED],
    redistributors: [Redistributor; MAX_PROCESSORS],
}

impl Gic {
    /// A controller as firmware leaves it, for that many processors (at least 1, at most [`MAX_PROCESSORS`]), with that many list
    /// registers each (at least 1, at most 16). All is as after a reset, but that the redistributor of the first
    /// processor is awake: it is the only one that is on.
    #[must_use]
    pub const fn new(processors: usize, list_registers: usize) -> Self {
        let mut redistributors = [const { Redistributor::new() }; MAX_PROCESSORS];
        redistributors[Processor::FIRST.index()].asleep = false;
        Self {
            processors: within(processors, MAX_PROCESSORS),
            list_registers: within(list_registers, MAX_LIST_REGISTERS),
            groups: 0,
            shared: [const { Bank::shared() }; SHARED_BANKS],
            routes: [0; SHARED],
            redistributors,
        }
    }

    /// Back to what [`Gic::new`] made, with all lines low. List registers are taken to be empty: the virtual processors of
    /// a guest that starts again are new, or were emptied.
    pub fn reset(&mut self) {
        *self = Self::new(self.processors, self.list_registers);
    }

    /// Sets the line of a shared interrupt. INTIDs that are none are ignored, here and below.
    pub fn set_level(&mut self, intid: u32, high: bool) {
        if let Some((bank, bit)) = self.shared_bank(intid) {
            bank.set_line(bit, high);
        }
    }

    /// Sets the line of a private peripheral interrupt (16 to 31) of one processor.
    pub fn set_private_level(&mut self, processor: Processor, intid: u32, high: bool) {
        if (16..FIRST_SHARED).contains(&intid)
            && let Some((bank, bit)) = self.bank_of(processor, intid)
        {
            bank.set_line(bit, high);
        }
    }

    /// A message or an edge for a shared interrupt: it is pending, however the guest has configured its trigger.
    pub fn pulse(&mut self, intid: u32) {
        if let Some((bank, bit)) = self.shared_bank(intid) {
            bank.latched |= bit;
        }
    }

    /// Whether the line of a shared interrupt is high.
    #[must_use]
    pub fn level(&self, intid: u32) -> bool {
        let index = intid.wrapping_sub(FIRST_SHARED);
        self.shared.get(index as usize / 32).is_some_and(|bank| bank.line >> (index % 32) & 1 != 0)
    }

    fn redistributor(&self, processor: Processor) -> Option<&Redistributor> {
        self.redistributors[..self.processors].get(processor.index())
    }

    fn shared_bank(&mut self, intid: u32) -> Option<(&mut Bank, u32)> {
        let index = intid.checked_sub(FIRST_SHARED)?;
        Some((self.shared.get_mut(index as usize / 32)?, 1 << (index % 32)))
    }

    /// The bank that has an interrupt as a processor sees it, and its bit there.
    fn bank_of(&mut self, processor: Processor, intid: u32) -> Option<(&mut Bank, u32)> {
        if intid >= FIRST_SHARED {
            return self.shared_bank(intid);
        }
        let redistributor = self.redistributors[..self.processors].get_mut(processor.index())?;
        Some((&mut redistributor.bank, 1 << intid))
    }

    /// The processor that a shared interrupt goes to, if there is one with the affinity of its route.
    fn target(&self, intid: u32) -> Option<Processor> {
        let route = *self.routes.get(intid.checked_sub(FIRST_SHARED)? as usize)?;
        Processor::from_affinity(route).filter(|processor| processor.index() < self.processors)
    }

    /// What should hold of every state, and does not.
    #[must_use]
    pub fn violation(&self) -> Option<&'static str> {
        let mut listed = [0; SHARED_BANKS];
        for (index, redistributor) in self.redistributors.iter().enumerate() {
            let mut private = 0;
            for (number, register) in redistributor.list.iter().enumerate() {
                if register != ListRegister::Free && (index >= self.processors || number >= self.list_registers) {
                    return Some("a list register that is not there is in use");
                }
                let ListRegister::Holds { intid, .. } = register else { continue };
                let (bits, bit) = match intid.checked_sub(FIRST_SHARED) {
                    None => (&mut private, 1 << intid),
                    Some(shared) if (shared as usize) < SHARED => {
                        (&mut listed[shared as usize / 32], 1 << (shared % 32))
                    }
                    Some(_) => return Some("a list register holds an interrupt that is none"),
                };
                if *bits & bit != 0 {
                    return Some("an interrupt is in two list registers");
                }
                *bits |= bit;
            }
            if redistributor.bank.listed != private {
                return Some("a private interrupt is listed and in no list register, or the other way round");
            }
        }
        if self.shared.iter().zip(listed).any(|(bank, listed)| bank.listed != listed) {
            return Some("a shared interrupt is listed and in no list register, or the other way round");
        }
        let mut banks = self.shared.iter().chain(self.redistributors.iter().map(|redistributor| &redistributor.bank));
        if !banks.all(Bank::is_well_formed) {
            return Some("a trigger or a priority that cannot be set is");
        }
        None
    }
}

const fn within(count: usize, most: usize) -> usize {
    if count < 1 {
        1
    } else if count > most {
        most
    } else {
        count
    }
}
