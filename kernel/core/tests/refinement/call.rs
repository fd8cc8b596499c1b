//! From an abstract invocation to a system call, and back from its answer.

use sluice_abi::{CapRights, Error, Label, MessageInfo, Syscall, VmAttributes, ipc_buffer};
use sluice_abstract::{Cap, Invocation, Rights, Slot, State, ThreadSlot};
use sluice_core::object::{Tcb, TcbSlot};
use sluice_core::{Handle, Kernel, Store};
use sluice_paging::TableMemory;

use crate::machine::Machine;

/// A message to a kernel object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    cptr: u64,
    label: Label,
    caps: Vec<u64>,
    words: Vec<u64>,
}

impl Message {
    pub(crate) fn new(cptr: u64, label: Label, caps: &[u64], words: &[u64]) -> Self {
        Self { cptr, label, caps: caps.to_vec(), words: words.to_vec() }
    }
}

/// Capability pointer, label, further capability pointers, words.
type Parts = (u64, Label, Vec<u64>, Vec<u64>);

/// A slot as a CNode invocation names it.
struct Path {
    root: u64,
    index: u64,
    depth: u64,
}

fn bits(rights: Rights) -> u64 {
    let bit = |set: bool, right: CapRights| if set { right.bits() } else { 0 };
    bit(rights.read, CapRights::READ)
        | bit(rights.write, CapRights::WRITE)
        | bit(rights.grant, CapRights::GRANT)
        | bit(rights.grant_reply, CapRights::GRANT_REPLY)
}

/// What a thread knows of its own slots.
pub(crate) struct Caller<'a> {
    pub(crate) state: &'a State,
    pub(crate) thread: Handle<Tcb>,
}

impl Caller<'_> {
    fn root_node(&self) -> Option<sluice_abi::PhysAddr> {
        let root = Slot::Thread { thread: self.thread.at(), which: ThreadSlot::CSpace };
        if let Cap::CNode { base, .. } = self.state.cap(root)? { Some(base) } else { None }
    }

    /// The capability pointer of a slot of the thread's root CNode.
    fn cptr(&self, slot: Slot) -> Option<u64> {
        let root = self.root_node()?;
        if let Slot::Node { node, index } = slot { (node == root).then_some(index) } else { None }
    }

    /// The capability pointer of a CNode, and the bits that come before the index of one of its slots.
    fn node(&self, wanted: sluice_abi::PhysAddr) -> Option<(u64, u64, u64)> {
        self.state.slots.iter().find_map(|(slot, held)| {
            let Cap::CNode { base, radix, guard, guard_bits } = held.cap else { return None };
            let cptr = self.cptr(*slot)?;
            (base == wanted).then_some((cptr, guard << radix, u64::from(radix + guard_bits)))
        })
    }

    fn path(&self, slot: Slot) -> Option<Path> {
        let Slot::Node { node, index } = slot else { return None };
        let (root, guard, depth) = self.node(node)?;
        Some(Path { root, index: guard | index, depth })
    }

    /// The message that asks for an invocation; none when the thread has no pointer for a slot in it, or when it would
    /// be a message to somebody else.
    pub(crate) fn message(&self, invocation: &Invocation) -> Option<Message> {
        let (cptr, label, caps, words) = match *invocation {
            Invocation::Retype { untyped, kind, bits, node, offset, count } => {
                let (node, ..) = self.node(node)?;
                let words = vec![kind as u64, bits.into(), 0, 0, offset, count];
                (self.cptr(untyped)?, Label::UntypedRetype, vec![node], words)
            }
            Invocation::Copy { source, dest, rights } => {
                self.transfer(Label::CNodeCopy, source, dest, &[bits(rights)])?
            }
            Invocation::Mint { source, dest, rights, data } => {
                self.transfer(Label::CNodeMint, source, dest, &[bits(rights), data])?
            }
            Invocation::Move { source, dest } => self.transfer(Label::CNodeMove, source, dest, &[])?,
            Invocation::Mutate { source, dest, data } => self.transfer(Label::CNodeMutate, source, dest, &[data])?,
            Invocation::Delete(slot) => self.at(Label::CNodeDelete, slot)?,
            Invocation::Revoke(slot) => self.at(Label::CNodeRevoke, slot)?,
            Invocation::PageMap { frame, vspace, at, rights, execute, cacheable } => {
                let fetch = if execute { VmAttributes::empty() } else { VmAttributes::EXECUTE_NEVER };
                let cached = if cacheable { VmAttributes::CACHEABLE } else { VmAttributes::empty() };
                let words = vec![at.0, bits(rights), (fetch | cached).bits()];
                (self.cptr(frame)?, Label::PageMap, vec![self.cptr(vspace)?], words)
            }
            Invocation::PageUnmap(frame) => (self.cptr(frame)?, Label::PageUnmap, vec![], vec![]),
            Invocation::TableMap { table, vspace, at } => {
                let words = vec![at.0, VmAttributes::DEFAULT.bits()];
                (self.cptr(table)?, Label::PageTableMap, vec![self.cptr(vspace)?], words)
            }
            Invocation::TableUnmap(table) => (self.cptr(table)?, Label::PageTableUnmap, vec![], vec![]),
            Invocation::MakePool { control, untyped, dest } => {
                let Path { root, index, depth } = self.path(dest)?;
                let caps = vec![self.cptr(untyped)?, root];
                (self.cptr(control)?, Label::AsidControlMakePool, caps, vec![index, depth])
            }
            Invocation::AssignAsid { pool, vspace } => {
                (self.cptr(pool)?, Label::AsidPoolAssign, vec![self.cptr(vspace)?], vec![])
            }
            Invocation::GetSid { control, stream, dest } => {
                let Path { root, index, depth } = self.path(dest)?;
                (self.cptr(control)?, Label::SidControlGetSid, vec![root], vec![stream.word(), index, depth])
            }
            Invocation::GetCb { control, smmu, cb, dest } => {
                let Path { root, index, depth } = self.path(dest)?;
                let word = u64::from(smmu) << 32 | u64::from(cb);
                (self.cptr(control)?, Label::CbControlGetCb, vec![root], vec![word, index, depth])
            }
            Invocation::BindCb { sid, cb } => (self.cptr(sid)?, Label::SidBindCb, vec![self.cptr(cb)?], vec![]),
            Invocation::UnbindCb(sid) => (self.cptr(sid)?, Label::SidUnbindCb, vec![], vec![]),
            Invocation::SetFaultHandler { sid, notification } => {
                let caps = match notification {
                    None => vec![],
                    Some(notification) => vec![self.cptr(notification)?],
                };
                (self.cptr(sid)?, Label::SidSetFaultHandler, caps, vec![0])
            }
            Invocation::AssignVspace { cb, vspace } => {
                (self.cptr(cb)?, Label::CbAssignVspace, vec![self.cptr(vspace)?], vec![])
            }
            Invocation::UnassignVspace(cb) => (self.cptr(cb)?, Label::CbUnassignVspace, vec![], vec![]),
            Invocation::Suspend(thread) => (self.cptr(thread)?, Label::TcbSuspend, vec![], vec![]),
            Invocation::Resume(thread) => (self.cptr(thread)?, Label::TcbResume, vec![], vec![]),
            Invocation::BindNotification { thread, notification } => {
                (self.cptr(thread)?, Label::TcbBindNotification, vec![self.cptr(notification)?], vec![])
            }
            Invocation::UnbindNotification(thread) => {
                (self.cptr(thread)?, Label::TcbUnbindNotification, vec![], vec![])
            }
        };
        let invoked = Slot::Node { node: self.root_node()?, index: cptr };
        let to_others = matches!(self.state.cap(invoked), Some(Cap::Endpoint { .. } | Cap::Notification { .. }));
        (!to_others).then_some(Message { cptr, label, caps, words })
    }

    fn transfer(&self, label: Label, source: Slot, dest: Slot, more: &[u64]) -> Option<Parts> {
        let (source, dest) = (self.path(source)?, self.path(dest)?);
        let words = [dest.index, dest.depth, source.index, source.depth].into_iter().chain(more.iter().copied());
        Some((dest.root, label, vec![source.root], words.collect()))
    }

    fn at(&self, label: Label, slot: Slot) -> Option<Parts> {
        let Path { root, index, depth } = self.path(slot)?;
        Some((root, label, vec![], vec![index, depth]))
    }
}

