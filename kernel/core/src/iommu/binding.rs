//! Bindings: a stream to a context, a context to a VSpace, and their ends.

use sluice_abi::PhysAddr;
use sluice_abi::smmu::{ContextId, StreamId};
use sluice_smmu::{Cd, Ste};

use super::Located;
use crate::Kernel;
use crate::cap::{Asid, Cap, VSpace};
use crate::hal::Hal;
use crate::object::{AsidEntry, Context, Stream, StreamState};
use crate::store::{Handle, SlotRef};

impl<H: Hal> Kernel<H> {
    /// Points a stream, so far unbound, at a context; `source` holds the CB capability.
    pub(crate) fn bind_stream(&mut self, stream: StreamId, context: ContextId, source: SlotRef) {
        let (Some(located), Some(handle)) = (self.locate(stream), self.smmus.context(context)) else { return };
        let bound = Cap::Cb { context, bound: Some(stream) };
        self.insert(bound, source, located.shadow.slot(Stream::CONTEXT));
        let head = self.get(handle).streams.replace(Some(stream));
        self.get(located.shadow).next_of_context.set(head);
        self.activate_stream(stream, located, context);
    }

    /// Makes the entry of a bound stream, which aborts so far, say what its context says.
    pub(super) fn activate_stream(&self, stream: StreamId, located: Located, context: ContextId) {
        if self.is_over_bound(stream, located) {
            return self.throttle_stream(stream, located);
        }
        let (Some(unit), Some(root)) = (self.smmus.unit(stream.smmu), self.context_root(context)) else { return };
        let features = unit.driver.features();
        let holders = self.smmus.context(context).and_then(|handle| self.get(handle).stage1.get());
        let entry = match (unit.descriptor(context.cb), holders) {
            (Some(descriptor), _) => Ste::stage1(features, descriptor),
            (None, None) => Ste::stage2(features, context.cb, root),
            (None, Some(table)) => Ste::nested(features, context.cb, root, &table),
        };
        self.get(located.shadow).state.set(StreamState::Bound);
        self.settle(unit.driver.write_ste(&self.hal, stream.sid, located.entry, &entry));
    }

    /// Makes a stream abort.
    pub(super) fn abort_stream(&self, stream: StreamId, located: Located, state: StreamState) {
        self.get(located.shadow).state.set(state);
        self.write_abort(stream, located);
    }

    pub(super) fn write_abort(&self, stream: StreamId, located: Located) {
        if let Some(unit) = self.smmus.unit(stream.smmu) {
            self.settle(unit.driver.write_ste(&self.hal, stream.sid, located.entry, &Ste::abort()));
        }
    }

    /// Lets a quarantined stream translate again.
    pub(crate) fn release_stream(&mut self, stream: StreamId) {
        if let Some(located) = self.locate(stream)
            && self.get(located.shadow).state.get() == StreamState::Quarantined
            && let Cap::Cb { context, .. } = self.cap(located.shadow.slot(Stream::CONTEXT))
        {
            self.get(located.shadow).state.set(StreamState::Abort);
            self.activate_stream(stream, located, context);
        }
    }

    /// The hidden CB capability of `stream` goes: the stream aborts.
    fn detach_stream(&mut self, stream: StreamId, context: ContextId) {
        if let Some(located) = self.locate(stream) {
            self.abort_stream(stream, located, StreamState::Abort);
            if let Some(handle) = self.smmus.context(context) {
                self.unchain_stream(handle, stream, located);
            }
        }
    }

    fn unchain_stream(&mut self, context: Handle<Context>, stream: StreamId, located: Located) {
        let after = self.get(located.shadow).next_of_context.take();
        let mut at = self.get(context).streams.get();
        if at == Some(stream) {
            self.get(context).streams.set(after);
            return;
        }
        while let Some(found) = at.and_then(|id| self.locate(id)) {
            at = self.get(found.shadow).next_of_context.get();
            if at == Some(stream) {
                self.get(found.shadow).next_of_context.set(after);
                return;
            }
        }
    }

    /// Makes a context, so far without one, translate with a VSpace; `source` holds the VSpace capability.
    pub(crate) fn attach_context(&mut self, context: ContextId, vspace: VSpace, asid: Asid, source: SlotRef) {
        let Some(handle) = self.smmus.context(context) else { return };
        let bound = Cap::VSpace(VSpace { bound: Some(context), ..vspace });
        self.insert(bound, source, handle.slot(Context::VSPACE));
        let Some(unit) = self.smmus.unit(context.smmu) else { return };
        if let Some(entry) = self.spaces.entry(&self.hal, asid) {
            self.get(handle).next_of_vspace.set(entry.contexts);
            let format = unit.driver.features().table_format();
            self.spaces.set_entry(&self.hal, asid, Some(AsidEntry { contexts: Some(context), format, ..entry }));
        }
        if let Some(descriptor) = unit.descriptor(context.cb) {
            let translates = Cd::stage1(unit.driver.features(), context.cb, vspace.root);
            unit.driver.write_descriptor(&self.hal, descriptor, &translates);
        }
        for (stream, located) in self.streams_of(self.get(handle)) {
            if self.get(located.shadow).state.get() != StreamState::Quarantined {
                self.activate_stream(stream, located, context);
            }
        }
    }

