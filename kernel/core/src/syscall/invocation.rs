//! Invocations that passed decoding: everything needed to carry them out.

use sluice_abi::smmu::{CdTable, ContextId, StreamId};
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{CPtr, CapRights, PhysAddr};
use sluice_paging::Entry;

use crate::cap::{Asid, Cap, EndpointCap, Frame, Mapping, NotificationCap, PageTable, SgiSignal, VSpace};
use crate::domain::DomainSlice;
use crate::hal::CacheOp;
use crate::object::{AsidPool, Notification, Tcb};
use crate::store::{Handle, SlotRef};
use crate::vcpu::VirtualInterrupt;

/// A capability derived by decoding and where it came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Derived {
    pub(super) cap: Cap,
    pub(super) source: SlotRef,
}

/// The new IPC buffer of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NewBuffer {
    pub(super) address: u64,
    /// `None` takes the buffer away.
    pub(super) frame: Option<Derived>,
}

/// The new address and capability space of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NewSpace {
    pub(super) fault_handler: CPtr,
    pub(super) cspace: Derived,
    pub(super) vspace: Derived,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CNodeInvocation {
    Insert { cap: Cap, source: SlotRef, dest: SlotRef },
    Move { cap: Cap, source: SlotRef, dest: SlotRef },
    Rotate { source_cap: Cap, pivot_cap: Cap, source: SlotRef, pivot: SlotRef, dest: SlotRef },
    Revoke(SlotRef),
    Delete(SlotRef),
    SaveCaller(SlotRef),
    CancelBadgedSends(EndpointCap),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TcbInvocation {
    ReadRegisters { suspend: bool, count: usize },
    WriteRegisters { resume: bool, count: usize },
    CopyRegisters { source: Handle<Tcb>, suspend: bool, resume: bool, frame: bool, integer: bool },
    Configure { space: Option<NewSpace>, buffer: Option<NewBuffer> },
    SetPriorities { max_priority: Option<u8>, priority: Option<u8> },
    Suspend,
    Resume,
    BindNotification(Handle<Notification>),
    UnbindNotification,
    SetTlsBase(u64),
    SetFlags { clear: u64, set: u64 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MemoryInvocation {
    MapFrame { slot: SlotRef, frame: Frame, mapping: Mapping, entry_at: PhysAddr, word: u64, old: Entry },
    UnmapFrame { slot: SlotRef, frame: Frame },
    MapTable { slot: SlotRef, table: PageTable, mapping: Mapping, entry_at: PhysAddr, word: u64 },
    UnmapTable { slot: SlotRef, table: PageTable },
    Maintain { operation: CacheOp, at: PhysAddr, bytes: u64 },
    Nothing,
    GetAddress(PhysAddr),
    MakePool { untyped: SlotRef, at: PhysAddr, base: Asid, dest: SlotRef },
    AssignAsid { pool: Handle<AsidPool>, asid: Asid, slot: SlotRef, vspace: VSpace },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InterruptInvocation {
    Issue { intid: u32, edge: Option<bool>, control: SlotRef, dest: SlotRef },
    Acknowledge(u32),
    SetNotification { intid: u32, cap: NotificationCap, source: SlotRef },
    Clear(u32),
    IssueSgi { signal: SgiSignal, control: SlotRef, dest: SlotRef },
    SendSgi(SgiSignal),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum VcpuInvocation {
    SetTcb(Handle<Tcb>),
    Inject { index: u8, interrupt: VirtualInterrupt },
    ReadRegister(VcpuRegister),
    WriteRegister(VcpuRegister, u64),
    AcknowledgeTimer,
    Forward { intid: u32, index: u8, interrupt: VirtualInterrupt },
    TakeBack { intid: u32, index: u8 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DomainInvocation {
    Set { thread: Handle<Tcb>, domain: u8 },
    Configure { index: usize, slice: DomainSlice },
    Start(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SmmuInvocation {
    IssueSid { stream: StreamId, control: SlotRef, dest: SlotRef },
    IssueCb { context: ContextId, control: SlotRef, dest: SlotRef },
    GetGlobalFault(u8),
    ClearGlobalFault(u8),
    GetUnclaimed(u8),
    TakeRejected(u8),
    Enable(u8),
    Disable(u8),
    Bypass(StreamId),
    MapStreamTable { slot: SlotRef, table: PhysAddr, first: StreamId },
    InvalidateAll(u8),
    Bind { stream: StreamId, context: ContextId, source: SlotRef },
    Unbind(StreamId),
    SetHandler { stream: StreamId, handler: Option<(NotificationCap, SlotRef)>, budget: u64 },
    GetRecord(StreamId),
    ClearRecord(StreamId),
    Assign { context: ContextId, vspace: VSpace, asid: Asid, source: SlotRef },
    Unassign(ContextId),
    Invalidate(ContextId),
    SetStage1 { context: ContextId, table: Option<CdTable> },
    InvalidateStage1 { context: ContextId, count: usize },
    GetContextFault(ContextId),
    ClearContextFault(ContextId),
}

/// Rights a notification capability in a hidden slot keeps.
pub(super) const SIGNAL_ONLY: CapRights = CapRights::WRITE;
