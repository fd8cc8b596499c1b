//! Streams and contexts. Each binding is a derived capability in a hidden slot, and nothing else.

use alloc::vec::Vec;

use sluice_abi::LookupFailure;
use sluice_abi::smmu::{ContextId, STREAM_TABLE_SPLIT, StreamId};

use crate::state::first_of_table;
use crate::step::Stepped;
use crate::{Cap, Faults, ObjectName, Refused, Rights, Slot, Space, State};

impl State {
    fn known_stream(&self, stream: StreamId) -> Result<(), Refused> {
        let max = self.smmus.get(&stream.smmu).ok_or(Refused::InvalidArgument(0))?.streams - 1;
        if u64::from(stream.sid) > max { Err(Refused::Range { min: 0, max }) } else { Ok(()) }
    }

    pub(crate) fn get_sid(&self, control: Slot, stream: StreamId, dest: Slot) -> Stepped {
        let Cap::SidControl = self.invoked(control)? else { return Err(Refused::IllegalOperation) };
        self.known_stream(stream)?;
        if !self.is_covered(stream) {
            let bits_left = STREAM_TABLE_SPLIT.into();
            return Err(Refused::target(LookupFailure::MissingCapability { bits_left }));
        }
        self.expect_unissued(ObjectName::Stream(stream))?;
        self.expect_empty(dest)?;
        Ok(self.changed(|after| after.insert_copy(control, Cap::Sid(stream), dest)))
    }

    /// Installs a table; one that was there before must be gone, with every capability to its streams.
    pub(crate) fn map_stream_table(&self, control: Slot, table: Slot, first: StreamId) -> Stepped {
        let Cap::SidControl = self.invoked(control)? else { return Err(Refused::IllegalOperation) };
        let Some(Cap::StreamTable { base, mapped: None }) = self.cap(table) else {
            return Err(Refused::InvalidCapability(1));
        };
        self.known_stream(first)?;
        if first_of_table(first.sid) != first.sid {
            return Err(Refused::Alignment);
        }
        if self.is_covered(first) {
            return Err(Refused::DeleteFirst);
        }
        let outlived = |cap: Cap| matches!(cap, Cap::Sid(stream) if Self::is_in_table(first, stream));
        if self.slots.values().any(|held| outlived(held.cap)) {
            return Err(Refused::RevokeFirst);
        }
        Ok(self.changed(|after| {
            if let Some(smmu) = after.smmus.get_mut(&first.smmu) {
                smmu.tables.insert(first.sid);
            }
            after.replace(table, Cap::StreamTable { base, mapped: Some(first) });
        }))
    }

    const fn is_in_table(first: StreamId, stream: StreamId) -> bool {
        first.smmu == stream.smmu && first_of_table(stream.sid) == first.sid
    }

    /// A table goes, and with it everything about its streams but the capabilities to them, which are of no use.
    pub(crate) fn end_stream_table(&mut self, first: StreamId) {
        let streams = self.used_streams().into_iter().filter(|stream| Self::is_in_table(first, *stream));
        for stream in streams.collect::<Vec<_>>() {
            self.end_stream(stream);
        }
        if let Some(smmu) = self.smmus.get_mut(&first.smmu) {
            smmu.tables.remove(&first.sid);
        }
    }

    /// Nobody has the stream any more: it aborts, and what it did is forgotten.
    pub(crate) fn end_stream(&mut self, stream: StreamId) {
        self.delete(Slot::Binding(stream));
        self.delete(Slot::Handler(stream));
        self.bypassed.remove(&stream);
        self.faults.remove(&stream);
    }

    pub(crate) fn get_cb(&self, control: Slot, smmu: u8, cb: u32, dest: Slot) -> Stepped {
        let Cap::CbControl = self.invoked(control)? else { return Err(Refused::IllegalOperation) };
        let max = self.smmus.get(&smmu).ok_or(Refused::InvalidArgument(0))?.contexts - 1;
        let range = Refused::Range { min: 0, max: max.into() };
        let cb = u16::try_from(cb).ok().filter(|cb| u32::from(*cb) <= max).ok_or(range)?;
        let context = ContextId { smmu, cb };
        self.expect_unissued(ObjectName::Context(context))?;
        self.expect_empty(dest)?;
        Ok(self.changed(|after| after.insert_copy(control, Cap::Cb(context), dest)))
    }

    /// The stream of an invoked capability, which is worth something while a table covers it.
    pub(crate) fn invoked_stream(&self, sid: Slot) -> Result<StreamId, Refused> {
        let Cap::Sid(stream) = self.invoked(sid)? else { return Err(Refused::IllegalOperation) };
        if self.is_covered(stream) { Ok(stream) } else { Err(Refused::InvalidCapability(0)) }
    }

