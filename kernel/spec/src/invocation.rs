//! What a thread can ask for. Slots stand for the capability pointers that led to them.

use alloc::vec::Vec;

use sluice_abi::smmu::StreamId;
use sluice_abi::{ObjectType, PhysAddr, VirtAddr};

use crate::{NewBuffer, NewSpace, Rights, Slot};

/// An invocation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the arguments are named after the interface's")]
pub enum Invocation {
    Retype { untyped: Slot, kind: ObjectType, bits: u32, node: PhysAddr, offset: u64, count: u64 },
    Copy { source: Slot, dest: Slot, rights: Rights },
    Mint { source: Slot, dest: Slot, rights: Rights, data: u64 },
    Move { source: Slot, dest: Slot },
    Mutate { source: Slot, dest: Slot, data: u64 },
    Rotate { source: Slot, source_data: u64, pivot: Slot, pivot_data: u64, dest: Slot },
    Delete(Slot),
    Revoke(Slot),
    SaveCaller(Slot),
    CancelBadgedSends(Slot),

    PageMap { frame: Slot, vspace: Slot, at: VirtAddr, rights: Rights, execute: bool, cacheable: bool },
    PageUnmap(Slot),
    GetAddress(Slot),
    PageMaintain { frame: Slot, start: u64, end: u64 },
    TableMap { table: Slot, vspace: Slot, at: VirtAddr },
    TableUnmap(Slot),
    SpaceMaintain { vspace: Slot, start: u64, end: u64 },
    MakePool { control: Slot, untyped: Slot, dest: Slot },
    AssignAsid { pool: Slot, vspace: Slot },

    GetIrq { control: Slot, intid: u64, edge: Option<bool>, dest: Slot },
    AcknowledgeIrq(Slot),
    SetIrqNotification { handler: Slot, notification: Slot },
    ClearIrq(Slot),
    IssueSgi { control: Slot, intid: u64, target: u64, dest: Slot },
    SendSgi(Slot),

    GetSid { control: Slot, stream: StreamId, dest: Slot },
    MapStreamTable { control: Slot, table: Slot, first: StreamId },
    GetGlobalFault { control: Slot, smmu: u64 },
    ClearGlobalFault { control: Slot, smmu: u64 },
    GetEventq { control: Slot, smmu: u64 },
    SkipCmdqError { control: Slot, smmu: u64 },
    InitSmmu { control: Slot, smmu: u64 },
    DisableSmmu { control: Slot, smmu: u64 },
    BypassStream { control: Slot, sid: Slot },
    GetCb { control: Slot, smmu: u8, cb: u32, dest: Slot },
    InvalidateAll { control: Slot, smmu: u64 },
    BindCb { sid: Slot, cb: Slot },
    UnbindCb(Slot),
    SetFaultHandler { sid: Slot, notification: Option<Slot>, budget: u64 },
    GetFault(Slot),
    ClearFault(Slot),
    AssignVspace { cb: Slot, vspace: Slot },
    UnassignVspace(Slot),
    InvalidateContext(Slot),
    AssignCdTable { cb: Slot, words: [u64; 2] },
    UnassignCdTable(Slot),
    InvalidateStage1 { cb: Slot, words: Vec<u64> },
    GetContextFault(Slot),
    ClearContextFault(Slot),

    Configure { thread: Slot, space: Option<NewSpace>, buffer: Option<NewBuffer> },
    SetPriorities { thread: Slot, authority: Slot, max_priority: Option<u64>, priority: Option<u64> },
    ReadRegisters { thread: Slot, suspend: bool, count: u64 },
    WriteRegisters { thread: Slot, resume: bool, values: Vec<u64> },
    CopyRegisters { thread: Slot, source: Slot, which: [bool; 4] },
    Suspend(Slot),
    Resume(Slot),
    BindNotification { thread: Slot, notification: Slot },
    UnbindNotification(Slot),
    SetTlsBase { thread: Slot, base: u64 },
    SetFlags { thread: Slot, clear: u64, set: u64 },
    SetVcpuThread { vcpu: Slot, thread: Slot },
    ReadVcpu { vcpu: Slot, register: u64 },
    WriteVcpu { vcpu: Slot, register: u64, value: u64 },
    InjectIrq { vcpu: Slot, word: u64 },
    AcknowledgeVppi { vcpu: Slot, intid: u64 },
    ForwardIrq { vcpu: Slot, handler: Slot, word: u64 },
    TakeBackIrq { vcpu: Slot, place: u64 },
    SetDomain { control: Slot, thread: Slot, domain: u64 },
    ConfigureDomains { control: Slot, index: u64, domain: u64, ticks: u64 },
    StartDomains { control: Slot, index: u64 },
}

