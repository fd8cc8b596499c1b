//! The guest's own SMMUv3 (IHI 0070): its registers, both queues, and one linear stream table.

use sluice_hostile::place::SMMU;

use sluice_bare::machine::{barrier, load, store, within};

/// Registers (6.2).
pub(crate) mod register {
    pub(crate) const CR0: u64 = 0x20;
    pub(crate) const CR0ACK: u64 = 0x24;
    pub(crate) const GBPA: u64 = 0x44;
    pub(crate) const IRQ_CTRL: u64 = 0x50;
    pub(crate) const GERROR: u64 = 0x60;
    pub(crate) const GERRORN: u64 = 0x64;
    pub(crate) const STRTAB_BASE: u64 = 0x80;
    pub(crate) const STRTAB_BASE_CFG: u64 = 0x88;
    pub(crate) const CMDQ_BASE: u64 = 0x90;
    pub(crate) const CMDQ_PROD: u64 = 0x98;
    pub(crate) const CMDQ_CONS: u64 = 0x9c;
    pub(crate) const EVENTQ_BASE: u64 = 0xa0;
    pub(crate) const EVENTQ_PROD: u64 = 0x1_00a8;
    pub(crate) const EVENTQ_CONS: u64 = 0x1_00ac;
}

/// CR0: translation, events and commands (6.3.9).
pub(crate) const TRANSLATE: u64 = 1;
const EVENTS: u64 = 4;
pub(crate) const COMMANDS: u64 = 8;
/// GBPA: update, and abort (6.3.14).
pub(crate) const GBPA_UPDATE: u64 = 1 << 31;
pub(crate) const GBPA_ABORT: u64 = 1 << 20;

/// Commands (4.3, 4.4, 4.7).
pub(crate) mod command {
    pub(crate) const CFGI_ALL: [u64; 2] = [4, 31];
    pub(crate) const TLBI_ALL: [u64; 2] = [0x30, 0];
    pub(crate) const SYNC: [u64; 2] = [0x46, 0];

    pub(crate) const fn entry(stream: u64) -> [u64; 2] {
        [3 | stream << 32, 1]
    }

    pub(crate) const fn descriptor(stream: u64) -> [u64; 2] {
        [5 | stream << 32, 1]
    }
}

/// Event records (7.3): their numbers, and the flag of a read.
pub(crate) mod event {
    pub(crate) const CD_FETCH: u64 = 0x09;
    pub(crate) const WALK_EABT: u64 = 0x0b;
    pub(crate) const TRANSLATION: u64 = 0x10;
}

/// log2 of the entries of the stream table and the queues.
const STREAM_BITS: u64 = 8;
const COMMAND_BITS: u64 = 8;
const EVENT_BITS: u64 = 7;
/// Bytes of memory that it needs.
pub(crate) const BYTES: u64 = 0x6000;
/// Milliseconds that an event takes at most when nobody holds it up: the VMM may have to wait for its turn.
const ON_ITS_WAY: u64 = 25;
/// Milliseconds within which one that is expected comes.
pub(crate) const EXPECTED: u64 = 3000;

/// The SMMU, with its stream table and queues in memory of the guest.
pub(crate) struct Smmu {
    table: u64,
    commands: u64,
    events: u64,
}

/// What a stream table entry says (5.2).
#[derive(Clone, Copy)]
pub(crate) enum Entry {
    /// Nothing comes through.
    Abort,
    /// Nothing is translated.
    Bypass,
    /// By the context descriptor at this address.
    Stage1(u64),
    /// An illegal one: both stages.
    Both(u64),
}

impl Entry {
    const fn words(self) -> [u64; 2] {
        match self {
            Self::Abort => [1, 0],
            Self::Bypass => [1 | 4 << 1, 1 << 44],
            // Descriptors are fetched through write-back caches, inner shareable; SHCFG: as the transaction says.
            Self::Stage1(descriptor) => [descriptor | 5 << 1 | 1, 0xd4 | 1 << 44],
            Self::Both(descriptor) => [descriptor | 7 << 1 | 1, 0xd4 | 1 << 44],
        }
    }
}

impl Smmu {
    /// Its tables in [`BYTES`] bytes from `at`, a multiple of 16 KiB: every stream aborts. It translates from here on.
    pub(crate) fn start(at: u64) -> Self {
        let smmu = Self { table: at, commands: at + 0x4000, events: at + 0x5000 };
        write(register::CR0, 0);
        write(register::IRQ_CTRL, 0);
        (at..at + BYTES).step_by(8).for_each(|word| store(word, 8, 0));
        (0..1 << STREAM_BITS).for_each(|stream| smmu.set(stream, Entry::Abort));
        smmu.place_table(at);
        smmu.place_commands(smmu.commands);
        smmu.place_events(smmu.events);
        smmu.enable(TRANSLATE);
        smmu
    }

