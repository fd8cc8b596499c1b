//! The guest's objects: its address space, its processors, and the one capability it holds.

use alloc::vec::Vec;

use alloc::string::ToString;

use sluice_abi::cap::cnode_data;
use sluice_abi::vcpu::VcpuRegister;
use sluice_abi::{CPtr, CapRights, ObjectType, PhysAddr, VirtAddr, VmAttributes, WORD_BITS};
use sluice_canary::{CHANNEL, Vault};
use sluice_manifest::slot;
use sluice_rt::{Env, Memory, RtError, Tables};
use sluice_sys::{CNode, Endpoint, Frame, Slot, Tcb, Untyped, VSpace, Vcpu};
use sluice_vmm::layout::Range;
use sluice_vmm::processor::Processor;

use crate::error::Error;

/// log2 of the slots of the guest's CNode: one fault endpoint for each processor, from slot 1 on.
const CNODE_BITS: u8 = 4;
/// Name of the Untyped that everything here is made of.
const OBJECTS: &str = "objects";
/// log2 of the bytes that the processors are made of: 6 KiB for each of eight at most.
const PROCESSORS_BITS: u32 = 16;

/// A virtual processor and the thread that runs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub(crate) thread: Tcb,
    pub(crate) vcpu: Vcpu,
}

/// A guest that does not run yet.
pub(crate) struct Guest<'a> {
    env: &'a Env,
    pub(crate) space: VSpace,
    /// Where faults arrive, each with the number of its processor plus one.
    pub(crate) endpoint: Endpoint,
    cnode: CNode,
    memory: Untyped,
    /// Memory of the processors, so that they can be made anew.
    processors: Untyped,
    slots: Vec<(Slot, Slot)>,
    priority: u8,
}

/// Makes an object in a slot of the VMM's CNode.
fn make(memory: Untyped, object: ObjectType, bits: u32, to: Slot) -> Result<u64, RtError> {
    let place = CNode::from(slot::CNODE).from_offset(to.index);
    memory.retype(object, bits, place, 1).map_err(RtError::refused("make an object of the guest"))?;
    Ok(to.index)
}

impl<'a> Guest<'a> {
    /// A guest of `count` processors that are yet to be made, with an empty address space.
    pub(crate) fn new(env: &'a Env, count: usize, priority: u8) -> Result<Self, RtError> {
        let memory = env.untyped(OBJECTS)?.cap;
        let new = |object, bits| make(memory, object, bits, env.slots().take()?);
        let processors = Untyped::from(new(ObjectType::Untyped, PROCESSORS_BITS)?);
        let space = VSpace::from(new(ObjectType::VSpace, 0)?);
        env.asid_pool()?.assign(space).map_err(RtError::refused("assign an ASID"))?;
        let endpoint = new(ObjectType::Endpoint, 0)?;
        let cnode = CNode::from(new(ObjectType::CNode, u32::from(CNODE_BITS))?);
        let mut slots = Vec::new();
        for number in 0..count as u64 {
            // A guest's `hvc` is a system call with registers that it chose. All it can name is this: it can send to
            // its VMM what looks like a fault of its own, and give no capability away, having none.
            let handler = cnode.slot_at(number + 1, CNODE_BITS);
            let own = CNode::from(slot::CNODE).slot(endpoint);
            let rights = CapRights::WRITE | CapRights::GRANT_REPLY;
            handler.mint_from(own, rights, number + 1).map_err(RtError::refused("mint the fault endpoint"))?;
            slots.push((env.slots().take()?, env.slots().take()?));
        }
        Ok(Self { env, space, endpoint: Endpoint::from(endpoint), cnode, memory, processors, slots, priority })
    }

    /// Ends all processors.
    pub(crate) fn take_processors(&self) -> Result<(), RtError> {
        let memory = CNode::from(slot::CNODE).slot(self.processors.cptr().0);
        memory.revoke().map_err(RtError::refused("take processors back"))
    }

