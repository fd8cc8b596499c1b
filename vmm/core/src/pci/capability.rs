//! The capabilities that a guest sees of a function, and which of their bits it can write.
//!
//! A capability is shown when everything that can be done through it is known here. What would reach beyond the function,
//! or depends on the machine around it, is not offered: wake-up events, links, messages as interrupts.

use alloc::vec::Vec;

use super::registers::{CAPABILITIES, COMMAND, END, HEADER_END, STATUS_CAPABILITIES};

/// Capability numbers (PCI Code and ID Assignment 1.11, chapter 2).
mod id {
    pub(super) const POWER: u8 = 0x01;
    pub(super) const VENDOR: u8 = 0x09;
    pub(super) const EXPRESS: u8 = 0x10;
    pub(super) const ADVANCED: u8 = 0x13;
}

/// Vendor of virtio devices, whose vendor capabilities say where in BARs their registers are (virtio 1.2, 4.1.4).
const VIRTIO: u16 = 0x1af4;
/// The one of them that is a window to BARs (virtio 1.2, 4.1.4.9), which only the real configuration space has.
const VIRTIO_WINDOW: u8 = 5;

/// PCI Express capability (PCI Express Base 4.0, 7.5.3).
mod express {
    /// Version of the capability; in bits 7:4, what the function is.
    pub(super) const VERSION: u32 = 0xf;
    /// A root complex integrated endpoint, the only kind that is on a bus without a link.
    pub(super) const INTEGRATED: u32 = 9 << 4;
    pub(super) const CAPABILITIES: usize = 0x4;
    /// Payload size, latencies, role-based error reporting, function-level reset. Neither phantom functions nor extended
    /// tags, which change what the function emits.
    pub(super) const CAPABILITIES_SHOWN: u32 = 0b111 | 0o77 << 6 | 1 << 15 | FLR_CAPABLE;
    pub(super) const FLR_CAPABLE: u32 = 1 << 28;
    pub(super) const CONTROL: usize = 0x8;
    /// Error reporting, relaxed ordering, payload size, no snoop, read request size: kept for the guest to read; the real
    /// function has what the machine was set up with.
    pub(super) const CONTROL_WRITABLE: u32 = 0x78ff;
    /// Value after a reset: relaxed ordering, no snoop, read requests of 512 bytes.
    pub(super) const CONTROL_RESET: u32 = 0x2810;
    pub(super) const INITIATE_FLR: u32 = 1 << 15;
    /// Bytes of the first version, and of later ones; links, slots, roots and second device registers read zero.
    pub(super) const BYTES: [usize; 2] = [0x14, 0x3c];
}

/// Power management (PCI Bus Power Management 1.2, 3.2).
mod power {
    /// Version. No D1, no D2, no wake-up events.
    pub(super) const SHOWN: u32 = 0b111 << 16;
    pub(super) const CONTROL: usize = 0x4;
    pub(super) const BYTES: usize = 8;
    /// The function comes back from D3hot as it was: it never went there.
    pub(super) const NO_SOFT_RESET: u32 = 1 << 3;
    pub(super) const STATE: u32 = 0b11;
}

/// Conventional PCI Advanced Features (ECN, 2006).
mod advanced {
    /// Length, transactions pending and function-level reset.
    pub(super) const SHOWN: u32 = 0xff << 16 | FLR_CAPABLE;
    pub(super) const FLR_CAPABLE: u32 = 0b11 << 24;
    pub(super) const CONTROL: usize = 0x4;
    pub(super) const INITIATE_FLR: u32 = 1;
    pub(super) const BYTES: usize = 6;
}

/// What a word of configuration space reads, and which bits can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Word {
    pub(super) offset: usize,
    pub(super) value: u32,
    pub(super) writable: u32,
}

/// What a write of a bit means beyond that it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Special {
    /// Starts a function-level reset; reads zero.
    Reset {
        /// The word.
        offset: usize,
        /// The bit.
        bit: u32,
    },
    /// The power state: D0 or D3hot.
    Power {
        /// The word.
        offset: usize,
    },
}

/// The list as the guest sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Shown {
    /// Every word that does not read zero or can be written, the pointer to the first capability included.
    pub(super) words: Vec<Word>,
    pub(super) special: Vec<Special>,
}

/// The power state in a control word of power management.
pub(super) const fn is_awake(control: u32) -> bool {
    control & power::STATE == 0
}

