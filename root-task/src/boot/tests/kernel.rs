//! A kernel for tests: capabilities in slots, Untypeds with watermarks, address spaces, and PCI functions behind ECAM.
//!
//! It refuses what the kernel would refuse, so a boot that passes here made no step out of order.

use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use sluice_abi::smmu::Record;
use sluice_abi::{CapRights, LookupFailure, ObjectType, PhysAddr, Register, VirtAddr, VmAttributes, bootinfo};
use sluice_platform::PciAddress;
use sluice_sys::{Census, Failure, Slot, UserContext};

pub(super) use super::objects::{Cap, Mapping, Space, Step, Thread};
use crate::kernel::{Invocation, Kernel};
use crate::pci::Access;
use crate::pci::fake::Host;

/// Configuration space of the machine under test.
const ECAM: core::ops::Range<u64> = 0x40_1000_0000..0x40_2000_0000;
pub(super) const ROOT: u64 = 0;

pub(super) struct Fake {
    /// Capabilities by CNode (its object's address, 0 for the root's) and slot.
    pub(super) slots: BTreeMap<(u64, u64), Cap>,
    pub(super) watermarks: BTreeMap<u64, u64>,
    pub(super) spaces: BTreeMap<u64, Space>,
    pub(super) threads: BTreeMap<u64, Thread>,
    pub(super) memory: BTreeMap<u64, Vec<u8>>,
    pub(super) contexts: BTreeMap<u16, u64>,
    pub(super) bindings: BTreeMap<u32, u16>,
    pub(super) fault_badges: BTreeMap<u32, (u64, u64)>,
    pub(super) interrupts: BTreeMap<u32, (u64, u64)>,
    pub(super) host: Host,
    pub(super) steps: Vec<Step>,
    pub(super) lines: Vec<String>,
    /// Where the root task has the registers of the console.
    pub(super) own_console: Option<VirtAddr>,
    /// Invocations to come before one is refused.
    pub(super) patience: usize,
    /// Whether those behind that one are not refused.
    pub(super) refuses_once: bool,
    /// Whether the SMMU has a stage 2.
    pub(super) stage_2: bool,
    /// First streams of the tables that there are.
    pub(super) stream_tables: BTreeSet<u32>,
    /// x29 of every thread.
    pub(super) frame_pointer: u64,
    /// Registers of threads that have run.
    pub(super) registers: BTreeMap<u64, UserContext>,
    /// Registers that threads were made to go on with.
    pub(super) answers: BTreeMap<u64, [u64; 5]>,
    /// Badges with which sends were cancelled, by endpoint.
    pub(super) cancelled: Vec<(u64, u64)>,
    /// The notification of the root thread.
    pub(super) own_notification: u64,
    /// What the counter says.
    pub(super) now: u64,
    /// Ticks that the reset of a function takes.
    pub(super) reset_takes: u64,
    /// Alarms that were asked for, with the endpoint and the badge.
    pub(super) alarms: Vec<(u64, u64, u64)>,
    /// Notifications that were signalled, and their badges.
    pub(super) signals: Vec<(u64, u64)>,
    /// The educational device.
    pub(super) edu: super::edu::Edu,
}

impl Fake {
    pub(super) fn new(untypeds: &[(u64, u64, u32)], host: Host) -> Self {
        let mut slots = BTreeMap::new();
        for (slot, base, size_bits) in untypeds {
            slots.insert((ROOT, *slot), Cap::Untyped { base: *base, size_bits: *size_bits });
        }
        let mut own = Space { has_asid: true, ..Space::default() };
        own.tables.extend([(39, 0), (30, 0), (21, 2)]);
        let object = ObjectType::VSpace;
        let vspace = Cap::Object { object, base: 1, rights: CapRights::all(), badge: 0 };
        slots.insert((ROOT, bootinfo::slot::INIT_VSPACE), vspace);
        Self {
            slots,
            watermarks: BTreeMap::new(),
            spaces: [(1, own)].into(),
            threads: BTreeMap::new(),
            memory: BTreeMap::new(),
            contexts: BTreeMap::new(),
            bindings: BTreeMap::new(),
            fault_badges: BTreeMap::new(),
            interrupts: BTreeMap::new(),
            host,
            steps: Vec::new(),
            lines: Vec::new(),
            own_console: None,
            patience: usize::MAX,
            refuses_once: false,
            stage_2: true,
            stream_tables: [0].into(),
            frame_pointer: 0,
            registers: BTreeMap::new(),
            answers: BTreeMap::new(),
            cancelled: Vec::new(),
            own_notification: 0,
            now: 0,
            reset_takes: 0,
            alarms: Vec::new(),
            signals: Vec::new(),
            edu: super::edu::Edu::default(),
        }
    }

