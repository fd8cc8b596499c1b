//! What the model holds.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use sluice_abi::PhysAddr;

use crate::Identity;
use crate::commands::Effect;
use crate::registers::Registers;
use crate::walk::Leaf;

/// Words of a stream table entry.
pub(crate) type Entry = [u64; 8];

/// Ways in which the model misbehaves.
#[derive(Clone, Copy, Default, Debug)]
pub struct Faults {
    /// SYNC is never consumed.
    pub sync_hangs: bool,
    /// CR0 writes are not acknowledged.
    pub cr0_stuck: bool,
    /// GBPA updates do not end.
    pub gbpa_stuck: bool,
    /// Commands of this opcode are illegal.
    pub rejected_opcode: Option<u64>,
    /// Commands cannot be fetched.
    pub fetch_aborts: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) registers: Registers,
    pub(crate) memory: HashMap<u64, u64>,
    /// First-level descriptors cached, by index.
    pub(crate) descriptors: HashMap<u64, u64>,
    /// Entries cached, by StreamID.
    pub(crate) entries: HashMap<u32, Entry>,
    /// By address of an entry (or of any 64 bytes): contents a fetch may have seen since the last invalidation.
    pub(crate) seen: HashMap<u64, BTreeSet<Entry>>,
    /// By VMID and page.
    pub(crate) tlb: BTreeMap<(u16, u64), Leaf>,
    /// Invalidations waiting for a SYNC.
    pub(crate) pending: Vec<Effect>,
    /// Commands executed, oldest first.
    pub(crate) executed: Vec<[u64; 2]>,
}

type Hook = Box<dyn FnMut(&Model)>;

/// The SMMU, the memory behind it, and the bus between both and a driver.
pub struct Model {
    pub(crate) base: PhysAddr,
    pub(crate) state: RefCell<State>,
    pub(crate) faults: Cell<Faults>,
    hook: RefCell<Option<Hook>>,
}

impl Model {
    /// An SMMU out of reset with its registers at `base`: firmware left every stream bypassed.
    #[must_use]
    pub fn new(base: PhysAddr, identity: Identity) -> Self {
        let state = State { registers: Registers::reset(identity), ..State::default() };
        Self { base, state: RefCell::new(state), faults: Cell::default(), hook: RefCell::new(None) }
    }

    /// Calls `hook` after every store and every register write.
    pub fn watch(&self, hook: impl FnMut(&Self) + 'static) {
        *self.hook.borrow_mut() = Some(Box::new(hook));
    }

    /// Ends [`watch`](Self::watch).
    pub fn unwatch(&self) {
        *self.hook.borrow_mut() = None;
    }

    /// Misbehave from now on.
    pub fn inject(&self, faults: Faults) {
        self.faults.set(faults);
    }

    /// Commands executed since the last call.
    pub fn take_executed(&self) -> Vec<[u64; 2]> {
        std::mem::take(&mut self.state.borrow_mut().executed)
    }

    /// A hook that accesses memory does not call itself.
    pub(crate) fn changed(&self) {
        let hook = self.hook.borrow_mut().take();
        if let Some(mut hook) = hook {
            hook(self);
            self.hook.borrow_mut().get_or_insert(hook);
        }
    }
}

impl State {
    pub(crate) fn word(&self, at: u64) -> u64 {
        self.memory.get(&at).copied().unwrap_or(0)
    }

    pub(crate) fn entry_words(&self, at: u64) -> Entry {
        std::array::from_fn(|word| self.word(at + 8 * word as u64))
    }
}