    pub(crate) fn bind_cb(&self, sid: Slot, cb: Slot) -> Stepped {
        let stream = self.invoked_stream(sid)?;
        let Some(Cap::Cb(context)) = self.cap(cb) else { return Err(Refused::InvalidCapability(1)) };
        if context.smmu != stream.smmu || self.cap(Slot::Translation(context)).is_none() {
            return Err(Refused::InvalidCapability(1));
        }
        self.expect_unbound(stream)?;
        Ok(self.changed(|after| after.insert_copy(cb, Cap::Cb(context), Slot::Binding(stream))))
    }

    pub(crate) fn unbind_cb(&self, sid: Slot) -> Stepped {
        let stream = self.invoked_stream(sid)?;
        if self.expect_unbound(stream).is_ok() {
            return Err(Refused::IllegalOperation);
        }
        Ok(self.changed(|after| {
            after.delete(Slot::Binding(stream));
            after.bypassed.remove(&stream);
        }))
    }

    /// That a stream is neither bound nor bypasses.
    fn expect_unbound(&self, stream: StreamId) -> Result<(), Refused> {
        if self.bypassed.contains(&stream) {
            Err(Refused::DeleteFirst)
        } else {
            self.expect_empty(Slot::Binding(stream))
        }
    }

    /// Lets a stream reach all memory: for whoever has both the stream and the power over all of them.
    pub(crate) fn bypass_stream(&self, control: Slot, sid: Slot) -> Stepped {
        let Cap::SidControl = self.invoked(control)? else { return Err(Refused::IllegalOperation) };
        let stream = match self.cap(sid) {
            Some(Cap::Sid(stream)) if self.is_covered(stream) => stream,
            _ => return Err(Refused::InvalidCapability(1)),
        };
        self.expect_unbound(stream)?;
        Ok(self.changed(|after| {
            after.bypassed.insert(stream);
        }))
    }

    pub(crate) fn set_fault_handler(&self, sid: Slot, notification: Option<Slot>, budget: u64) -> Stepped {
        let stream = self.invoked_stream(sid)?;
        let handler = match notification {
            None => None,
            Some(source) => match self.cap(source) {
                Some(Cap::Notification { object, badge, rights }) if rights.write => {
                    Some((source, Cap::Notification { object, badge, rights: Rights::WRITE }))
                }
                _ => return Err(Refused::InvalidCapability(1)),
            },
        };
        Ok(self.changed(|after| {
            after.delete(Slot::Handler(stream));
            let faults = after.faults.entry(stream).or_default();
            *faults = Faults { budget, seen: 0, ..*faults };
            after.tidy_faults(stream);
            if let Some((source, cap)) = handler {
                after.insert_copy(source, cap, Slot::Handler(stream));
            }
        }))
    }

    pub(crate) fn assign_vspace(&self, cb: Slot, vspace: Slot) -> Stepped {
        let Cap::Cb(context) = self.invoked(cb)? else { return Err(Refused::IllegalOperation) };
        let (asid, space) = self.live_space(vspace, 1)?;
        self.expect_empty(Slot::Translation(context))?;
        let can = self.abilities(context)?;
        if !can.translates() {
            return Err(Refused::IllegalOperation);
        }
        // Without stage 2 tables have another form, which is settled while there are none.
        let becomes = !can.stage2 && !space.for_devices;
        if space.for_devices && can.stage2 || becomes && !self.is_untouched(space) {
            return Err(Refused::InvalidCapability(1));
        }
        let cap = Cap::VSpace { root: space.root, asid: Some(asid) };
        Ok(self.changed(|after| {
            after.insert_copy(vspace, cap, Slot::Translation(context));
            after.spaces.get_mut(&asid).into_iter().for_each(|space| space.for_devices |= becomes);
        }))
    }

    /// Nothing is in it, and neither a thread nor a device has used it.
    fn is_untouched(&self, space: &Space) -> bool {
        let of_device =
            |slot: &Slot| matches!(slot, Slot::Translation(context) if self.space_of(*context) == Some(space));
        space.tables.is_empty() && space.pages.is_empty() && !space.walked && !self.slots.keys().any(of_device)
    }

    pub(crate) fn unassign_vspace(&self, cb: Slot) -> Stepped {
        let Cap::Cb(context) = self.invoked(cb)? else { return Err(Refused::IllegalOperation) };
        self.expect_held(Slot::Translation(context))?;
        Ok(self.changed(|after| after.delete(Slot::Translation(context))))
    }

    fn expect_unissued(&self, object: ObjectName) -> Result<(), Refused> {
        if self.holders(object).next().is_some() { Err(Refused::RevokeFirst) } else { Ok(()) }
    }

    pub(crate) fn expect_held(&self, slot: Slot) -> Result<(), Refused> {
        if self.slots.contains_key(&slot) { Ok(()) } else { Err(Refused::IllegalOperation) }
    }
}
