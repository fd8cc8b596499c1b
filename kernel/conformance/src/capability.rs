//! What a capability of the kernel is in the abstract machine.

use sluice_abstract::{Asid, Cap, Mapping, rights};
use sluice_core::cap as concrete;

/// The abstract capability; none for an empty slot and for an object that is being deleted, which only the kernel's state tells of.
#[must_use]
pub fn capability(cap: &concrete::Cap) -> Option<Cap> {
    let mapped = |mapping: Option<concrete::Mapping>| {
        mapping.map(|mapping| Mapping { asid: Asid(mapping.asid().0), at: mapping.vaddr() })
    };
    Some(match *cap {
        concrete::Cap::Untyped(cap) => {
            Cap::Untyped { base: cap.base, bits: cap.bits.into(), device: cap.device, used: cap.used }
        }
        concrete::Cap::Endpoint(cap) => {
            Cap::Endpoint { object: cap.object.at(), badge: cap.badge, rights: rights(cap.rights.bits()) }
        }
        concrete::Cap::Notification(cap) => {
            Cap::Notification { object: cap.object.at(), badge: cap.badge, rights: rights(cap.rights.bits()) }
        }
        concrete::Cap::CNode(cap) => {
            Cap::CNode { base: cap.base, radix: cap.radix.into(), guard: cap.guard, guard_bits: cap.guard_bits.into() }
        }
        concrete::Cap::Thread(thread) => Cap::Thread(thread.at()),
        concrete::Cap::Frame(cap) => Cap::Frame {
            base: cap.base,
            size: cap.size,
            rights: rights(cap.rights.bits()),
            device: cap.device,
            mapped: mapped(cap.mapped),
        },
        concrete::Cap::PageTable(cap) => Cap::PageTable { base: cap.base, mapped: mapped(cap.mapped) },
        concrete::Cap::VSpace(cap) => Cap::VSpace { root: cap.root, asid: cap.asid.map(|asid| Asid(asid.0)) },
        concrete::Cap::AsidControl => Cap::AsidControl,
        concrete::Cap::AsidPool { pool, base } => Cap::AsidPool { pool: pool.at(), base: Asid(base.0) },
        concrete::Cap::SidControl => Cap::SidControl,
        concrete::Cap::Sid(stream) => Cap::Sid(stream),
        concrete::Cap::CbControl => Cap::CbControl,
        concrete::Cap::Cb { context, .. } => Cap::Cb(context),
        concrete::Cap::StreamTable { base, mapped } => Cap::StreamTable { base, mapped },
        concrete::Cap::IrqControl => Cap::IrqControl,
        concrete::Cap::IrqHandler(intid) => Cap::IrqHandler(intid),
        concrete::Cap::Domain => Cap::Domain,
        concrete::Cap::Vcpu(vcpu) => Cap::Vcpu(vcpu.at()),
        concrete::Cap::SgiSignal(signal) => Cap::SgiSignal { intid: signal.intid, target: signal.target },
        concrete::Cap::Reply(reply) => {
            Cap::Reply { caller: reply.caller.at(), master: reply.master, grant: reply.grant }
        }
        concrete::Cap::Null | concrete::Cap::Zombie(_) => return None,
    })
}
