//! Streams and contexts. Each binding is a derived capability in a hidden slot, and nothing else.

use sluice_abi::Error;
use sluice_abi::smmu::{ContextId, StreamId};

use crate::step::Stepped;
use crate::{Cap, ObjectName, Rights, Slot, State};

impl State {
    pub(crate) fn get_sid(&self, control: Slot, stream: StreamId, dest: Slot) -> Stepped {
        let Cap::SidControl = self.invoked(control)? else { return Err(Error::IllegalOperation) };
        let smmu = self.smmus.get(&stream.smmu).ok_or(Error::InvalidArgument)?;
        if u64::from(stream.sid) >= smmu.streams {
            return Err(Error::RangeError);
        }
        if !self.is_covered(stream) {
            return Err(Error::FailedLookup);
        }
        self.expect_unissued(ObjectName::Stream(stream))?;
        self.expect_empty(dest)?;
        Ok(self.changed(|after| after.insert_copy(control, Cap::Sid(stream), dest)))
    }

    pub(crate) fn get_cb(&self, control: Slot, smmu: u8, cb: u32, dest: Slot) -> Stepped {
        let Cap::CbControl = self.invoked(control)? else { return Err(Error::IllegalOperation) };
        let contexts = self.smmus.get(&smmu).ok_or(Error::InvalidArgument)?.contexts;
        let cb = u16::try_from(cb).ok().filter(|cb| u32::from(*cb) < contexts).ok_or(Error::RangeError)?;
        let context = ContextId { smmu, cb };
        self.expect_unissued(ObjectName::Context(context))?;
        self.expect_empty(dest)?;
        Ok(self.changed(|after| after.insert_copy(control, Cap::Cb(context), dest)))
    }

    pub(crate) fn bind_cb(&self, sid: Slot, cb: Slot) -> Stepped {
        let Cap::Sid(stream) = self.invoked(sid)? else { return Err(Error::IllegalOperation) };
        let Some(Cap::Cb(context)) = self.cap(cb) else { return Err(Error::InvalidCapability) };
        if context.smmu != stream.smmu || self.cap(Slot::Translation(context)).is_none() {
            return Err(Error::InvalidCapability);
        }
        self.expect_empty(Slot::Binding(stream))?;
        Ok(self.changed(|after| after.insert_copy(cb, Cap::Cb(context), Slot::Binding(stream))))
    }

    pub(crate) fn unbind_cb(&self, sid: Slot) -> Stepped {
        let Cap::Sid(stream) = self.invoked(sid)? else { return Err(Error::IllegalOperation) };
        self.expect_held(Slot::Binding(stream))?;
        Ok(self.changed(|after| after.delete(Slot::Binding(stream))))
    }

    pub(crate) fn set_fault_handler(&self, sid: Slot, notification: Option<Slot>) -> Stepped {
        let Cap::Sid(stream) = self.invoked(sid)? else { return Err(Error::IllegalOperation) };
        let handler = match notification {
            None => None,
            Some(source) => match self.cap(source) {
                Some(Cap::Notification { object, badge, rights }) if rights.write => {
                    Some((source, Cap::Notification { object, badge, rights: Rights::WRITE }))
                }
                _ => return Err(Error::InvalidCapability),
            },
        };
        Ok(self.changed(|after| {
            after.delete(Slot::Handler(stream));
            if let Some((source, cap)) = handler {
                after.insert_copy(source, cap, Slot::Handler(stream));
            }
        }))
    }

    pub(crate) fn assign_vspace(&self, cb: Slot, vspace: Slot) -> Stepped {
        let Cap::Cb(context) = self.invoked(cb)? else { return Err(Error::IllegalOperation) };
        let (asid, space) = self.live_space(vspace)?;
        self.expect_empty(Slot::Translation(context))?;
        let cap = Cap::VSpace { root: space.root, asid: Some(asid) };
        Ok(self.changed(|after| after.insert_copy(vspace, cap, Slot::Translation(context))))
    }

    pub(crate) fn unassign_vspace(&self, cb: Slot) -> Stepped {
        let Cap::Cb(context) = self.invoked(cb)? else { return Err(Error::IllegalOperation) };
        self.expect_held(Slot::Translation(context))?;
        Ok(self.changed(|after| after.delete(Slot::Translation(context))))
    }

    fn expect_unissued(&self, object: ObjectName) -> Result<(), Error> {
        if self.holders(object).next().is_some() { Err(Error::RevokeFirst) } else { Ok(()) }
    }

    fn expect_held(&self, slot: Slot) -> Result<(), Error> {
        if self.slots.contains_key(&slot) { Ok(()) } else { Err(Error::IllegalOperation) }
    }
}
