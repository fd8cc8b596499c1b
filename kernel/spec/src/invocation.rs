//! What a thread can ask for. Slots stand for the capability pointers that led to them.

use sluice_abi::smmu::StreamId;
use sluice_abi::{ObjectType, PhysAddr, VirtAddr};

use crate::{Rights, Slot};

/// An invocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the arguments are named after the interface's")]
pub enum Invocation {
    Retype { untyped: Slot, kind: ObjectType, bits: u32, node: PhysAddr, offset: u64, count: u64 },
    Copy { source: Slot, dest: Slot, rights: Rights },
    Mint { source: Slot, dest: Slot, rights: Rights, data: u64 },
    Move { source: Slot, dest: Slot },
    Mutate { source: Slot, dest: Slot, data: u64 },
    Delete(Slot),
    Revoke(Slot),
    PageMap { frame: Slot, vspace: Slot, at: VirtAddr, rights: Rights, execute: bool, cacheable: bool },
    PageUnmap(Slot),
    TableMap { table: Slot, vspace: Slot, at: VirtAddr },
    TableUnmap(Slot),
    MakePool { control: Slot, untyped: Slot, dest: Slot },
    AssignAsid { pool: Slot, vspace: Slot },
    GetSid { control: Slot, stream: StreamId, dest: Slot },
    GetCb { control: Slot, smmu: u8, cb: u32, dest: Slot },
    BindCb { sid: Slot, cb: Slot },
    UnbindCb(Slot),
    SetFaultHandler { sid: Slot, notification: Option<Slot> },
    AssignVspace { cb: Slot, vspace: Slot },
    UnassignVspace(Slot),
    Suspend(Slot),
    Resume(Slot),
    BindNotification { thread: Slot, notification: Slot },
    UnbindNotification(Slot),
}

impl Invocation {
    /// Every slot the caller must be able to name.
    pub fn named(&self) -> impl Iterator<Item = Slot> {
        let (first, second, third) = match *self {
            Self::Retype { untyped, .. } => (untyped, None, None),
            Self::Copy { source, dest, .. }
            | Self::Mint { source, dest, .. }
            | Self::Move { source, dest }
            | Self::Mutate { source, dest, .. } => (source, Some(dest), None),
            Self::PageMap { frame: invoked, vspace: other, .. }
            | Self::TableMap { table: invoked, vspace: other, .. }
            | Self::AssignAsid { pool: invoked, vspace: other }
            | Self::BindCb { sid: invoked, cb: other }
            | Self::AssignVspace { cb: invoked, vspace: other }
            | Self::BindNotification { thread: invoked, notification: other }
            | Self::GetSid { control: invoked, dest: other, .. }
            | Self::GetCb { control: invoked, dest: other, .. } => (invoked, Some(other), None),
            Self::MakePool { control, untyped, dest } => (control, Some(untyped), Some(dest)),
            Self::SetFaultHandler { sid, notification } => (sid, notification, None),
            Self::Delete(slot)
            | Self::Revoke(slot)
            | Self::PageUnmap(slot)
            | Self::TableUnmap(slot)
            | Self::UnbindCb(slot)
            | Self::UnassignVspace(slot)
            | Self::Suspend(slot)
            | Self::Resume(slot)
            | Self::UnbindNotification(slot) => (slot, None, None),
        };
        [Some(first), second, third].into_iter().flatten()
    }
}