    pub(super) fn get(&self, slot: u64) -> Result<Cap, Failure> {
        let failure = LookupFailure::MissingCapability { bits_left: 0 };
        self.slots.get(&(ROOT, slot)).cloned().ok_or(Failure::Lookup { source: true, failure })
    }

    fn object(&self, slot: u64, wanted: ObjectType) -> Result<u64, Failure> {
        match self.get(slot)? {
            Cap::Object { object, base, .. } if object == wanted => Ok(base),
            Cap::Object { .. }
            | Cap::Untyped { .. }
            | Cap::Frame { .. }
            | Cap::Stream(_)
            | Cap::Context(_)
            | Cap::Interrupt(_)
            | Cap::AsidPool => Err(Failure::InvalidCapability { number: 0 }),
        }
    }

    fn badge(&self, slot: u64) -> Result<(u64, u64), Failure> {
        match self.get(slot)? {
            Cap::Object { object: ObjectType::Notification, base, rights: CapRights::WRITE, badge } => {
                Ok((base, badge))
            }
            Cap::Object { .. }
            | Cap::Untyped { .. }
            | Cap::Frame { .. }
            | Cap::Stream(_)
            | Cap::Context(_)
            | Cap::Interrupt(_)
            | Cap::AsidPool => Err(Failure::InvalidCapability { number: 1 }),
        }
    }

    /// The CNode a slot is in, and its index; the depth must be the CNode's.
    fn place(&self, slot: Slot) -> Result<(u64, u64), Failure> {
        let root = slot.root.cptr().0;
        if root == bootinfo::slot::INIT_CNODE {
            assert_eq!(slot.depth, 64);
            return Ok((ROOT, slot.index));
        }
        let base = self.object(root, ObjectType::CNode)?;
        assert!(slot.index < 1 << slot.depth, "slot {} of a CNode with 2^{}", slot.index, slot.depth);
        Ok((base, slot.index))
    }

    pub(super) fn put(&mut self, at: (u64, u64), cap: Cap) -> Result<(), Failure> {
        if self.slots.contains_key(&at) {
            return Err(Failure::DeleteFirst);
        }
        self.slots.insert(at, cap);
        Ok(())
    }

    fn retype(&mut self, from: u64, object: ObjectType, user_bits: u32, slot: u64, count: u64) -> Result<(), Failure> {
        let Cap::Untyped { base, size_bits } = self.get(from)? else {
            return Err(Failure::InvalidCapability { number: 0 });
        };
        let bits = object.size_bits(user_bits);
        let used = self.watermarks.get(&from).copied().unwrap_or(0);
        let first = (base + used).next_multiple_of(1 << bits);
        let end = first + (count << bits);
        if end > base + (1 << size_bits) {
            return Err(Failure::NotEnoughMemory { available: (1 << size_bits) - used });
        }
        for index in 0..count {
            let base = first + (index << bits);
            let rights = CapRights::all();
            let cap = if object == ObjectType::Untyped {
                Cap::Untyped { base, size_bits: bits }
            } else if object.frame_size().is_some() {
                Cap::Frame { base, bits, mapping: None }
            } else {
                Cap::Object { object, base, rights, badge: 0 }
            };
            if object == ObjectType::VSpace {
                self.spaces.insert(base, Space::default());
            }
            if object != ObjectType::Untyped {
                self.memory.retain(|page, _| !(base..base + (1 << bits)).contains(&(page << 12)));
            }
            self.put((ROOT, slot + index), cap)?;
        }
        self.watermarks.insert(from, end - base);
        Ok(())
    }

