//! A component's own objects: CNode, thread, VSpace, and the pages it starts with.

use sluice_abi::cap::cnode_data;
use sluice_abi::{CapRights, FrameSize, ObjectType, PAGE_SIZE, VmAttributes, WORD_BITS};
use sluice_manifest::{Perms, Start, layout, slot};
use sluice_spec::Component;
use sluice_sys::{CNode, Slot};

use super::builder::{Builder, DATA, READ_WRITE, Space};
use crate::Stop;
use crate::elf::{Image, Page};
use crate::kernel::{Invocation, Kernel};
use crate::plan::Plan;

/// The slots of a component's objects in the root CNode.
pub(super) struct Objects {
    cnode: u64,
    cnode_bits: u8,
    pub(super) thread: u64,
    pub(super) notification: u64,
    pub(super) space: Space,
    /// The frame of the lowest page of its stack; those of the others follow.
    pub(super) stack: u64,
    /// Capabilities of its devices' streams, before any is handed to it.
    pub(super) streams: alloc::vec::Vec<u64>,
}

impl Objects {
    /// A slot of the component's CNode.
    pub(super) fn slot(&self, index: u64) -> Slot {
        CNode::from(self.cnode).slot_at(index, self.cnode_bits)
    }
}

/// Makes the objects, but for the notification, which others signal whether or not the component lives, and hands the component the fixed capabilities.
pub(super) fn objects<K: Kernel>(
    builder: &mut Builder<K>,
    plan: &Plan,
    supervisor: (u64, u64),
    notification: u64,
) -> Result<Objects, Stop> {
    let who = plan.manifest.name.as_str();
    let cnode_bits = plan.manifest.cnode_bits;
    let cnode = builder.objects(who, ObjectType::CNode, u32::from(cnode_bits), 1)?;
    let thread = builder.object(who, ObjectType::Tcb)?;
    let space = builder.space(who)?;
    let objects = Objects { cnode, cnode_bits, thread, notification, space, stack: 0, streams: alloc::vec::Vec::new() };
    let all = CapRights::all();
    let guard = guard(cnode_bits);
    let to = |index| objects.slot(index);
    builder.invoke(who, Invocation::Mint { from: cnode, to: to(slot::CNODE), rights: all, badge: guard })?;
    builder.invoke(who, Invocation::Copy { from: thread, to: to(slot::TCB), rights: all })?;
    builder.invoke(who, Invocation::Copy { from: objects.space.vspace, to: to(slot::VSPACE), rights: all })?;
    builder.invoke(who, Invocation::Copy { from: notification, to: to(slot::NOTIFICATION), rights: READ_WRITE })?;
    let (endpoint, badge) = supervisor;
    let rights = CapRights::WRITE | CapRights::GRANT_REPLY;
    builder.invoke(who, Invocation::Mint { from: endpoint, to: to(slot::SUPERVISOR), rights, badge })?;
    Ok(objects)
}

/// Lays out image, stack, heap, IPC buffer and manifest, and readies the thread to run.
pub(super) fn start_state<K: Kernel>(
    builder: &mut Builder<K>,
    objects: &mut Objects,
    component: &Component,
    image: &Image<'_>,
    manifest: &[u8],
) -> Result<(), Stop> {
    let who = component.name.as_str();
    if manifest.len() as u64 > layout::MANIFEST_MAX {
        return Err(Stop::System("a manifest is longer than the space for it"));
    }
    let frames = builder.objects(who, ObjectType::SmallPage, 0, image.pages.len() as u64)?;
    for (page, frame) in image.pages.iter().zip(frames..) {
        place(builder, &mut objects.space, who, frame, page)?;
    }
    objects.stack = zeroes(builder, &mut objects.space, who, layout::STACK_TOP - component.stack, component.stack)?;
    heap(builder, &mut objects.space, who, component.heap)?;
    let read = Perms { read: true, write: false, execute: false };
    let chunks = manifest.chunks(PAGE_SIZE as usize).zip((layout::MANIFEST..).step_by(PAGE_SIZE as usize));
    for (bytes, vaddr) in chunks {
        let frame = builder.object(who, ObjectType::SmallPage)?;
        place(
            builder,
            &mut objects.space,
            who,
            frame,
            &Page { vaddr, perms: read, contents: alloc::vec![(0, bytes)] },
        )?;
    }
    let buffer = zeroes(builder, &mut objects.space, who, layout::IPC_BUFFER, PAGE_SIZE)?;

    let thread = objects.thread;
    builder.invoke(
        who,
        Invocation::Configure {
            thread,
            faults: slot::SUPERVISOR,
            cnode: objects.cnode,
            guard: guard(objects.cnode_bits),
            vspace: objects.space.vspace,
            buffer: sluice_abi::VirtAddr(layout::IPC_BUFFER),
            frame: buffer,
        },
    )?;
    builder.invoke(who, Invocation::SetPriority { thread, priority: component.priority })?;
    builder.invoke(who, Invocation::BindNotification { thread, notification: objects.notification })?;
    let start = Start { heap_bytes: component.heap, manifest_bytes: manifest.len() as u64 };
    let arguments = start.registers();
    builder.invoke(who, Invocation::WriteEntry { thread, entry: image.entry, stack: layout::STACK_TOP, arguments })
}

/// Guard that makes a pointer of 64 bits equal to the slot.
const fn guard(cnode_bits: u8) -> u64 {
    cnode_data(0, WORD_BITS - cnode_bits as u32)
}

fn place<K: Kernel>(
    builder: &mut Builder<K>,
    space: &mut Space,
    who: &str,
    frame: u64,
    page: &Page<'_>,
) -> Result<(), Stop> {
    builder.fill(who, frame, page)?;
    builder.map(who, space, frame, (page.vaddr, FrameSize::Small), (rights(page.perms), attributes(page.perms, true)))
}

/// Zeroed pages that can be written; the first frame.
fn zeroes<K: Kernel>(builder: &mut Builder<K>, space: &mut Space, who: &str, at: u64, size: u64) -> Result<u64, Stop> {
    let frames = builder.objects(who, ObjectType::SmallPage, 0, size / PAGE_SIZE)?;
    for (vaddr, frame) in (at..at + size).step_by(PAGE_SIZE as usize).zip(frames..) {
        builder.map(who, space, frame, (vaddr, FrameSize::Small), (READ_WRITE, DATA))?;
    }
    Ok(frames)
}

/// The heap starts aligned to large frames, and takes as many of them as fit.
fn heap<K: Kernel>(builder: &mut Builder<K>, space: &mut Space, who: &str, size: u64) -> Result<(), Stop> {
    let large = size >> FrameSize::Large.bits();
    let frames = builder.objects(who, ObjectType::LargePage, 0, large)?;
    for index in 0..large {
        let at = layout::HEAP + index * FrameSize::Large.bytes();
        builder.map(who, space, frames + index, (at, FrameSize::Large), (READ_WRITE, DATA))?;
    }
    let done = large * FrameSize::Large.bytes();
    zeroes(builder, space, who, layout::HEAP + done, size - done).map(drop)
}

pub(super) fn rights(perms: Perms) -> CapRights {
    let mut rights = CapRights::empty();
    rights.set(CapRights::READ, perms.read);
    rights.set(CapRights::WRITE, perms.write);
    rights
}

pub(super) fn attributes(perms: Perms, cached: bool) -> VmAttributes {
    let mut attributes = VmAttributes::PARITY;
    attributes.set(VmAttributes::CACHEABLE, cached);
    attributes.set(VmAttributes::EXECUTE_NEVER, !perms.execute);
    attributes
}
