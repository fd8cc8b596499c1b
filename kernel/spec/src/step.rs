//! One step of the machine.

use sluice_abi::{Error, PhysAddr};

use crate::{Cap, Invocation, Slot, State};

/// Why there is no step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The caller cannot name a slot it uses.
    OutOfReach(Slot),
    /// The kernel answers with this.
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

pub(crate) type Stepped = Result<State, Error>;

/// What `invocation` by the thread at `caller` makes of `state`.
///
/// # Errors
/// [`Refusal`]; the state stays what it was.
pub fn step(state: &State, caller: PhysAddr, invocation: &Invocation) -> Result<State, Refusal> {
    let nameable = state.nameable(caller);
    let within = |slot: &Slot| matches!(slot, Slot::Node { node, .. } if nameable.contains(node));
    if let Some(slot) = invocation.named().find(|slot| !within(slot)) {
        return Err(Refusal::OutOfReach(slot));
    }
    state.after(invocation).map_err(Refusal::from)
}

impl State {
    /// What an invocation makes of the state, whoever asks; for what several steps make up together.
    ///
    /// # Errors
    /// What the kernel answers; the state stays what it was.
    pub fn after(&self, invocation: &Invocation) -> Result<Self, Error> {
        match *invocation {
            Invocation::Retype { untyped, kind, bits, node, offset, count } => {
                self.retype(untyped, kind, bits, node, offset, count)
            }
            Invocation::Copy { source, dest, rights } => self.copy(source, dest, rights, None),
            Invocation::Mint { source, dest, rights, data } => self.copy(source, dest, rights, Some(data)),
            Invocation::Move { source, dest } => self.moved(source, dest, None),
            Invocation::Mutate { source, dest, data } => self.moved(source, dest, Some(data)),
            Invocation::Delete(slot) => Ok(self.changed(|after| after.delete(slot))),
            Invocation::Revoke(slot) => Ok(self.changed(|after| after.revoke(slot))),
            Invocation::PageMap { frame, vspace, at, rights, execute, cacheable } => {
                self.map_page(frame, vspace, at, rights, execute, cacheable)
            }
            Invocation::PageUnmap(frame) => self.unmap_frame(frame),
            Invocation::TableMap { table, vspace, at } => self.map_table(table, vspace, at),
            Invocation::TableUnmap(table) => self.unmap_table(table),
            Invocation::MakePool { control, untyped, dest } => self.make_pool(control, untyped, dest),
            Invocation::AssignAsid { pool, vspace } => self.assign_asid(pool, vspace),
            Invocation::GetSid { control, stream, dest } => self.get_sid(control, stream, dest),
            Invocation::GetCb { control, smmu, cb, dest } => self.get_cb(control, smmu, cb, dest),
            Invocation::BindCb { sid, cb } => self.bind_cb(sid, cb),
            Invocation::UnbindCb(sid) => self.unbind_cb(sid),
            Invocation::SetFaultHandler { sid, notification } => self.set_fault_handler(sid, notification),
            Invocation::AssignVspace { cb, vspace } => self.assign_vspace(cb, vspace),
            Invocation::UnassignVspace(cb) => self.unassign_vspace(cb),
            Invocation::Suspend(thread) => self.set_runnable(thread, false),
            Invocation::Resume(thread) => self.set_runnable(thread, true),
            Invocation::BindNotification { thread, notification } => self.bind_notification(thread, notification),
            Invocation::UnbindNotification(thread) => self.unbound(thread),
        }
    }

    /// The state after a change of a copy.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut after = self.clone();
        change(&mut after);
        after
    }

    /// The capability invoked.
    pub(crate) fn invoked(&self, slot: Slot) -> Result<Cap, Error> {
        self.cap(slot).ok_or(Error::InvalidCapability)
    }

    pub(crate) fn expect_empty(&self, slot: Slot) -> Result<(), Error> {
        if self.slots.contains_key(&slot) { Err(Error::DeleteFirst) } else { Ok(()) }
    }
}