/// What is kept of a write to the power state: D1 and D2 are not there, and a write of them is discarded (3.2.4).
pub(super) const fn power_state(old: u32, new: u32) -> u32 {
    match new & power::STATE {
        0b00 | 0b11 => new,
        _ => new & !power::STATE | old & power::STATE,
    }
}

/// The capabilities of a function whose configuration space begins with `config`.
pub(super) fn show(config: &[u32; END / 4]) -> Shown {
    let mut shown = Shown::default();
    let mut previous = CAPABILITIES;
    let mut used: Vec<(usize, usize)> = Vec::new();
    for offset in list(config) {
        let Some((bytes, words, special)) = one(config, offset) else { continue };
        let end = offset + bytes;
        if end > END || used.iter().any(|(start, stop)| offset < *stop && *start < end) {
            continue;
        }
        used.push((offset, end));
        link(&mut shown.words, previous, offset);
        previous = offset;
        shown.words.extend(words);
        shown.special.extend(special);
    }
    shown
}

/// Offsets of the capabilities. The list is the function's word: it ends at an offset in the header or one seen before.
fn list(config: &[u32; END / 4]) -> Vec<usize> {
    let mut offsets = Vec::new();
    if config[COMMAND / 4] & STATUS_CAPABILITIES == 0 {
        return offsets;
    }
    let mut next = (config[CAPABILITIES / 4] & 0xfc) as usize;
    while next >= HEADER_END && !offsets.contains(&next) {
        offsets.push(next);
        next = (config[next / 4] >> 8 & 0xfc) as usize;
    }
    offsets
}

/// Has the word at `from` point to `to`: its lowest byte in the header, its second in a capability.
fn link(words: &mut Vec<Word>, from: usize, to: usize) {
    match words.iter_mut().find(|word| word.offset == from) {
        Some(word) => word.value |= (to as u32) << 8,
        None => words.push(Word { offset: from, value: to as u32, writable: 0 }),
    }
}

/// Bytes, words and meanings of the capability at `offset`; `None` for what is hidden.
fn one(config: &[u32; END / 4], offset: usize) -> Option<(usize, Vec<Word>, Vec<Special>)> {
    let at = |word: usize| config.get((offset + word) / 4).copied();
    let word = |register: usize, value: u32, writable: u32| Word { offset: offset + register, value, writable };
    let first = at(0)?;
    let number = first & 0xff;
    let head = |shown: u32| word(0, number | first & shown, 0);
    match first as u8 {
        id::POWER => {
            let control = word(power::CONTROL, power::NO_SOFT_RESET, power::STATE);
            let special = Special::Power { offset: offset + power::CONTROL };
            Some((power::BYTES, [head(power::SHOWN), control].into(), [special].into()))
        }
        id::EXPRESS => {
            let version = first >> 16 & express::VERSION;
            let head = word(0, number | (version | express::INTEGRATED) << 16, 0);
            let offers = at(express::CAPABILITIES)? & express::CAPABILITIES_SHOWN;
            let control = word(express::CONTROL, express::CONTROL_RESET, express::CONTROL_WRITABLE);
            let reset = Special::Reset { offset: offset + express::CONTROL, bit: express::INITIATE_FLR };
            let special = (offers & express::FLR_CAPABLE != 0).then_some(reset);
            let bytes = express::BYTES[usize::from(version > 1)];
            Some((bytes, [head, word(express::CAPABILITIES, offers, 0), control].into(), special.into_iter().collect()))
        }
        id::ADVANCED => {
            let reset = Special::Reset { offset: offset + advanced::CONTROL, bit: advanced::INITIATE_FLR };
            let special = (first & advanced::FLR_CAPABLE == advanced::FLR_CAPABLE).then_some(reset);
            Some((advanced::BYTES, [head(advanced::SHOWN)].into(), special.into_iter().collect()))
        }
        id::VENDOR if config[0] as u16 == VIRTIO && (first >> 24) as u8 != VIRTIO_WINDOW => {
            let bytes = (first >> 16 & 0xff) as usize;
            let rest = (4..bytes).step_by(4).map(|register| Some(word(register, at(register)?, 0)));
            let words = rest.chain([Some(head(0xffff << 16))]).collect::<Option<Vec<_>>>()?;
            Some((bytes.max(4), words, Vec::new()))
        }
        _ => None,
    }
}
