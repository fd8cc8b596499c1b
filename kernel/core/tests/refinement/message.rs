//! From an abstract invocation to the message that asks for it.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what one function leaves out the next one has, and the last one panics"
)]

use sluice_abi::{CapRights, Label, PhysAddr, Syscall, VmAttributes};
use sluice_abstract::{Cap, Invocation, NewBuffer, NewSpace, Rights, Slot, State, ThreadSlot};

use crate::input::Say;

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
    pub(crate) thread: PhysAddr,
}

impl Caller<'_> {
    fn root_node(&self) -> Option<PhysAddr> {
        let root = Slot::Thread { thread: self.thread, which: ThreadSlot::CSpace };
        if let Cap::CNode { base, .. } = self.state.cap(root)? { Some(base) } else { None }
    }

    /// The capability pointer of a slot of the thread's root CNode.
    fn cptr(&self, slot: Slot) -> Option<u64> {
        let root = self.root_node()?;
        if let Slot::Node { node, index } = slot { (node == root).then_some(index) } else { None }
    }

    /// The capability pointer of a CNode, and the bits that come before the index of one of its slots.
    fn node(&self, wanted: PhysAddr) -> Option<(u64, u64, u64)> {
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
    pub(crate) fn message(&self, invocation: &Invocation) -> Option<Say> {
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
            Invocation::SetFaultHandler { sid, notification, budget } => {
                let caps = match notification {
                    None => vec![],
                    Some(notification) => vec![self.cptr(notification)?],
                };
                (self.cptr(sid)?, Label::SidSetFaultHandler, caps, vec![budget])
            }
            Invocation::AssignVspace { cb, vspace } => {
                (self.cptr(cb)?, Label::CbAssignVspace, vec![self.cptr(vspace)?], vec![])
            }
            Invocation::UnassignVspace(cb) => (self.cptr(cb)?, Label::CbUnassignVspace, vec![], vec![]),
            _ => self.more(invocation)?,
        };
        let invoked = Slot::Node { node: self.root_node()?, index: cptr };
        let to_others = matches!(
            self.state.cap(invoked),
            Some(Cap::Endpoint { .. } | Cap::Notification { .. } | Cap::Reply { .. })
        );
        (!to_others).then(|| Say { caps, words, ..Say::new(Syscall::Call, cptr, label as u64) })
    }

    fn more(&self, invocation: &Invocation) -> Option<Parts> {
        Some(match *invocation {
            Invocation::Rotate { source, source_data, pivot, pivot_data, dest } => {
                let (source, pivot, dest) = (self.path(source)?, self.path(pivot)?, self.path(dest)?);
                let first = [dest.index, dest.depth, pivot_data, pivot.index, pivot.depth];
                let words = first.into_iter().chain([source_data, source.index, source.depth]).collect();
                (dest.root, Label::CNodeRotate, vec![pivot.root, source.root], words)
            }
            Invocation::SaveCaller(slot) => self.at(Label::CNodeSaveCaller, slot)?,
            Invocation::CancelBadgedSends(slot) => self.at(Label::CNodeCancelBadgedSends, slot)?,
            Invocation::GetAddress(frame) => self.plain(frame, Label::PageGetAddress)?,
            Invocation::PageMaintain { frame, start, end } => {
                (self.cptr(frame)?, Label::PageCleanInvalidateData, vec![], vec![start, end])
            }
            Invocation::SpaceMaintain { vspace, start, end } => {
                (self.cptr(vspace)?, Label::VSpaceUnifyInstruction, vec![], vec![start, end])
            }
            Invocation::GetIrq { control, intid, edge, dest } => {
                let Path { root, index, depth } = self.path(dest)?;
                let label = if edge.is_some() { Label::IrqControlGetTrigger } else { Label::IrqControlGet };
                let words = [intid].into_iter().chain(edge.map(u64::from)).chain([index, depth]).collect();
                (self.cptr(control)?, label, vec![root], words)
            }
            Invocation::AcknowledgeIrq(handler) => self.plain(handler, Label::IrqHandlerAck)?,
            Invocation::SetIrqNotification { handler, notification } => {
                (self.cptr(handler)?, Label::IrqHandlerSetNotification, vec![self.cptr(notification)?], vec![])
            }
            Invocation::ClearIrq(handler) => self.plain(handler, Label::IrqHandlerClear)?,
            Invocation::IssueSgi { control, intid, target, dest } => {
                let Path { root, index, depth } = self.path(dest)?;
                let words = vec![intid, target, index, depth];
                (self.cptr(control)?, Label::IrqControlIssueSgiSignal, vec![root], words)
            }
            Invocation::SendSgi(signal) => self.plain(signal, Label::InvalidInvocation)?,
            Invocation::ConfigureDomains { control, index, domain, ticks } => {
                (self.cptr(control)?, Label::DomainScheduleConfigure, vec![], vec![index, domain, ticks])
            }
            Invocation::StartDomains { control, index } => {
                (self.cptr(control)?, Label::DomainScheduleSetStart, vec![], vec![index])
            }
            Invocation::MapStreamTable { control, table, first } => {
                let caps = vec![self.cptr(table)?];
                (self.cptr(control)?, Label::SidControlMapStreamTable, caps, vec![first.word()])
            }
            Invocation::GetGlobalFault { control, smmu } => {
                (self.cptr(control)?, Label::SidControlGetFault, vec![], vec![smmu])
            }
            Invocation::ClearGlobalFault { control, smmu } => {
                (self.cptr(control)?, Label::SidControlClearFault, vec![], vec![smmu])
            }
            Invocation::GetEventq { control, smmu } => {
                (self.cptr(control)?, Label::SidControlGetEventq, vec![], vec![smmu])
            }
            Invocation::SkipCmdqError { control, smmu } => {
                (self.cptr(control)?, Label::SidControlSkipCmdqError, vec![], vec![smmu])
            }
            Invocation::InitSmmu { control, smmu } => {
                (self.cptr(control)?, Label::SidControlInitSmmu, vec![], vec![smmu])
            }
            Invocation::DisableSmmu { control, smmu } => {
                (self.cptr(control)?, Label::SidControlDisableSmmu, vec![], vec![smmu])
            }
            Invocation::BypassStream { control, sid } => {
                (self.cptr(control)?, Label::SidControlBypassStream, vec![self.cptr(sid)?], vec![])
            }
            Invocation::AssignCdTable { cb, words } => (self.cptr(cb)?, Label::CbAssignCdTable, vec![], words.to_vec()),
            Invocation::UnassignCdTable(cb) => self.plain(cb, Label::CbUnassignCdTable)?,
            Invocation::InvalidateStage1 { cb, ref words } => {
                (self.cptr(cb)?, Label::CbInvalidateStage1, vec![], words.clone())
            }
            Invocation::InvalidateAll { control, smmu } => {
                (self.cptr(control)?, Label::CbControlTlbInvalidateAll, vec![], vec![smmu])
            }
            Invocation::GetFault(sid) => self.plain(sid, Label::SidGetFault)?,
            Invocation::ClearFault(sid) => self.plain(sid, Label::SidClearFault)?,
            Invocation::InvalidateContext(cb) => self.plain(cb, Label::CbTlbInvalidate)?,
            Invocation::GetContextFault(cb) => self.plain(cb, Label::CbGetFault)?,
            Invocation::ClearContextFault(cb) => self.plain(cb, Label::CbClearFault)?,
            Invocation::SetVcpuThread { vcpu, thread } => {
                (self.cptr(vcpu)?, Label::VcpuSetTcb, vec![self.cptr(thread)?], vec![])
            }
            Invocation::ReadVcpu { vcpu, register } => (self.cptr(vcpu)?, Label::VcpuReadReg, vec![], vec![register]),
            Invocation::WriteVcpu { vcpu, register, value } => {
                (self.cptr(vcpu)?, Label::VcpuWriteReg, vec![], vec![register, value])
            }
            Invocation::InjectIrq { vcpu, word } => (self.cptr(vcpu)?, Label::VcpuInjectIrq, vec![], vec![word]),
            Invocation::AcknowledgeVppi { vcpu, intid } => (self.cptr(vcpu)?, Label::VcpuAckVppi, vec![], vec![intid]),
            Invocation::ForwardIrq { vcpu, handler, word } => {
                (self.cptr(vcpu)?, Label::VcpuForwardIrq, vec![self.cptr(handler)?], vec![word])
            }
            Invocation::TakeBackIrq { vcpu, place } => (self.cptr(vcpu)?, Label::VcpuTakeBackIrq, vec![], vec![place]),
            Invocation::SetDomain { control, thread, domain } => {
                (self.cptr(control)?, Label::DomainSetSet, vec![self.cptr(thread)?], vec![domain])
            }
            _ => return self.of_thread(invocation),
        })
    }

    fn of_thread(&self, invocation: &Invocation) -> Option<Parts> {
        Some(match *invocation {
            Invocation::Configure { thread, space, buffer } => {
                let (mut caps, mut words) = (vec![], vec![]);
                if let Some(NewSpace { handler, cspace, cspace_data, vspace, vspace_data }) = space {
                    caps.extend([self.cptr(cspace)?, self.cptr(vspace)?]);
                    words.extend([handler, cspace_data, vspace_data]);
                }
                if let Some(NewBuffer { address, frame }) = buffer {
                    caps.push(self.cptr(frame)?);
                    words.push(address);
                }
                let label = match (space, buffer) {
                    (Some(_), Some(_)) => Label::TcbConfigure,
                    (Some(_), None) => Label::TcbSetSpace,
                    (None, _) => Label::TcbSetIpcBuffer,
                };
                (self.cptr(thread)?, label, caps, words)
            }
            Invocation::SetPriorities { thread, authority, max_priority, priority } => {
                let label = match (max_priority, priority) {
                    (Some(_), Some(_)) => Label::TcbSetSchedParams,
                    (Some(_), None) => Label::TcbSetMcPriority,
                    (None, _) => Label::TcbSetPriority,
                };
                let words = max_priority.into_iter().chain(priority).collect();
                (self.cptr(thread)?, label, vec![self.cptr(authority)?], words)
            }
            Invocation::ReadRegisters { thread, suspend, count } => {
                (self.cptr(thread)?, Label::TcbReadRegisters, vec![], vec![suspend.into(), count])
            }
            Invocation::WriteRegisters { thread, resume, ref values } => {
                let words = [resume.into(), values.len() as u64].iter().chain(values).copied().collect();
                (self.cptr(thread)?, Label::TcbWriteRegisters, vec![], words)
            }
            Invocation::CopyRegisters { thread, source, which } => {
                let flags = which.iter().enumerate().map(|(bit, flag)| u64::from(*flag) << bit).sum();
                (self.cptr(thread)?, Label::TcbCopyRegisters, vec![self.cptr(source)?], vec![flags])
            }
            Invocation::Suspend(thread) => self.plain(thread, Label::TcbSuspend)?,
            Invocation::Resume(thread) => self.plain(thread, Label::TcbResume)?,
            Invocation::BindNotification { thread, notification } => {
                (self.cptr(thread)?, Label::TcbBindNotification, vec![self.cptr(notification)?], vec![])
            }
            Invocation::UnbindNotification(thread) => self.plain(thread, Label::TcbUnbindNotification)?,
            Invocation::SetTlsBase { thread, base } => (self.cptr(thread)?, Label::TcbSetTlsBase, vec![], vec![base]),
            Invocation::SetFlags { thread, clear, set } => {
                (self.cptr(thread)?, Label::TcbSetFlags, vec![], vec![clear, set])
            }
            _ => panic!("{invocation:?} has no message"),
        })
    }

    /// A message without words and capabilities.
    fn plain(&self, slot: Slot, label: Label) -> Option<Parts> {
        Some((self.cptr(slot)?, label, vec![], vec![]))
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
