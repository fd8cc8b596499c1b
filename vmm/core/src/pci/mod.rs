//! A PCI host with one bus: a host bridge, and the functions that were handed to the guest.
//!
//! The guest never reaches the real configuration space. It reads and writes registers that are kept here, and what must
//! follow from a write in the real machine is returned as [`Effect`]s. Interrupts are by pin: MSI and MSI-X are not shown.
//!
//! Sources: PCI Local Bus 3.0 (chapter 6, configuration space), PCI Express Base 4.0 (7.5.3, PCI Express capability; 7.2.2,
//! ECAM), PCI Bus Power Management 1.2 (3.2).

mod bar;
mod capability;
mod function;
mod registers;

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

pub use bar::Bar;
pub use function::{Function, FunctionError};

use crate::layout::{ECAM, PCI_WINDOW, intid};
use crate::memory::GuestPhysAddr;
use crate::mmio::Place;

/// Bytes of a function's configuration space in ECAM.
const FUNCTION_BYTES: u64 = 0x1000;
/// Functions of a device; the guest's have one.
const FUNCTIONS: u64 = 8;

/// What a write to configuration space comes to in the real machine. Effects are in the order in which they are to be made:
/// what takes away first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A BAR answers somewhere else, or nowhere. It was nowhere before it moves.
    BarPlaced {
        /// The function.
        slot: u8,
        /// The BAR, as [`Bar::index`].
        bar: u8,
        /// Where its pages are now, all in [`PCI_WINDOW`].
        at: Option<GuestPhysAddr>,
    },
    /// Whether the function may master memory.
    Mastering {
        /// The function.
        slot: u8,
        /// It may.
        on: bool,
    },
    /// Whether the function's interrupt pin reaches the guest. Of a function without a pin nothing is said.
    Interrupt {
        /// The function.
        slot: u8,
        /// It does.
        on: bool,
    },
    /// The function is to be reset. What effects say of it before and after holds all the same.
    Reset {
        /// The function.
        slot: u8,
    },
}

/// The host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PciHost {
    bridge: Function,
    /// In order of slots.
    functions: Vec<Function>,
    /// What the real machine does, as effects have told it.
    real: Vec<State>,
}

/// What a function's registers mean for the real machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct State {
    /// Of each BAR, as the function has them.
    placed: Vec<Option<u64>>,
    mastering: bool,
    interrupt: bool,
}

/// Why there is no host with these functions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostError {
    /// Two functions are at one slot.
    SlotTaken(u8),
    /// The window has no room for all BARs.
    NoRoom {
        /// The function.
        slot: u8,
        /// The BAR.
        bar: u8,
        /// Its bytes.
        bytes: u64,
    },
}

impl PciHost {
    /// A host with `functions`, whose BARs have addresses that do not overlap. [`PciHost::reset`] comes next: until then
    /// nothing is mapped of any of them, and none masters or interrupts.
    ///
    /// # Errors
    /// When two share a slot, or the window is too small.
    pub fn new(mut functions: Vec<Function>) -> Result<Self, HostError> {
        functions.sort_by_key(Function::slot);
        if let Some(pair) = functions.windows(2).find(|pair| pair[0].slot() == pair[1].slot()) {
            return Err(HostError::SlotTaken(pair[0].slot()));
        }
        bar::assign(&mut functions)?;
        let real = functions.iter().map(State::quiet).collect();
        Ok(Self { bridge: Function::host_bridge(), functions, real })
    }

    /// What an access reads: any width, at any offset of [`ECAM`]. Where no function is, all ones.
    #[must_use]
    pub fn read(&self, place: Place) -> u64 {
        let byte = |index: u64| u64::from(self.byte(place.offset.wrapping_add(index))) << (8 * index);
        (0..place.width.bytes()).map(byte).fold(0, |value, byte| value | byte)
    }

    /// Makes a write, of any width, at any offset of [`ECAM`].
    #[must_use]
    pub fn write(&mut self, place: Place, value: u64) -> Vec<Effect> {
        let mut reset = Vec::new();
        // Whole words, so that nothing in between is acted on; an access of eight bytes touches three at most.
        let first = place.offset & !3;
        for word in 0..3 {
            let offset = first.wrapping_add(4 * word);
            let shift = 32 * word as i64 - 8 * (place.offset & 3) as i64;
            let (value, mask) = (part(value, shift), part(place.width.mask(), shift));
            let Some((function, register)) = self.function_mut(offset).filter(|_| mask != 0) else { continue };
            if function.write(register, value, mask) {
                reset.push(function.slot());
            }
        }
        self.settle(&reset)
    }

    /// Puts everything as it is before the guest runs, for its first start and for every other.
    #[must_use]
    pub fn reset(&mut self) -> Vec<Effect> {
        self.functions.iter_mut().for_each(Function::restart);
        let slots: Vec<u8> = self.functions.iter().map(Function::slot).collect();
        self.settle(&slots)
    }

    /// Takes from every function what it may do to others: to master memory, then to interrupt. What the guest reads stays
    /// as it is; [`PciHost::reset`] comes before the guest runs again.
    #[must_use]
    pub fn silence(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (function, real) in self.functions.iter().zip(&mut self.real) {
            let slot = function.slot();
            if core::mem::take(&mut real.mastering) {
                effects.push(Effect::Mastering { slot, on: false });
            }
            if core::mem::take(&mut real.interrupt) {
                effects.push(Effect::Interrupt { slot, on: false });
            }
        }
        effects
    }

