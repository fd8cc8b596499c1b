//! Making objects.

use sluice_abi::{
    FrameSize, LookupFailure, MAX_UNTYPED_BITS, MIN_UNTYPED_BITS, ObjectType, PhysAddr, RETYPE_FAN_OUT_LIMIT,
};

use crate::step::Stepped;
use crate::{Cap, Object, Refused, Rights, Slot, State, Thread, Vcpu};

impl State {
    pub(crate) fn retype(
        &self,
        untyped: Slot,
        kind: ObjectType,
        bits: u32,
        node: PhysAddr,
        offset: u64,
        count: u64,
    ) -> Stepped {
        let Cap::Untyped { base, bits: size, device, used } = self.invoked(untyped)? else {
            return Err(Refused::IllegalOperation);
        };
        let object_bits = size_bits(kind, bits)?;
        self.expect_window(node, offset, count)?;
        // Memory without a child starts over.
        let used = if self.children(untyped).next().is_none() { 0 } else { used };
        let free = (1 << size) - used;
        if free >> object_bits < count {
            return Err(Refused::NotEnoughMemory(free));
        }
        if device && kind != ObjectType::Untyped && kind.frame_size().is_none() {
            return Err(Refused::InvalidArgument(1));
        }
        let first = used.next_multiple_of(1 << object_bits);
        let used = first + (count << object_bits);
        Ok(self.changed(|after| {
            if let Some(held) = after.slots.get_mut(&untyped) {
                held.cap = Cap::Untyped { base, bits: size, device, used };
            }
            for index in 0..count {
                let at = base.offset(first + (index << object_bits));
                let (cap, object) = new_object(kind, bits, at, device);
                if let Some(object) = object {
                    after.objects.insert(at, object);
                }
                after.insert_child(untyped, cap, Slot::Node { node, index: offset + index });
            }
        }))
    }

    fn expect_window(&self, node: PhysAddr, offset: u64, count: u64) -> Result<(), Refused> {
        let Some(Object::CNode { radix }) = self.objects.get(&node) else {
            return Err(Refused::target(LookupFailure::InvalidRoot));
        };
        let slots = 1u64 << radix;
        if offset >= slots {
            return Err(Refused::Range { min: 0, max: slots - 1 });
        }
        let max = if (1..=RETYPE_FAN_OUT_LIMIT).contains(&count) { slots - offset } else { RETYPE_FAN_OUT_LIMIT };
        if !(1..=max).contains(&count) {
            return Err(Refused::Range { min: 1, max });
        }
        (offset..offset + count).try_for_each(|index| self.expect_empty(Slot::Node { node, index }))
    }
}

fn size_bits(kind: ObjectType, bits: u32) -> Result<u32, Refused> {
    if bits >= u64::BITS || kind.size_bits(bits) > MAX_UNTYPED_BITS {
        return Err(Refused::Range { min: 0, max: MAX_UNTYPED_BITS.into() });
    }
    let too_small = kind == ObjectType::CNode && bits == 0 || kind == ObjectType::Untyped && bits < MIN_UNTYPED_BITS;
    if too_small { Err(Refused::InvalidArgument(1)) } else { Ok(kind.size_bits(bits)) }
}

fn new_object(kind: ObjectType, bits: u32, at: PhysAddr, device: bool) -> (Cap, Option<Object>) {
    let frame = |size: FrameSize| {
        let cap = Cap::Frame { base: at, size, rights: Rights::READ_WRITE, device, mapped: None };
        (cap, Some(Object::Frame(size)))
    };
    match kind {
        ObjectType::Untyped => (Cap::Untyped { base: at, bits, device, used: 0 }, None),
        ObjectType::Tcb => (Cap::Thread(at), Some(Object::Thread(Thread::new()))),
        ObjectType::Endpoint => (Cap::Endpoint { object: at, badge: 0, rights: Rights::ALL }, Some(Object::ENDPOINT)),
        ObjectType::Notification => {
            let cap = Cap::Notification { object: at, badge: 0, rights: Rights::READ_WRITE };
            (cap, Some(Object::NOTIFICATION))
        }
        ObjectType::CNode => {
            (Cap::CNode { base: at, radix: bits, guard: 0, guard_bits: 0 }, Some(Object::CNode { radix: bits }))
        }
        ObjectType::SmallPage => frame(FrameSize::Small),
        ObjectType::LargePage => frame(FrameSize::Large),
        ObjectType::HugePage => frame(FrameSize::Huge),
        ObjectType::PageTable => (Cap::PageTable { base: at, mapped: None }, Some(Object::PageTable)),
        ObjectType::VSpace => (Cap::VSpace { root: at, asid: None }, Some(Object::VSpace)),
        ObjectType::Vcpu => (Cap::Vcpu(at), Some(Object::Vcpu(Vcpu::new()))),
        ObjectType::StreamTable => (Cap::StreamTable { base: at, mapped: None }, Some(Object::StreamTable)),
    }
}
