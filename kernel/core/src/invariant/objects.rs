//! Capabilities and what they name.

use super::{Checked, ensure};
use crate::Kernel;
use crate::cap::{Cap, Untyped, memory};
use crate::hal::Hal;
use crate::interrupt::InterruptUse;
use crate::object::{Context, Stream, StreamState};
use crate::store::SlotRef;

impl<H: Hal> Kernel<H> {
    pub(super) fn object_is_sound(&self, slot: SlotRef, cap: Cap) -> Checked {
        match cap {
            Cap::Untyped(untyped) => self.untyped_is_sound(slot, untyped),
            Cap::Thread(thread) => self.thread_is_sound(thread),
            Cap::Endpoint(endpoint) => self.endpoint_is_sound(endpoint.object),
            Cap::Notification(notification) => self.notification_is_sound(notification.object),
            Cap::Sid(stream) => {
                let Some(located) = self.locate(stream) else { return Ok(()) };
                let shadow = self.get(located.shadow);
                ensure(shadow.issued.get(), "streams-know-they-are-issued")?;
                let bound = matches!(self.cap(located.shadow.slot(Stream::CONTEXT)), Cap::Cb { .. });
                let free = matches!(shadow.state.get(), StreamState::Abort | StreamState::Bypassed);
                ensure(bound || free, "streams-without-a-context-abort-or-bypass")
            }
            Cap::Cb { context, bound: None } => {
                let Some(handle) = self.smmus.context(context) else { return Err("contexts-exist") };
                ensure(self.get(handle).issued.get(), "contexts-know-they-are-issued")?;
                let cap = self.cap(handle.slot(Context::VSPACE));
                let names = matches!(cap, Cap::VSpace(vspace) if vspace.bound == Some(context));
                ensure(cap == Cap::Null || names, "contexts-hold-a-binding-or-nothing")
            }
            Cap::Cb { context, bound: Some(stream) } => {
                let place = self.locate(stream).map(|located| located.shadow.slot(Stream::CONTEXT));
                ensure(place == Some(slot) && context.smmu == stream.smmu, "bindings-are-in-their-stream")
            }
            Cap::VSpace(vspace) => match vspace.bound {
                Some(context) => {
                    let place = self.smmus.context(context).map(|handle| handle.slot(Context::VSPACE));
                    ensure(place == Some(slot) && vspace.asid.is_some(), "bindings-are-in-their-context")
                }
                None => Ok(()),
            },
            Cap::Vcpu(vcpu) => {
                let knows = |thread| self.tcb(thread).vcpu.get() == Some(vcpu);
                ensure(self.get(vcpu).thread.get().is_none_or(knows), "processors-and-threads-agree")?;
                let forwards = (0..self.list_registers()).all(|index| {
                    let known = |intid| self.interrupts.get(intid) == InterruptUse::Forward(vcpu, index);
                    self.forwarded(vcpu, index).is_none_or(known)
                });
                ensure(forwards, "forwarded-interrupts-know-where-they-go")
            }
            Cap::IrqHandler(intid) => match self.interrupts.get(intid) {
                InterruptUse::Forward(vcpu, index) => {
                    ensure(self.forwarded(vcpu, index) == Some(intid), "list-registers-are-kept-for-what-is-forwarded")
                }
                InterruptUse::Signal => Ok(()),
                InterruptUse::Inactive
                | InterruptUse::Timer
                | InterruptUse::Smmu(_)
                | InterruptUse::VirtualTimer
                | InterruptUse::VgicMaintenance => Err("handlers-have-an-interrupt"),
            },
            Cap::Null => Err("lists-hold-no-empty-slots"),
            Cap::Reply(_)
            | Cap::Frame(_)
            | Cap::CNode(_)
            | Cap::IrqControl
            | Cap::Zombie(_)
            | Cap::Domain
            | Cap::PageTable(_)
            | Cap::AsidControl
            | Cap::AsidPool { .. }
            | Cap::SidControl
            | Cap::CbControl
            | Cap::StreamTable { .. }
            | Cap::SgiSignal(_) => Ok(()),
        }
    }

    /// What follows an Untyped and lies in it was made in its used part.
    fn untyped_is_sound(&self, slot: SlotRef, untyped: Untyped) -> Checked {
        ensure(untyped.used <= untyped.size(), "untyped-is-used-within-its-end")?;
        let child = self.first_descendant(slot).and_then(|child| memory(&self.cap(child)));
        let within = |(_, last): (u64, u64)| last < untyped.base.0 + untyped.used;
        ensure(child.is_none_or(within), "children-are-in-the-used-part")
    }
}
