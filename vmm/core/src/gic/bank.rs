//! Thirty-two interrupts.

/// What the distributor and the redistributors keep for 32 interrupts whose INTIDs follow each other; a bit each, from bit
/// 0 (IHI 0069, 12.9 and 12.11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Bank {
    /// In group 1, not 0.
    pub(super) group: u32,
    /// Forwarded at all.
    pub(super) enabled: u32,
    /// Made pending by an edge, an SGI, or a write.
    pub(super) latched: u32,
    /// The line is high.
    pub(super) line: u32,
    /// Active because the guest wrote so.
    pub(super) active: u32,
    /// In a list register: pending or active there.
    pub(super) listed: u32,
    /// Edge-triggered.
    pub(super) edge: u32,
    /// Can be made edge-triggered or level-sensitive.
    configurable: u32,
    /// Lower is more urgent. Multiples of [`PRIORITY_STEP`].
    pub(super) priority: [u8; 32],
}

/// Five bits of priority are implemented, which is what a list register's priority is injected with.
pub(super) const PRIORITY_STEP: u8 = 8;

/// A register of a bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Register {
    /// IGROUPR.
    Group,
    /// ISENABLER.
    Enable,
    /// ICENABLER.
    Disable,
    /// ISPENDR.
    SetPending,
    /// ICPENDR.
    ClearPending,
    /// ISACTIVER.
    Activate,
    /// ICACTIVER.
    Deactivate,
    /// ICFGR of the lower 16 interrupts, or of the upper.
    Trigger {
        /// The upper 16.
        upper: bool,
    },
    /// IPRIORITYR, for `count` (1 or 4) interrupts from `first`, which is aligned to it.
    Priority {
        /// Number in the bank.
        first: u8,
        /// Interrupts, a byte each.
        count: u8,
    },
}

impl Bank {
    const fn new(edge: u32, configurable: u32) -> Self {
        Self { group: 0, enabled: 0, latched: 0, line: 0, active: 0, listed: 0, edge, configurable, priority: [0; 32] }
    }

    /// Shared interrupts after a reset: level-sensitive.
    pub(super) const fn shared() -> Self {
        Self::new(0, u32::MAX)
    }

    /// Interrupts of one processor after a reset: SGIs are edge-triggered for ever, PPIs level-sensitive.
    pub(super) const fn private() -> Self {
        const SGIS: u32 = 0xffff;
        Self::new(SGIS, !SGIS)
    }

    pub(super) const fn pending(&self) -> u32 {
        self.latched | self.line & !self.edge
    }

    /// Those that are to be signalled when the groups in `groups` (bit 0, bit 1) are enabled.
    pub(super) const fn signalled(&self, groups: u32) -> u32 {
        let group0 = if groups & 1 != 0 { !self.group } else { 0 };
        let group1 = if groups & 2 != 0 { self.group } else { 0 };
        self.pending() & self.enabled & !self.active & !self.listed & (group0 | group1)
    }

    /// Sets a line; a rising one makes an edge-triggered interrupt pending.
    pub(super) const fn set_line(&mut self, bit: u32, high: bool) {
        if high {
            self.latched |= bit & self.edge & !self.line;
            self.line |= bit;
        } else {
            self.line &= !bit;
        }
    }

    pub(super) fn read(&self, register: Register) -> u32 {
        match register {
            Register::Group => self.group,
            Register::Enable | Register::Disable => self.enabled,
            Register::SetPending | Register::ClearPending => self.pending(),
            // The guest waits for zero here when it wants to know that nobody handles the interrupt. What a list register
            // holds may be in somebody's hands.
            Register::Activate | Register::Deactivate => self.active | self.listed,
            Register::Trigger { upper } => spread((self.edge >> if upper { 16 } else { 0 }) as u16),
            Register::Priority { first, count } => {
                self.priorities(first, count).iter().rev().fold(0, |word, priority| word << 8 | u32::from(*priority))
            }
        }
    }

    pub(super) fn write(&mut self, register: Register, value: u32) {
        match register {
            Register::Group => self.group = value,
            Register::Enable => self.enabled |= value,
            Register::Disable => self.enabled &= !value,
            Register::SetPending => self.latched |= value,
            Register::ClearPending => self.latched &= !value,
            Register::Activate => self.active |= value,
            Register::Deactivate => self.active &= !value,
            Register::Trigger { upper } => {
                let shift = if upper { 16 } else { 0 };
                let configurable = self.configurable & 0xffff << shift;
                self.edge = self.edge & !configurable | u32::from(gather(value)) << shift & configurable;
            }
            Register::Priority { first, count } => {
                let bytes = value.to_le_bytes();
                for (priority, byte) in self.priorities_mut(first, count).iter_mut().zip(bytes) {
                    *priority = byte & !(PRIORITY_STEP - 1);
                }
            }
        }
    }

    fn priorities(&self, first: u8, count: u8) -> &[u8] {
        self.priority.get(usize::from(first)..usize::from(first) + usize::from(count)).unwrap_or_default()
    }

    fn priorities_mut(&mut self, first: u8, count: u8) -> &mut [u8] {
        self.priority.get_mut(usize::from(first)..usize::from(first) + usize::from(count)).unwrap_or_default()
    }

    /// Whether nothing is so that no sequence of accesses makes it so.
    pub(super) fn is_well_formed(&self) -> bool {
        let fresh = if self.configurable == u32::MAX { Self::shared() } else { Self::private() };
        self.configurable == fresh.configurable
            && (self.edge ^ fresh.edge) & !self.configurable == 0
            && self.priority.iter().all(|priority| priority.is_multiple_of(PRIORITY_STEP))
    }
}

/// ICFGR of 16 interrupts, two bits each, of which the upper says that it is edge-triggered.
fn spread(edges: u16) -> u32 {
    (0..16).filter(|bit| edges >> bit & 1 != 0).fold(0, |word, bit| word | 2 << (2 * bit))
}

fn gather(configuration: u32) -> u16 {
    (0..16).filter(|bit| configuration >> (2 * bit) & 2 != 0).fold(0, |edges, bit| edges | 1 << bit)
}