/// Sends the message as the current thread and returns the error of the answer.
pub(crate) fn call(kernel: &mut Kernel<Machine>, message: &Message) -> Option<Error> {
    let thread = kernel.current().expect("a running thread");
    let sluice_core::cap::Cap::Frame(frame) = kernel.hal.slot(thread.slot(TcbSlot::Buffer as u64)).cap() else {
        panic!("the caller has no buffer")
    };
    let tcb = kernel.tcb(thread);
    let buffer = frame.base.offset(tcb.ipc_buffer.get() & (frame.size.bytes() - 1));
    for (index, cptr) in message.caps.iter().enumerate() {
        kernel.hal.model.store(buffer.offset(ipc_buffer::cap_or_badge(index)), *cptr);
    }
    for (index, word) in message.words.iter().enumerate() {
        match tcb.context.x.get(2 + index).filter(|_| index < MessageInfo::REGISTERS) {
            Some(register) => register.set(*word),
            None => kernel.hal.model.store(buffer.offset(ipc_buffer::message(index)), *word),
        }
    }
    let info = MessageInfo::new(message.label as u64, 0, message.caps.len() as u64, message.words.len() as u64);
    tcb.context.x[0].set(message.cptr);
    tcb.context.x[1].set(info.word());
    tcb.context.x[7].set(Syscall::Call.word());
    tcb.context.pc.set(0x40_0104);
    kernel.enter_syscall();
    assert_eq!(kernel.current(), Some(thread), "the caller does not run any more after {message:?}");
    let tcb = kernel.tcb(thread);
    assert_eq!(tcb.fault.get(), None, "{message:?} faulted");
    let label = MessageInfo::from_word(tcb.context.x[1].get()).label();
    let error = Error::from_label(label);
    assert_eq!(error.is_none(), label == 0, "label {label} is no error");
    error
}