    fn map(&mut self, frame: u64, vspace: u64, at: u64, rights: CapRights, how: VmAttributes) -> Result<(), Failure> {
        let space_base = self.object(vspace, ObjectType::VSpace)?;
        let Cap::Frame { base, bits, mapping: None } = self.get(frame)? else {
            return Err(Failure::InvalidCapability { number: 0 });
        };
        let space = self.spaces.get_mut(&space_base).ok_or(Failure::InvalidCapability { number: 1 })?;
        let covered = [39, 30, 21].into_iter().filter(|level| *level > bits);
        if !space.has_asid || !covered.into_iter().all(|level| space.tables.contains(&(level, at >> level))) {
            let failure = LookupFailure::MissingCapability { bits_left: 0 };
            return Err(Failure::Lookup { source: false, failure });
        }
        assert!(at.is_multiple_of(1 << bits) && rights.contains(CapRights::READ));
        if space.mappings.insert(at, Mapping { base, bits, rights, attributes: how }).is_some() {
            return Err(Failure::DeleteFirst);
        }
        self.slots.insert((ROOT, frame), Cap::Frame { base, bits, mapping: Some((space_base, at)) });
        Ok(())
    }

    fn copy(&mut self, from: u64, to: Slot, rights: CapRights, badge: u64) -> Result<(), Failure> {
        let at = self.place(to)?;
        let cap = match self.get(from)? {
            Cap::Object { object, base, rights: held, badge: 0 } => {
                Cap::Object { object, base, rights: held & rights, badge }
            }
            Cap::Frame { base, bits, .. } => Cap::Frame { base, bits, mapping: None },
            Cap::Object { .. }
            | Cap::Untyped { .. }
            | Cap::Stream(_)
            | Cap::Context(_)
            | Cap::Interrupt(_)
            | Cap::AsidPool => {
                return Err(Failure::IllegalOperation);
            }
        };
        self.put(at, cap)
    }

    /// Physical address behind an address of a space.
    pub(super) fn translate(&self, space: u64, at: u64) -> Option<(u64, Mapping)> {
        let (start, mapping) = self.spaces.get(&space)?.mappings.range(..=at).next_back()?;
        (at - start < 1 << mapping.bits).then(|| (mapping.base + (at - start), *mapping))
    }

    /// Bytes of memory as a thread of the space reads them.
    pub(super) fn read(&self, space: u64, at: u64, len: u64) -> Vec<u8> {
        let byte = |at: u64| {
            let (physical, _) = self.translate(space, at).expect("mapped");
            self.memory.get(&(physical >> 12)).map_or(0, |page| page[physical as usize & 0xfff])
        };
        (at..at + len).map(byte).collect()
    }

    fn register(&self, at: VirtAddr) -> (PciAddress, u16) {
        let (physical, mapping) = self.translate(1, at.0).expect("configuration space is mapped");
        assert!(!mapping.attributes.contains(VmAttributes::CACHEABLE));
        assert!(ECAM.contains(&physical));
        (PciAddress::from_rid(((physical - ECAM.start) >> 12) as u16), physical as u16 & 0xfff)
    }
}