    /// New processors, none of which runs; those there were are gone.
    pub(crate) fn make_processors(&self) -> Result<Vec<Cpu>, RtError> {
        self.take_processors()?;
        let all = Processor::first(self.slots.len()).zip(&self.slots);
        all.map(|(processor, slots)| self.make_processor(processor, *slots)).collect()
    }

    fn make_processor(&self, processor: Processor, (thread, vcpu): (Slot, Slot)) -> Result<Cpu, RtError> {
        let thread = Tcb::from(make(self.processors, ObjectType::Tcb, 0, thread)?);
        let vcpu = Vcpu::from(make(self.processors, ObjectType::Vcpu, 0, vcpu)?);
        let handler = CPtr(processor.index() as u64 + 1);
        let guard = cnode_data(0, WORD_BITS - u32::from(CNODE_BITS));
        let space = thread.set_space(handler, self.cnode, guard, self.space);
        space.map_err(RtError::refused("configure a processor's thread"))?;
        let scheduled = thread.set_sched_params(Tcb::from(slot::TCB), 0, self.priority);
        scheduled.map_err(RtError::refused("set a processor's priority"))?;
        vcpu.set_tcb(thread).map_err(RtError::refused("make a thread a processor"))?;
        let number = vcpu.write_register(VcpuRegister::VmpidrEl2, processor.mpidr());
        number.map_err(RtError::refused("number a processor"))?;
        Ok(Cpu { thread, vcpu })
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

    /// Frames for the first page of each half of a register range: the VMM writes them, the guest reads them.
    pub(crate) fn register_pages(&self, range: Range) -> Result<[Memory; 2], RtError> {
        let page = |at: u64| -> Result<Memory, RtError> {
            let own = make(self.memory, ObjectType::SmallPage, 0, self.env.slots().take()?)?;
            let place = self.env.slots().take()?;
            let original = CNode::from(slot::CNODE).slot(own);
            place.copy_from(original, CapRights::all()).map_err(RtError::refused("copy a frame"))?;
            let read_only = VmAttributes::DEFAULT | VmAttributes::EXECUTE_NEVER;
            self.map(Frame::from(place.index), at, CapRights::READ, read_only)?;
            self.env.map_page(Frame::from(own), &Tables::new(self.memory, self.env.slots()))
        };
        Ok([page(range.base)?, page(range.base + range.size / 2)?])
    }

    /// A page that the VMM makes of its Untyped `name` and does not show the guest, and where it is in the machine.
    pub(crate) fn page_of_vmm(&self, name: &str) -> Result<(Memory, PhysAddr), RtError> {
        let memory = self.env.untyped(name)?.cap;
        let frame = Frame::from(make(memory, ObjectType::SmallPage, 0, self.env.slots().take()?)?);
        let at = frame.get_address().map_err(RtError::refused("find a frame"))?;
        Ok((self.env.map_page(frame, &Tables::new(self.memory, self.env.slots()))?, at))
    }

    /// Makes a page of the VMM's Untyped `name`, maps it for the guest behind its memory, at `at`, and has the keeper of canaries
    /// fill and watch it.
    pub(crate) fn lend(&self, name: &str, at: u64) -> Result<(), Error> {
        let memory = self.env.untyped(name)?.cap;
        let own = make(memory, ObjectType::SmallPage, 0, self.env.slots().take()?)?;
        let place = self.env.slots().take()?;
        let original = CNode::from(slot::CNODE).slot(own);
        place.copy_from(original, CapRights::all()).map_err(RtError::refused("copy a frame"))?;
        self.map(Frame::from(place.index), at, CapRights::READ | CapRights::WRITE, VmAttributes::DEFAULT)?;
        let vault = Vault(self.env.channel_client(CHANNEL)?);
        vault.adopt(Frame::from(own)).map_err(|error| error.to_string())?;
        Ok(())
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
