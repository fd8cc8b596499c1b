//! What a copy of a capability is: fewer rights, new data, and what cannot be copied at all.

use sluice_abi::{CapRights, WORD_BITS};

use super::{CNode, Cap, EndpointCap, Frame, NotificationCap, PageTable, Reply, VSpace};

/// What copying a capability gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Derivation {
    /// This.
    Cap(Cap),
    /// This, but only if the source has no descendants (Untyped).
    IfChildless(Cap),
    /// Nothing: the kind cannot be copied.
    Null,
    /// An error: the object is not in a state in which its capability can be copied.
    Illegal,
}

/// The capability with its rights reduced to those in `mask`.
#[expect(clippy::wildcard_enum_match_arm, reason = "kinds without rights stay as they are")]
#[must_use]
pub fn mask_rights(cap: Cap, mask: CapRights) -> Cap {
    match cap {
        Cap::Endpoint(cap) => Cap::Endpoint(EndpointCap { rights: cap.rights & mask, ..cap }),
        Cap::Notification(cap) => Cap::Notification(NotificationCap { rights: cap.rights & mask, ..cap }),
        Cap::Reply(reply) => Cap::Reply(Reply { grant: reply.grant && mask.contains(CapRights::GRANT), ..reply }),
        Cap::Frame(frame) => Cap::Frame(Frame { rights: frame_rights(frame.rights & mask), ..frame }),
        other => other,
    }
}

/// A frame's rights are read-write, read-only or none (kernel only): write without read counts as none.
#[must_use]
pub(crate) fn frame_rights(rights: CapRights) -> CapRights {
    if rights.contains(CapRights::READ) { rights & (CapRights::READ | CapRights::WRITE) } else { CapRights::empty() }
}

/// The capability with new data: a badge, or a guard. [`Cap::Null`] where that is not possible.
///
/// With `preserve` (a move rather than a copy) a badge can never be set.
#[expect(clippy::wildcard_enum_match_arm, reason = "kinds without data stay as they are")]
#[must_use]
pub fn update_data(preserve: bool, data: u64, cap: Cap) -> Cap {
    match cap {
        Cap::Endpoint(cap) if !preserve && cap.badge == 0 => Cap::Endpoint(EndpointCap { badge: data, ..cap }),
        Cap::Notification(cap) if !preserve && cap.badge == 0 => {
            Cap::Notification(NotificationCap { badge: data, ..cap })
        }
        Cap::Endpoint(_) | Cap::Notification(_) => Cap::Null,
        Cap::CNode(cnode) => {
            let guard_bits = (data & 0x3f) as u8;
            if u32::from(guard_bits) + u32::from(cnode.radix) > WORD_BITS {
                return Cap::Null;
            }
            let mask = (1u64 << guard_bits) - 1;
            Cap::CNode(CNode { guard: data >> 6 & mask, guard_bits, ..cnode })
        }
        other => other,
    }
}

/// What a copy of `cap` would be.
#[must_use]
pub fn derivation(cap: Cap) -> Derivation {
    match cap {
        Cap::Null | Cap::Zombie(_) | Cap::IrqControl | Cap::Reply(_) | Cap::SidControl | Cap::CbControl => {
            Derivation::Null
        }
        Cap::Untyped(_) => Derivation::IfChildless(cap),
        Cap::VSpace(VSpace { asid: None, .. })
        | Cap::PageTable(PageTable { mapped: None, .. })
        | Cap::StreamTable { mapped: None, .. } => Derivation::Illegal,
        Cap::VSpace(vspace) => Derivation::Cap(Cap::VSpace(VSpace { bound: None, ..vspace })),
        Cap::Frame(frame) => Derivation::Cap(Cap::Frame(Frame { mapped: None, ..frame })),
        Cap::Cb { context, .. } => Derivation::Cap(Cap::Cb { context, bound: None }),
        Cap::Endpoint(_)
        | Cap::Notification(_)
        | Cap::CNode(_)
        | Cap::Thread(_)
        | Cap::IrqHandler(_)
        | Cap::Domain
        | Cap::PageTable(_)
        | Cap::AsidControl
        | Cap::AsidPool { .. }
        | Cap::Sid(_)
        | Cap::Vcpu(_)
        | Cap::SgiSignal(_)
        | Cap::StreamTable { .. } => Derivation::Cap(cap),
    }
}