impl Kernel for Fake {
    fn invoke(&mut self, invocation: &Invocation) -> Result<(), Failure> {
        if self.patience == 0 {
            if self.refuses_once {
                self.patience = usize::MAX;
            }
            return Err(Failure::IllegalOperation);
        }
        self.patience -= 1;
        match *invocation {
            Invocation::Retype { untyped, object, size_bits, slot, count } => {
                self.retype(untyped, object, size_bits, slot, count)?;
            }
            Invocation::Copy { from, to, rights } => self.copy(from, to, rights, 0)?,
            Invocation::Mint { from, to, rights, badge } => self.copy(from, to, rights, badge)?,
            Invocation::Move { from, to } => {
                let (at, cap) = (self.place(to)?, self.get(from)?);
                self.put(at, cap)?;
                self.slots.remove(&(ROOT, from));
            }
            Invocation::Delete { slot } => {
                let at = self.place(slot)?;
                self.remove(at);
            }
            Invocation::Revoke { slot } => self.revoke(slot)?,
            Invocation::Forget { notification } => drop(self.object(notification, ObjectType::Notification)?),
            Invocation::MakePool { memory, to } => {
                assert!(matches!(self.get(memory)?, Cap::Untyped { size_bits: sluice_abi::PAGE_BITS, .. }));
                let at = self.place(to)?;
                self.put(at, Cap::AsidPool)?;
            }
            Invocation::AssignAsid { vspace } => {
                let base = self.object(vspace, ObjectType::VSpace)?;
                let space = self.spaces.get_mut(&base).ok_or(Failure::IllegalOperation)?;
                assert!(!space.has_asid);
                space.has_asid = true;
            }
            Invocation::MapTable { table, vspace, at } => {
                self.object(table, ObjectType::PageTable)?;
                let base = self.object(vspace, ObjectType::VSpace)?;
                let space = self.spaces.get_mut(&base).ok_or(Failure::IllegalOperation)?;
                let gap = [39, 30, 21].into_iter().find(|level| !space.tables.contains(&(*level, at.0 >> level)));
                space.tables.insert((gap.ok_or(Failure::DeleteFirst)?, at.0 >> gap.unwrap_or(0)));
            }
            Invocation::MapFrame { frame, vspace, at, rights, attributes } => {
                self.map(frame, vspace, at.0, rights, attributes)?;
            }
            Invocation::UnmapFrame { frame } => {
                let Cap::Frame { base, bits, mapping: Some((space, at)) } = self.get(frame)? else {
                    return Err(Failure::IllegalOperation);
                };
                self.spaces.get_mut(&space).ok_or(Failure::IllegalOperation)?.mappings.remove(&at);
                self.slots.insert((ROOT, frame), Cap::Frame { base, bits, mapping: None });
            }
            Invocation::UnifyInstruction { frame } => {
                assert!(matches!(self.get(frame)?, Cap::Frame { mapping: Some(_), .. }));
            }
            Invocation::GetStream { stream, slot } => {
                if !self.stream_tables.contains(&(stream.sid & !0xff)) {
                    let failure = LookupFailure::MissingCapability { bits_left: 8 };
                    return Err(Failure::Lookup { source: false, failure });
                }
                self.issue(slot, Cap::Stream(stream))?;
            }
            Invocation::MapStreamTable { table, first } => {
                self.object(table, ObjectType::StreamTable)?;
                assert!(first.sid.is_multiple_of(256));
                if !self.stream_tables.insert(first.sid) {
                    return Err(Failure::DeleteFirst);
                }
            }
            Invocation::GetContext { context, slot } => self.issue(slot, Cap::Context(context))?,
            Invocation::AssignSpace { context, space } => {
                let Cap::Context(context) = self.get(context)? else { return Err(Failure::IllegalOperation) };
                let space = self.object(space, ObjectType::VSpace)?;
                if !self.stage_2 && !self.spaces[&space].tables.is_empty() {
                    return Err(Failure::InvalidCapability { number: 1 });
                }
                assert!(self.contexts.insert(context.cb, space).is_none());
            }
            Invocation::UnassignSpace { context } => {
                let Cap::Context(context) = self.get(context)? else { return Err(Failure::IllegalOperation) };
                self.contexts.remove(&context.cb).ok_or(Failure::IllegalOperation)?;
            }
            Invocation::Bypass { stream } => {
                let Cap::Stream(stream) = self.get(stream)? else { return Err(Failure::IllegalOperation) };
                assert!(!self.bindings.contains_key(&stream.sid), "bound");
                self.steps.push(Step::Bypassed(stream));
            }
            Invocation::SetFaultHandler { stream, notification, .. } => {
                let Cap::Stream(stream) = self.get(stream)? else { return Err(Failure::IllegalOperation) };
                let badge = self.badge(notification)?;
                self.fault_badges.insert(stream.sid, badge);
            }
            Invocation::Bind { stream, context } => {
                let (Cap::Stream(stream), Cap::Context(context)) = (self.get(stream)?, self.get(context)?) else {
                    return Err(Failure::IllegalOperation);
                };
                assert!(self.contexts.contains_key(&context.cb), "a context without address space");
                self.bindings.insert(stream.sid, context.cb);
                self.steps.push(Step::Bound(stream));
            }
            Invocation::GetInterrupt { intid, edge, slot } => {
                assert!(!edge, "INTx is level-triggered");
                if self.interrupts.insert(intid, (0, 0)).is_some() {
                    return Err(Failure::RevokeFirst);
                }
                self.put((ROOT, slot), Cap::Interrupt(intid))?;
            }
            Invocation::SetNotification { handler, notification } => {
                let Cap::Interrupt(intid) = self.get(handler)? else { return Err(Failure::IllegalOperation) };
                let badge = self.badge(notification)?;
                self.interrupts.insert(intid, badge);
            }
            Invocation::Configure { thread, faults, cnode, guard, vspace, buffer, frame } => {
                let cnode = self.object(cnode, ObjectType::CNode)?;
                let space = self.object(vspace, ObjectType::VSpace)?;
                let Cap::Frame { mapping, .. } = self.get(frame)? else { return Err(Failure::IllegalOperation) };
                assert_eq!(mapping, Some((space, buffer.0)));
                let thread = self.object(thread, ObjectType::Tcb)?;
                self.threads.insert(thread, Thread { cnode, guard, space, faults, ..Thread::default() });
            }
            Invocation::SetPriority { thread, priority } => self.thread(thread)?.priority = priority,
            Invocation::SetOwnPriority { thread, priority } => {
                assert_eq!(thread, bootinfo::slot::INIT_TCB);
                self.lines.push(std::format!("priority {priority}"));
            }
            Invocation::WriteEntry { thread, entry, stack, arguments } => {
                let thread = self.thread(thread)?;
                (thread.entry, thread.stack, thread.arguments) = (entry, stack, arguments);
            }
            Invocation::BindNotification { thread: bootinfo::slot::INIT_TCB, notification } => {
                self.own_notification = self.object(notification, ObjectType::Notification)?;
            }
            Invocation::BindNotification { thread, notification } => {
                let notification = self.object(notification, ObjectType::Notification)?;
                self.thread(thread)?.notification = notification;
            }
            Invocation::Answer { thread, registers } => {
                let thread = self.object(thread, ObjectType::Tcb)?;
                self.answers.insert(thread, registers);
            }
            Invocation::CancelSends { slot } => {
                let at = self.place(slot)?;
                match self.slots.get(&at) {
                    Some(Cap::Object { object: ObjectType::Endpoint, base, rights, badge })
                        if *rights == CapRights::all() =>
                    {
                        self.cancelled.push((*base, *badge));
                    }
                    _ => return Err(Failure::IllegalOperation),
                }
            }
            Invocation::SetAlarm { endpoint, ticks } => {
                let Cap::Object { object: ObjectType::Endpoint, base, rights: CapRights::WRITE, badge } =
                    self.get(endpoint)?
                else {
                    return Err(Failure::InvalidCapability { number: 0 });
                };
                self.alarms.push((base, badge, ticks));
            }
            Invocation::Signal { notification } => {
                let signal = self.badge(notification)?;
                self.signals.push(signal);
            }
            Invocation::Resume { thread } => {
                let thread = self.object(thread, ObjectType::Tcb)?;
                self.steps.push(Step::Resumed(thread));
            }
            Invocation::Suspend { thread } => drop(self.object(thread, ObjectType::Tcb)?),
        }
        Ok(())
    }

