//! The guest's objects: its address space, its processors, and the one capability it holds.

use alloc::vec::Vec;

use sluice_abi::cap::cnode_data;
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{CPtr, CapRights, ObjectType, VirtAddr, VmAttributes, WORD_BITS};
use sluice_manifest::slot;
use sluice_rt::{Env, RtError, Tables};
use sluice_sys::{CNode, Endpoint, Frame, Tcb, Untyped, VSpace, Vcpu};

/// log2 of the slots of the guest's CNode: one fault endpoint for each processor, from slot 1 on.
const CNODE_BITS: u8 = 4;
/// Name of the Untyped that everything here is made of.
const OBJECTS: &str = "objects";
/// Multiprocessor format, one processor (MPIDR_EL1: bit 31 is RES1).
const MPIDR: u64 = 1 << 31;

/// A virtual processor and the thread that runs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processor {
    pub(crate) thread: Tcb,
    pub(crate) vcpu: Vcpu,
}

/// A guest that does not run yet.
pub(crate) struct Guest<'a> {
    env: &'a Env,
    pub(crate) space: VSpace,
    /// Where faults arrive, each with the number of its processor plus one.
    pub(crate) endpoint: Endpoint,
    pub(crate) processors: Vec<Processor>,
    memory: Untyped,
}

impl<'a> Guest<'a> {
    /// A guest of `count` processors with an empty address space.
    pub(crate) fn new(env: &'a Env, count: usize, priority: u8) -> Result<Self, RtError> {
        let memory = env.untyped(OBJECTS)?.cap;
        let make = |object: ObjectType, bits: u32| -> Result<u64, RtError> {
            let place = env.slots().take()?;
            let to = CNode::from(slot::CNODE).from_offset(place.index);
            memory.retype(object, bits, to, 1).map_err(RtError::refused("make an object of the guest"))?;
            Ok(place.index)
        };
        let space = VSpace::from(make(ObjectType::VSpace, 0)?);
        env.asid_pool()?.assign(space).map_err(RtError::refused("assign an ASID"))?;
        let endpoint = make(ObjectType::Endpoint, 0)?;
        let cnode = make(ObjectType::CNode, u32::from(CNODE_BITS))?;
        let mut processors = Vec::new();
        for number in 0..count as u64 {
            let thread = Tcb::from(make(ObjectType::Tcb, 0)?);
            let vcpu = Vcpu::from(make(ObjectType::Vcpu, 0)?);
            // A guest's `hvc` is a system call with registers that it chose. All it can name is this: it can send to
            // its VMM what looks like a fault of its own, and give no capability away, having none.
            let handler = CNode::from(cnode).slot_at(number + 1, CNODE_BITS);
            let own = CNode::from(slot::CNODE).slot(endpoint);
            let rights = CapRights::WRITE | CapRights::GRANT_REPLY;
            handler.mint_from(own, rights, number + 1).map_err(RtError::refused("mint the fault endpoint"))?;
            let guard = cnode_data(0, WORD_BITS - u32::from(CNODE_BITS));
            let space = thread.set_space(CPtr(number + 1), CNode::from(cnode), guard, space);
            space.map_err(RtError::refused("configure a processor's thread"))?;
            let authority = Tcb::from(slot::TCB);
            let scheduled = thread.set_sched_params(authority, 0, priority);
            scheduled.map_err(RtError::refused("set a processor's priority"))?;
            vcpu.set_tcb(thread).map_err(RtError::refused("make a thread a processor"))?;
            let number = vcpu.write_register(VcpuRegister::VmpidrEl2, MPIDR | number);
            number.map_err(RtError::refused("number a processor"))?;
            processors.push(Processor { thread, vcpu });
        }
        Ok(Self { env, space, endpoint: Endpoint::from(endpoint), processors, memory })
    }

    /// Maps a frame for the guest.
    pub(crate) fn map(
        &self,
        frame: Frame,
        at: u64,
        rights: CapRights,
        attributes: VmAttributes,
    ) -> Result<(), RtError> {
        let tables = Tables::new(self.memory, self.env.slots());
        tables.map(frame, self.space, VirtAddr(at), rights, attributes)
    }

    /// Maps the frames of the region `name` one after the other from `base` on: memory of the guest's own.
    pub(crate) fn map_memory(&self, name: &str, base: u64) -> Result<(), RtError> {
        let (frames, size_bits) = self.env.region_frames(name)?;
        for (frame, index) in frames.zip(0..) {
            self.map(frame, base + (index << size_bits), CapRights::READ | CapRights::WRITE, VmAttributes::DEFAULT)?;
        }
        Ok(())
    }
}