    /// The hidden VSpace capability of `context` goes: its streams abort, its tag leaves the TLB, and a stage 1, which meant
    /// addresses of this VSpace, goes along.
    pub(crate) fn detach_context(&mut self, context: ContextId, asid: Asid) {
        let Some(handle) = self.smmus.context(context) else { return };
        for (stream, located) in self.streams_of(self.get(handle)) {
            if matches!(self.get(located.shadow).state.get(), StreamState::Bound | StreamState::Throttled) {
                self.abort_stream(stream, located, StreamState::Abort);
            }
        }
        self.get(handle).stage1.set(None);
        self.invalidate_context(context);
        if let Some(unit) = self.smmus.unit(context.smmu)
            && let Some(descriptor) = unit.descriptor(context.cb)
        {
            unit.driver.write_descriptor(&self.hal, descriptor, &Cd::invalid());
        }
        self.unchain_context(context, handle, asid);
    }

    fn unchain_context(&mut self, context: ContextId, handle: Handle<Context>, asid: Asid) {
        let after = self.get(handle).next_of_vspace.take();
        let Some(entry) = self.spaces.entry(&self.hal, asid) else { return };
        if entry.contexts == Some(context) {
            self.spaces.set_entry(&self.hal, asid, Some(AsidEntry { contexts: after, ..entry }));
            return;
        }
        let mut at = entry.contexts;
        while let Some(found) = at.and_then(|id| self.smmus.context(id)) {
            at = self.get(found).next_of_vspace.get();
            if at == Some(context) {
                self.get(found).next_of_vspace.set(after);
                return;
            }
        }
    }

    /// The VSpace a context translates with.
    pub(crate) fn context_root(&self, context: ContextId) -> Option<PhysAddr> {
        let handle = self.smmus.context(context)?;
        if let Cap::VSpace(vspace) = self.cap(handle.slot(Context::VSPACE)) { Some(vspace.root) } else { None }
    }

    /// Lets a stream, so far unbound, reach all memory.
    pub(crate) fn bypass_stream(&self, stream: StreamId) {
        if let (Some(unit), Some(located)) = (self.smmus.unit(stream.smmu), self.locate(stream)) {
            self.get(located.shadow).state.set(StreamState::Bypassed);
            self.settle(unit.driver.write_ste(&self.hal, stream.sid, located.entry, &Ste::bypass()));
        }
    }

    /// Makes a stream abort that is bound or bypasses.
    pub(crate) fn unbind_stream(&mut self, stream: StreamId) {
        let Some(located) = self.locate(stream) else { return };
        self.delete_one(located.shadow.slot(Stream::CONTEXT));
        if self.get(located.shadow).state.get() == StreamState::Bypassed {
            self.abort_stream(stream, located, StreamState::Abort);
        }
    }

    /// Whether something else than abort was chosen for a stream.
    pub(crate) fn is_bound(&self, located: Located) -> bool {
        !self.slot(located.shadow.slot(Stream::CONTEXT)).is_empty()
            || self.get(located.shadow).state.get() == StreamState::Bypassed
    }

    pub(crate) fn finalise_context(&mut self, context: ContextId, bound: Option<StreamId>, last: bool) {
        if let Some(stream) = bound {
            self.detach_stream(stream, context);
        }
        if last && let Some(handle) = self.smmus.context(context) {
            self.delete_one(handle.slot(Context::VSPACE));
            self.get(handle).issued.set(false);
            self.get(handle).last_event.set((0, 0));
        }
    }

    /// The last capability of a stream goes: it aborts, and nobody is told of its faults.
    pub(crate) fn finalise_stream(&mut self, stream: StreamId) {
        if let Some(located) = self.locate(stream) {
            self.unbind_stream(stream);
            self.delete_one(located.shadow.slot(Stream::HANDLER));
            let shadow = self.get(located.shadow);
            shadow.issued.set(false);
            shadow.pending.set(None);
            shadow.dropped.set(0);
            shadow.delivered.set(0);
            shadow.budget.set(0);
        } else {
            self.forget_orphan(stream);
        }
    }
}