    /// Turns translation, or nothing but the queues, on. `false` when it does not come.
    pub(crate) fn enable(&self, translate: u64) -> bool {
        let wanted = COMMANDS | EVENTS;
        write(register::CR0, wanted);
        let configured = self.issue(&[command::CFGI_ALL, command::TLBI_ALL]);
        write(register::CR0, wanted | translate);
        within(100, || read(register::CR0ACK) == wanted | translate) && configured
    }

    /// Says where the stream table is; translation is off.
    pub(crate) fn place_table(&self, at: u64) {
        store(SMMU + register::STRTAB_BASE, 8, at);
        write(register::STRTAB_BASE_CFG, STREAM_BITS);
    }

    /// Says where commands are; they are off.
    pub(crate) fn place_commands(&self, at: u64) {
        store(SMMU + register::CMDQ_BASE, 8, at | COMMAND_BITS);
        write(register::CMDQ_PROD, 0);
        write(register::CMDQ_CONS, 0);
    }

    /// Says where events are; they are off.
    pub(crate) fn place_events(&self, at: u64) {
        store(SMMU + register::EVENTQ_BASE, 8, at | EVENT_BITS);
        write(register::EVENTQ_PROD, 0);
        write(register::EVENTQ_CONS, 0);
    }

    /// Where its own queue of commands is, and that of events.
    pub(crate) const fn queues(&self) -> [u64; 2] {
        [self.commands, self.events]
    }

    /// Where its own stream table is.
    pub(crate) const fn table(&self) -> u64 {
        self.table
    }

    /// Writes the entry of a stream, and tells nobody.
    pub(crate) fn set(&self, stream: u64, entry: Entry) {
        let [first, second] = entry.words();
        store(self.table + stream * 64 + 8, 8, second);
        store(self.table + stream * 64, 8, first);
        barrier();
    }

    /// Has a stream do what `entry` says. `false` when the command was not carried out.
    pub(crate) fn configure(&self, stream: u64, entry: Entry) -> bool {
        self.set(stream, entry);
        self.issue(&[command::entry(stream), command::TLBI_ALL])
    }

    /// Has commands carried out, and a SYNC behind them. `false` when they were not.
    pub(crate) fn issue(&self, commands: &[[u64; 2]]) -> bool {
        let mut prod = read(register::CMDQ_PROD);
        for [low, high] in commands.iter().chain([&command::SYNC]) {
            let at = self.commands + (prod & ((1 << COMMAND_BITS) - 1)) * 16;
            store(at, 8, *low);
            store(at + 8, 8, *high);
            prod = (prod + 1) & ((2 << COMMAND_BITS) - 1);
        }
        barrier();
        write(register::CMDQ_PROD, prod);
        // CMDQ_CONS.ERR is what it was at the last error.
        within(100, || read(register::CMDQ_CONS) & 0xf_ffff == prod)
            && read(register::GERROR) == read(register::GERRORN)
    }

    /// The oldest event that has not been taken, within some milliseconds.
    pub(crate) fn event(&self, milliseconds: u64) -> Option<[u64; 4]> {
        let cons = read(register::EVENTQ_CONS) & 0xf_ffff;
        if !within(milliseconds, || read(register::EVENTQ_PROD) & 0xf_ffff != cons) {
            return None;
        }
        barrier();
        let at = self.events + (cons & ((1 << EVENT_BITS) - 1)) * 32;
        let words = [0, 8, 16, 24].map(|word| load(at + word, 8));
        write(register::EVENTQ_CONS, (cons + 1) & ((2 << EVENT_BITS) - 1));
        Some(words)
    }

    /// Takes all events there are, and those that are on their way; how many.
    pub(crate) fn forget_events(&self) -> u64 {
        let mut count = 0;
        while count < 1 << EVENT_BITS && self.event(ON_ITS_WAY).is_some() {
            count += 1;
        }
        count
    }
}

/// Where a register is.
pub(crate) const fn address(register: u64) -> u64 {
    SMMU + register
}

/// A register of the guest's SMMU.
pub(crate) fn read(register: u64) -> u64 {
    load(SMMU + register, 4)
}

/// Writes one.
pub(crate) fn write(register: u64, value: u64) {
    store(SMMU + register, 4, value);
}
