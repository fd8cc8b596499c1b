//! One function: its registers, and what they say.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use super::bar::Bar;
use super::capability::{self, Special, Word};
use super::registers::{
    BAR0, CLASS, COMMAND, COMMAND_WRITABLE, END, HEADER, HEADER_END, ID, INTERRUPT, INTX_DISABLE, LOWEST_BYTE, MASTER,
    MEMORY, STATUS_CAPABILITIES, SUBSYSTEM,
};

const WORDS: usize = END / 4;
/// Slots of the bus; the first is the host bridge's.
const SLOTS: u8 = 32;
/// Header type of an endpoint, behind the bit that says that there are more functions.
const HEADER_TYPE: u32 = 0x7f << 16;

/// A host bridge that every kernel knows to leave alone: that of QEMU (1b36:0008), class 06 00 00.
const BRIDGE: [(usize, u32); 2] = [(ID, 0x0008_1b36), (CLASS, 0x0600_0000)];

/// A function of the guest's bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    slot: u8,
    /// INTA# is 0.
    pin: Option<u8>,
    bars: Vec<Bar>,
    special: Vec<Special>,
    words: [u32; WORDS],
    writable: [u32; WORDS],
    /// The words after a reset: BARs hold no address.
    after_reset: [u32; WORDS],
    /// The words when the guest starts.
    at_start: [u32; WORDS],
}

/// Why something cannot be a function of a guest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionError {
    /// The bus has no such slot, or it is the bridge's.
    Slot(u8),
    /// There is less than the header of its configuration space.
    Short {
        /// Bytes there are.
        bytes: usize,
    },
    /// It is a bridge or something unknown.
    HeaderType(u8),
    /// This is no memory BAR of that size, or another has its register.
    Bar {
        /// Its number.
        index: u8,
        /// Its bytes.
        size: u64,
    },
}

impl Function {
    /// A function at `slot`, from `config`, the first bytes of the real one's configuration space, and from the numbers and
    /// sizes of those of its memory BARs that the guest gets. Sizes are of whole pages. `has_interrupt` says whether its pin
    /// is connected.
    ///
    /// # Errors
    /// When that is no endpoint, or does not fit together.
    pub fn new(slot: u8, config: &[u8], bars: &[(u8, u64)], has_interrupt: bool) -> Result<Self, FunctionError> {
        if slot == 0 || slot >= SLOTS {
            return Err(FunctionError::Slot(slot));
        }
        if config.len() < HEADER_END {
            return Err(FunctionError::Short { bytes: config.len() });
        }
        let byte = |at: usize| config.get(at).copied().unwrap_or(0);
        let real: [u32; WORDS] =
            core::array::from_fn(|word| u32::from_le_bytes(core::array::from_fn(|index| byte(4 * word + index))));
        let header_type = (real[HEADER / 4] & HEADER_TYPE) >> 16;
        if header_type != 0 {
            return Err(FunctionError::HeaderType(header_type as u8));
        }
        let pin = (real[INTERRUPT / 4] >> 8) as u8;
        let pin = Some(pin).filter(|pin| has_interrupt && (1..=4).contains(pin));
        let mut function = Self::empty(slot);
        function.pin = pin.map(|pin| pin - 1);
        for register in [ID, CLASS, SUBSYSTEM] {
            function.set(Word { offset: register, value: real[register / 4], writable: 0 });
        }
        function.set(Word { offset: HEADER, value: 0, writable: LOWEST_BYTE });
        function.set(Word { offset: INTERRUPT, value: u32::from(pin.unwrap_or(0)) << 8, writable: LOWEST_BYTE });
        for (index, size) in bars.iter().copied() {
            function.add_bar(&real, index, size)?;
        }
        let shown = capability::show(&real);
        let status = if shown.words.is_empty() { 0 } else { STATUS_CAPABILITIES };
        function.set(Word { offset: COMMAND, value: status, writable: COMMAND_WRITABLE });
        shown.words.into_iter().for_each(|word| function.set(word));
        function.special = shown.special;
        Ok(function)
    }

    pub(super) fn host_bridge() -> Self {
        let mut bridge = Self::empty(0);
        BRIDGE.iter().for_each(|(offset, value)| bridge.set(Word { offset: *offset, value: *value, writable: 0 }));
        bridge
    }

    fn empty(slot: u8) -> Self {
        Self {
            slot,
            pin: None,
            bars: Vec::new(),
            special: Vec::new(),
            words: [0; WORDS],
            writable: [0; WORDS],
            after_reset: [0; WORDS],
            at_start: [0; WORDS],
        }
    }

    fn set(&mut self, word: Word) {
        let index = word.offset / 4;
        self.writable[index] = word.writable;
        for words in [&mut self.words, &mut self.after_reset, &mut self.at_start] {
            words[index] = word.value;
        }
    }