    fn address_of(&mut self, frame: u64) -> Result<PhysAddr, Failure> {
        let Cap::Frame { base, .. } = self.get(frame)? else { return Err(Failure::IllegalOperation) };
        Ok(PhysAddr(base))
    }

    fn registers(&mut self, thread: u64) -> Result<UserContext, Failure> {
        let frame = self.frame_pointer;
        let base = self.object(thread, ObjectType::Tcb)?;
        if let Some(context) = self.registers.get(&base) {
            return Ok(*context);
        }
        let thread = self.thread(thread)?;
        let context = UserContext::default().with(Register::Pc, thread.entry).with(Register::Sp, thread.stack);
        Ok(context.with(Register::X(29), frame))
    }

    fn record(&mut self, stream: u64) -> Result<Option<Record>, Failure> {
        let Cap::Stream(stream) = self.get(stream)? else { return Err(Failure::IllegalOperation) };
        assert!(self.fault_badges.contains_key(&stream.sid), "records are kept for whoever is told of them");
        Ok(self.edu.record.take_if(|record| record.stream == stream))
    }

    fn load(&self, at: VirtAddr) -> u32 {
        let (physical, mapping) = self.translate(1, at.0).expect("mapped");
        if !ECAM.contains(&physical) && !mapping.attributes.contains(VmAttributes::CACHEABLE) {
            return 0;
        }
        if mapping.attributes.contains(VmAttributes::CACHEABLE) {
            let page = self.memory.get(&(physical >> 12));
            let byte = |index| page.map_or(0, |page| page[(physical as usize & 0xfff) + index]);
            return u32::from_le_bytes(core::array::from_fn(byte));
        }
        let (function, register) = self.register(at);
        self.host.read(function, register)
    }