impl Invocation {
    /// Every slot the caller must be able to name.
    #[must_use]
    pub fn named(&self) -> Vec<Slot> {
        match *self {
            Self::Retype { untyped, .. } => [untyped].to_vec(),
            Self::Copy { source, dest, .. }
            | Self::Mint { source, dest, .. }
            | Self::Move { source, dest }
            | Self::Mutate { source, dest, .. } => [source, dest].to_vec(),
            Self::Rotate { source, pivot, dest, .. } => [source, pivot, dest].to_vec(),
            Self::PageMap { frame: invoked, vspace: other, .. }
            | Self::TableMap { table: invoked, vspace: other, .. }
            | Self::AssignAsid { pool: invoked, vspace: other }
            | Self::BindCb { sid: invoked, cb: other }
            | Self::BypassStream { control: invoked, sid: other }
            | Self::AssignVspace { cb: invoked, vspace: other }
            | Self::BindNotification { thread: invoked, notification: other }
            | Self::GetSid { control: invoked, dest: other, .. }
            | Self::MapStreamTable { control: invoked, table: other, .. }
            | Self::GetIrq { control: invoked, dest: other, .. }
            | Self::IssueSgi { control: invoked, dest: other, .. }
            | Self::SetIrqNotification { handler: invoked, notification: other }
            | Self::SetPriorities { thread: invoked, authority: other, .. }
            | Self::CopyRegisters { thread: invoked, source: other, .. }
            | Self::SetVcpuThread { vcpu: invoked, thread: other }
            | Self::ForwardIrq { vcpu: invoked, handler: other, .. }
            | Self::SetDomain { control: invoked, thread: other, .. }
            | Self::GetCb { control: invoked, dest: other, .. } => [invoked, other].to_vec(),
            Self::MakePool { control, untyped, dest } => [control, untyped, dest].to_vec(),
            Self::SetFaultHandler { sid, notification, .. } => [sid].into_iter().chain(notification).collect(),
            Self::Configure { thread, space, buffer } => {
                let roots = space.into_iter().flat_map(|space| [space.cspace, space.vspace]);
                [thread].into_iter().chain(roots).chain(buffer.map(|buffer| buffer.frame)).collect()
            }
            Self::Delete(slot)
            | Self::Revoke(slot)
            | Self::SaveCaller(slot)
            | Self::CancelBadgedSends(slot)
            | Self::PageUnmap(slot)
            | Self::GetAddress(slot)
            | Self::PageMaintain { frame: slot, .. }
            | Self::TableUnmap(slot)
            | Self::SpaceMaintain { vspace: slot, .. }
            | Self::AcknowledgeIrq(slot)
            | Self::ClearIrq(slot)
            | Self::SendSgi(slot)
            | Self::ReadVcpu { vcpu: slot, .. }
            | Self::WriteVcpu { vcpu: slot, .. }
            | Self::InjectIrq { vcpu: slot, .. }
            | Self::AcknowledgeVppi { vcpu: slot, .. }
            | Self::TakeBackIrq { vcpu: slot, .. }
            | Self::ConfigureDomains { control: slot, .. }
            | Self::StartDomains { control: slot, .. }
            | Self::GetGlobalFault { control: slot, .. }
            | Self::ClearGlobalFault { control: slot, .. }
            | Self::GetEventq { control: slot, .. }
            | Self::SkipCmdqError { control: slot, .. }
            | Self::InitSmmu { control: slot, .. }
            | Self::DisableSmmu { control: slot, .. }
            | Self::InvalidateAll { control: slot, .. }
            | Self::UnbindCb(slot)
            | Self::GetFault(slot)
            | Self::ClearFault(slot)
            | Self::UnassignVspace(slot)
            | Self::InvalidateContext(slot)
            | Self::AssignCdTable { cb: slot, .. }
            | Self::UnassignCdTable(slot)
            | Self::InvalidateStage1 { cb: slot, .. }
            | Self::GetContextFault(slot)
            | Self::ClearContextFault(slot)
            | Self::ReadRegisters { thread: slot, .. }
            | Self::WriteRegisters { thread: slot, .. }
            | Self::Suspend(slot)
            | Self::Resume(slot)
            | Self::UnbindNotification(slot)
            | Self::SetTlsBase { thread: slot, .. }
            | Self::SetFlags { thread: slot, .. } => [slot].to_vec(),
        }
    }
}
