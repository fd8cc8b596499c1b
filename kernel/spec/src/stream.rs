//! Streams and contexts. Each binding is a derived capability in a hidden slot, and nothing else.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use sluice_abi::LookupFailure;
use sluice_abi::smmu::{ContextId, Record, STREAM_TABLE_SPLIT, StreamId};

use crate::state::first_of_table;
use crate::step::Stepped;
use crate::{Cap, Faults, ObjectName, Refused, Rights, Slot, State};

/// An SMMU.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Smmu {
    /// Streams it can tell apart.
    pub streams: u64,
    /// Contexts it has.
    pub contexts: u32,
    /// First streams of the tables installed.
    pub tables: BTreeSet<u32>,
    /// Records of streams without a handler, oldest first.
    pub unclaimed: Vec<Record>,
    /// How many more there were since the latest of them.
    pub dropped: u64,
}

impl Smmu {
    /// One without tables, that has reported nothing.
    #[must_use]
    pub const fn new(streams: u64, contexts: u32) -> Self {
        Self { streams, contexts, tables: BTreeSet::new(), unclaimed: Vec::new(), dropped: 0 }
    }
}

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
        self.expect_empty(Slot::Binding(stream))?;
        Ok(self.changed(|after| after.insert_copy(cb, Cap::Cb(context), Slot::Binding(stream))))
    }

    pub(crate) fn unbind_cb(&self, sid: Slot) -> Stepped {
        let stream = self.invoked_stream(sid)?;
        self.expect_held(Slot::Binding(stream))?;
        Ok(self.changed(|after| after.delete(Slot::Binding(stream))))
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
        let cap = Cap::VSpace { root: space.root, asid: Some(asid) };
        Ok(self.changed(|after| after.insert_copy(vspace, cap, Slot::Translation(context))))
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
