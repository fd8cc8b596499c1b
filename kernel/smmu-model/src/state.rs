//! What the model holds.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;

use sluice_abi::PhysAddr;

use crate::access::Transaction;
use crate::cd::Descriptor;
use crate::invalidate::Effect;
use crate::memory::Memory;
use crate::registers::Registers;
use crate::stall::Stalled;
use crate::ste::Entry;
use crate::stream_table::{CachedDescriptor, Forgotten};
use crate::tlb::{Cached, Tlb};
use crate::{Abort, Identity};

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

pub(crate) struct State {
    pub(crate) registers: Registers,
    pub(crate) memory: Rc<RefCell<Memory>>,
    /// First-level descriptors cached, by index.
    pub(crate) descriptors: HashMap<u64, CachedDescriptor>,
    /// Entries cached, by StreamID.
    pub(crate) entries: HashMap<u32, Entry>,
    /// Since when entries may have been fetched.
    pub(crate) forgotten: Forgotten,
    /// Context descriptors cached, by StreamID and SubstreamID; several, where one changed without an invalidation.
    pub(crate) contexts: BTreeMap<(u32, u32), BTreeSet<Descriptor>>,
    pub(crate) tlb: Tlb,
    /// Invalidations waiting for a SYNC.
    pub(crate) pending: Vec<Effect>,
    /// Commands executed, oldest first.
    pub(crate) executed: Vec<[u64; 2]>,
    pub(crate) stalled: Stalled,
}

type Hook = Box<dyn FnMut(&Model)>;

/// An SMMU, the memory behind it, and the bus between both and a driver.
pub struct Model {
    pub(crate) base: PhysAddr,
    pub(crate) state: RefCell<State>,
    pub(crate) memory: Rc<RefCell<Memory>>,
    pub(crate) faults: Cell<Faults>,
    hook: RefCell<Option<Hook>>,
}

impl Model {
    /// An SMMU out of reset with its registers at `base`: firmware left every stream bypassed.
    #[must_use]
    pub fn new(base: PhysAddr, identity: Identity) -> Self {
        Self::over(Rc::default(), base, identity)
    }

    /// Another SMMU of the same machine: it shares the memory of this one and nothing else.
    #[must_use]
    pub fn beside(&self, base: PhysAddr, identity: Identity) -> Self {
        Self::over(Rc::clone(&self.memory), base, identity)
    }

    fn over(memory: Rc<RefCell<Memory>>, base: PhysAddr, identity: Identity) -> Self {
        let state = State {
            registers: Registers::reset(identity),
            memory: Rc::clone(&memory),
            descriptors: HashMap::new(),
            entries: HashMap::new(),
            forgotten: Forgotten::default(),
            contexts: BTreeMap::new(),
            tlb: Tlb::default(),
            pending: Vec::new(),
            executed: Vec::new(),
            stalled: Stalled::default(),
        };
        Self { base, state: RefCell::new(state), memory, faults: Cell::default(), hook: RefCell::new(None) }
    }

    /// From now on, only these addresses answer; fetches elsewhere are external aborts.
    pub fn limit_memory(&self, ram: Vec<Range<u64>>) {
        self.memory.borrow_mut().limit(ram);
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

    /// Transactions that wait for RESUME.
    #[must_use]
    pub fn stalled(&self) -> usize {
        self.state.borrow().stalled.count()
    }

    /// Tries the transactions again that RESUME let go on since the last call, oldest first.
    pub fn retry(&self) -> Vec<(Transaction, Result<PhysAddr, Abort>)> {
        let mut state = self.state.borrow_mut();
        let resumed = std::mem::take(&mut state.stalled.resumed);
        resumed.into_iter().map(|transaction| (transaction, state.transact(&transaction))).collect()
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
    /// Caches what was fetched.
    pub(crate) fn cache(&mut self, translations: Vec<Cached>, contexts: Vec<((u32, u32), Descriptor)>) {
        translations.into_iter().for_each(|cached| self.tlb.insert(cached));
        for (of, words) in contexts {
            self.contexts.entry(of).or_default().insert(words);
        }
    }
}
