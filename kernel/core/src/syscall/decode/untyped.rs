//! `Untyped_Retype`.

use sluice_abi::{
    Label, LookupFailure, MAX_UNTYPED_BITS, MIN_UNTYPED_BITS, ObjectType, RETYPE_FAN_OUT_LIMIT, WORD_BITS,
};

use super::{Decoded, Request};
use crate::Kernel;
use crate::cap::{CNode, Cap, Untyped};
use crate::error::SyscallError;
use crate::hal::Hal;
use crate::store::SlotRef;
use crate::untyped::Retype;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn decode_untyped(
        &self,
        request: &Request,
        label: Option<Label>,
        untyped: Untyped,
    ) -> Decoded<Retype> {
        if label != Some(Label::UntypedRetype) {
            return Err(SyscallError::IllegalOperation);
        }
        Self::expect(request, 6, 1)?;
        let word = |index| self.word(request, index);
        let (kind, user_bits, node_index, node_depth) = (word(0), word(1), word(2), word(3));
        let (object, object_bits, user_bits) = object_size(kind, user_bits)?;
        let node = self.destination_node(request, node_index, node_depth)?;
        let (dest, count) = self.window(node, word(4), word(5))?;

        let reset = self.ensure_childless(request.slot).is_ok();
        let used = if reset { 0 } else { untyped.used };
        let free = untyped.size() - used;
        if free >> object_bits < count {
            return Err(SyscallError::NotEnoughMemory(free));
        }
        if untyped.device && object != ObjectType::Untyped && object.frame_size().is_none() {
            return Err(SyscallError::InvalidArgument(1));
        }
        let offset = used.next_multiple_of(1 << object_bits);
        Ok(Retype { source: request.slot, reset, object, user_bits, offset, dest, count })
    }

    fn destination_node(&self, request: &Request, index: u64, depth: u64) -> Decoded<CNode> {
        let slot = Self::extra_slot(request, 0)?;
        let cap = match depth {
            0 => self.cap(slot),
            _ => self.cap(self.lookup_argument(false, self.read(slot), index, depth)?),
        };
        match cap {
            Cap::CNode(node) => Ok(node),
            _ => Err(SyscallError::target(LookupFailure::MissingCapability { bits_left: depth })),
        }
    }

    /// The first of `count` empty slots from `offset` of a CNode.
    fn window(&self, node: CNode, offset: u64, count: u64) -> Decoded<(SlotRef, u64)> {
        let slots = 1u64 << node.radix;
        if offset > slots - 1 {
            return Err(SyscallError::Range { min: 0, max: slots - 1 });
        }
        if !(1..=RETYPE_FAN_OUT_LIMIT).contains(&count) {
            return Err(SyscallError::Range { min: 1, max: RETYPE_FAN_OUT_LIMIT });
        }
        if count > slots - offset {
            return Err(SyscallError::Range { min: 1, max: slots - offset });
        }
        let first = SlotRef::new(node.base).nth(offset);
        for index in 0..count {
            self.ensure_empty(first.nth(index))?;
        }
        Ok((first, count))
    }
}

/// Kind, log2 of the bytes, and the size argument, all checked.
fn object_size(kind: u64, user_bits: u64) -> Decoded<(ObjectType, u32, u32)> {
    let object = ObjectType::from_word(kind).ok_or(SyscallError::InvalidArgument(0))?;
    let too_large = SyscallError::Range { min: 0, max: MAX_UNTYPED_BITS.into() };
    let user_bits = u32::try_from(user_bits).ok().filter(|bits| *bits < WORD_BITS).ok_or(too_large)?;
    let object_bits = object.size_bits(user_bits);
    if object_bits > MAX_UNTYPED_BITS {
        return Err(too_large);
    }
    let too_small = match object {
        ObjectType::CNode => user_bits == 0,
        ObjectType::Untyped => user_bits < MIN_UNTYPED_BITS,
        _ => false,
    };
    if too_small { Err(SyscallError::InvalidArgument(1)) } else { Ok((object, object_bits, user_bits)) }
}