    fn add_bar(&mut self, real: &[u32; WORDS], index: u8, size: u64) -> Result<(), FunctionError> {
        let error = FunctionError::Bar { index, size };
        let word = real[BAR0 / 4..].first_chunk::<6>().and_then(|words| words.get(usize::from(index)));
        let bar = word.and_then(|word| Bar::new(index, *word, size)).ok_or(error)?;
        let registers = |bar: Bar| bar.index()..=bar.index() + u8::from(bar.is_wide());
        let is_taken = |other: &Bar| registers(*other).any(|register| registers(bar).contains(&register));
        if self.bars.iter().any(is_taken) {
            return Err(error);
        }
        for ((value, writable), half) in bar.words(0).into_iter().zip(0..).take(1 + usize::from(bar.is_wide())) {
            self.set(Word { offset: bar.register() + 4 * half, value, writable });
        }
        self.bars.push(bar);
        self.bars.sort_by_key(|bar| bar.index());
        Ok(())
    }

    /// Its slot.
    #[must_use]
    pub const fn slot(&self) -> u8 {
        self.slot
    }

    /// Its memory BARs, in order of their numbers.
    #[must_use]
    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// Its interrupt pin, 0 for INTA#.
    pub(super) const fn pin(&self) -> Option<u8> {
        self.pin
    }

    /// Has a BAR be at `at` when the guest starts.
    pub(super) fn assign(&mut self, bar: Bar, at: u64) {
        for ((value, _), half) in bar.words(at).into_iter().zip(0..).take(1 + usize::from(bar.is_wide())) {
            let index = bar.register() / 4 + half;
            self.at_start[index] = value;
            self.words[index] = value;
        }
    }

    /// The address in a BAR's registers.
    pub(super) fn address(&self, bar: Bar) -> u64 {
        let word = bar.register() / 4;
        let high = if bar.is_wide() { self.words[word + 1] } else { 0 };
        // What cannot be written of an address is the kind, below every size.
        u64::from(high) << 32 | u64::from(self.words[word] & self.writable[word])
    }

    /// Whether it is in D0, and not in D3hot, in which it neither answers, masters nor interrupts (PCI Bus Power Management
    /// 1.2, 5.3).
    fn is_awake(&self) -> bool {
        self.special.iter().all(|special| match special {
            Special::Power { offset } => capability::is_awake(self.words[offset / 4]),
            Special::Reset { .. } => true,
        })
    }

    fn is_on(&self, command: u32) -> bool {
        self.words[COMMAND / 4] & command != 0 && self.is_awake()
    }

    pub(super) fn is_decoding(&self) -> bool {
        self.is_on(MEMORY)
    }

    pub(super) fn is_mastering(&self) -> bool {
        self.is_on(MASTER)
    }

    pub(super) fn is_interrupting(&self) -> bool {
        self.pin.is_some() && self.words[COMMAND / 4] & INTX_DISABLE == 0 && self.is_awake()
    }

    /// The byte at `register`. There are no extended capabilities.
    pub(super) fn byte(&self, register: u64) -> u8 {
        let word = self.words.get((register / 4) as usize).copied().unwrap_or(0);
        word.to_le_bytes()[(register % 4) as usize]
    }

    /// Writes the bits of `mask` of the word at `register`; whether that is a reset of the function.
    pub(super) fn write(&mut self, register: u64, value: u32, mask: u32) -> bool {
        let index = (register / 4) as usize;
        let Some(old) = self.words.get(index).copied() else { return false };
        let changed = self.writable[index] & mask;
        let mut new = old & !changed | value & changed;
        let mut is_reset = false;
        for special in &self.special {
            match *special {
                Special::Reset { offset, bit } if offset / 4 == index => is_reset |= value & mask & bit != 0,
                Special::Power { offset } if offset / 4 == index => new = capability::power_state(old, new),
                Special::Reset { .. } | Special::Power { .. } => {}
            }
        }
        self.words[index] = new;
        if is_reset {
            self.words = self.after_reset;
        }
        is_reset
    }

    /// As when the guest starts.
    pub(super) fn restart(&mut self) {
        self.words = self.at_start;
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(slot) => write!(f, "a function cannot be at slot {slot}: 1 to {} are free", SLOTS - 1),
            Self::Short { bytes } => write!(f, "{bytes} bytes of configuration space are less than a header"),
            Self::HeaderType(kind) => write!(f, "a function with a header of type {kind:#x} is no endpoint"),
            Self::Bar { index, size } => write!(f, "BAR {index} is no memory BAR of {size:#x} bytes"),
        }
    }
}

impl Error for FunctionError {}