    fn store(&mut self, at: VirtAddr, value: u32) {
        let (physical, _) = self.translate(1, at.0).expect("mapped");
        if !ECAM.contains(&physical) {
            return self.master(physical, value);
        }
        let (function, register) = self.register(at);
        if register == 4 && self.host.read(function, 4) & 4 != 0 && value & 4 == 0 {
            self.steps.push(Step::Quiet(function));
        }
        if register == 0x48 && value & 1 << 15 != 0 {
            self.steps.push(Step::Reset(function));
            self.now += self.reset_takes;
        }
        self.host.write(function, register, value);
        if register == 4 && value & 4 != 0 {
            self.steps.push(Step::Mastering(function));
        }
    }

    fn store_wide(&mut self, at: VirtAddr, value: u64) {
        let (physical, _) = self.translate(1, at.0).expect("mapped");
        self.edu.registers.insert(physical & 0xfff, value);
    }

    fn write(&mut self, at: VirtAddr, bytes: &[u8]) {
        let (physical, mapping) = self.translate(1, at.0).expect("the frame is mapped");
        assert!(mapping.rights.contains(CapRights::WRITE));
        let start = physical as usize & 0xfff;
        let page = self.memory.entry(physical >> 12).or_insert_with(|| vec![0; 0x1000]);
        page[start..start + bytes.len()].copy_from_slice(bytes);
    }

    fn occupied(&self, slots: core::ops::Range<u64>) -> Option<u64> {
        Some(self.slots.keys().filter(|(cnode, slot)| *cnode == ROOT && slots.contains(slot)).count() as u64)
    }

    fn census(&self) -> Option<Census> {
        let capabilities = self.slots.len() as u64;
        Some(Census { pools: 1, asids: 2, contexts: 3, interrupts: 4, capabilities, unused: 0 })
    }

    fn wait(_: u32) {}

    fn now(&self) -> u64 {
        self.now
    }

    fn ticks_per_second(&self) -> u64 {
        super::TICKS
    }

    fn open_console(&mut self, registers: VirtAddr) {
        self.own_console = Some(registers);
    }

    fn snapshot(&mut self) {
        self.lines.push("snapshot".to_string());
        self.steps.push(Step::Shown);
    }

    fn show_space(&mut self, thread: u64) {
        let thread = self.object(thread, ObjectType::Tcb).expect("a thread");
        self.lines.push(std::format!("space of {thread}"));
    }

    fn show_made(&mut self, untyped: u64) {
        let Some(Cap::Untyped { base, size_bits }) = self.slots.get(&(ROOT, untyped)) else { panic!("no Untyped") };
        self.lines.push(std::format!("made of {base:#x} {size_bits}"));
    }

    fn line(&mut self, text: &str) {
        self.lines.push(text.to_string());
    }
}

impl Fake {
    fn thread(&mut self, slot: u64) -> Result<&mut Thread, Failure> {
        let base = self.object(slot, ObjectType::Tcb)?;
        self.threads.get_mut(&base).ok_or(Failure::IllegalOperation)
    }
}