    /// The guest's interrupt that the function at `slot` raises, when it is there and has a pin.
    #[must_use]
    pub fn line(&self, slot: u8) -> Option<u32> {
        let function = self.functions.iter().find(|function| function.slot() == slot)?;
        // The pin of a device is swizzled by its slot (PCI Local Bus 3.0, 2.2.6).
        let pin = function.pin()?;
        Some(intid::PCI[(usize::from(slot) + usize::from(pin)) % intid::PCI.len()])
    }

    /// The functions, in order of slots.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    fn byte(&self, offset: u64) -> u8 {
        self.function(offset).map_or(0xff, |(function, register)| function.byte(register))
    }

    /// The function whose configuration space is at an offset of ECAM, and the register there.
    fn function(&self, offset: u64) -> Option<(&Function, u64)> {
        match locate(offset)? {
            (0, register) => Some((&self.bridge, register)),
            (slot, register) => {
                let index = self.functions.binary_search_by_key(&slot, Function::slot).ok()?;
                Some((&self.functions[index], register))
            }
        }
    }

    fn function_mut(&mut self, offset: u64) -> Option<(&mut Function, u64)> {
        let (slot, register) = locate(offset)?;
        let index = self.functions.binary_search_by_key(&slot, Function::slot).ok()?;
        Some((&mut self.functions[index], register))
    }

    /// Brings the real machine to what the registers say: what is taken away, resets, what is given.
    fn settle(&mut self, reset: &[u8]) -> Vec<Effect> {
        let placed = bar::placements(&self.functions);
        let wanted = self.functions.iter().zip(placed).map(|(function, placed)| State::of(function, placed));
        let wanted: Vec<State> = wanted.collect();
        let mut effects = Vec::new();
        let changes = || self.functions.iter().zip(self.real.iter().zip(&wanted));
        for (function, (old, new)) in changes() {
            effects.extend(taken(function, old, new));
        }
        effects.extend(reset.iter().map(|slot| Effect::Reset { slot: *slot }));
        for (function, (old, new)) in changes() {
            effects.extend(given(function, old, new));
        }
        self.real = wanted;
        effects
    }
}

impl State {
    fn quiet(function: &Function) -> Self {
        Self { placed: function.bars().iter().map(|_| None).collect(), ..Self::default() }
    }

    fn of(function: &Function, placed: Vec<Option<u64>>) -> Self {
        Self { placed, mastering: function.is_mastering(), interrupt: function.is_interrupting() }
    }
}

/// The slot and the register at an offset of ECAM (PCI Express Base 4.0, 7.2.2).
fn locate(offset: u64) -> Option<(u8, u64)> {
    let function = offset / FUNCTION_BYTES;
    if offset >= ECAM.size || !function.is_multiple_of(FUNCTIONS) {
        return None;
    }
    Some(((function / FUNCTIONS) as u8, offset % FUNCTION_BYTES))
}

/// The 32 bits of `value` from bit `shift` on, which may be outside of it on either side.
const fn part(value: u64, shift: i64) -> u32 {
    match shift {
        64.. => 0,
        0..64 => (value >> shift) as u32,
        _ => (value << -shift) as u32,
    }
}

fn taken<'a>(function: &'a Function, old: &'a State, new: &'a State) -> impl Iterator<Item = Effect> + 'a {
    let slot = function.slot();
    let mastering = (old.mastering && !new.mastering).then_some(Effect::Mastering { slot, on: false });
    let interrupt = (old.interrupt && !new.interrupt).then_some(Effect::Interrupt { slot, on: false });
    let bars = function.bars().iter().zip(old.placed.iter().zip(&new.placed));
    let bars = bars.filter(|(_, (old, new))| old.is_some() && old != new);
    let bars = bars.map(move |(bar, _)| Effect::BarPlaced { slot, bar: bar.index(), at: None });
    mastering.into_iter().chain(interrupt).chain(bars)
}

fn given<'a>(function: &'a Function, old: &'a State, new: &'a State) -> impl Iterator<Item = Effect> + 'a {
    let slot = function.slot();
    let bars = function.bars().iter().zip(old.placed.iter().zip(&new.placed));
    let bars = bars.filter(|(_, (old, new))| new.is_some() && old != new);
    let at = |at: u64| Some(GuestPhysAddr(at));
    let bars = bars.map(move |(bar, (_, new))| Effect::BarPlaced { slot, bar: bar.index(), at: new.and_then(at) });
    let interrupt = (new.interrupt && !old.interrupt).then_some(Effect::Interrupt { slot, on: true });
    let mastering = (new.mastering && !old.mastering).then_some(Effect::Mastering { slot, on: true });
    bars.chain(interrupt).chain(mastering)
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlotTaken(slot) => write!(f, "two functions are at slot {slot} of the guest's bus"),
            Self::NoRoom { slot, bar, bytes } => write!(
                f,
                "BAR {bar} of the function at slot {slot} needs {bytes:#x} bytes, and the guest's window of {:#x} has no room \
                 left for it",
                PCI_WINDOW.size
            ),
        }
    }
}

impl Error for HostError {}
