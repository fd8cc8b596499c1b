//! Frames, tables, VSpaces and ASID pools.

use sluice_abi::PhysAddr;

use super::super::invocation::MemoryInvocation;
use super::super::reply::Outcome;
use crate::Kernel;
use crate::cap::{Cap, Frame, PageTable, Untyped, VSpace};
use crate::error::Preempted;
use crate::hal::{CacheOp, Hal};
use crate::object::{AsidPool, Tcb};
use crate::store::Handle;

/// Bytes of cache maintenance between two looks for interrupts.
const MAINTAIN_STEP: u64 = 1 << 12;

impl<H: Hal> Kernel<H> {
    pub(in crate::syscall) fn invoke_memory(
        &mut self,
        thread: Handle<Tcb>,
        invocation: MemoryInvocation,
    ) -> Result<Outcome, Preempted> {
        match invocation {
            MemoryInvocation::MapFrame { slot, frame, mapping, entry_at, word, old } => {
                self.slot(slot).write(Frame { mapped: Some(mapping), ..frame });
                self.map_frame(mapping, &frame, entry_at, word, old);
            }
            MemoryInvocation::UnmapFrame { slot, frame } => {
                if let Some(mapping) = frame.mapped {
                    self.unmap_frame(mapping, &frame);
                }
                self.slot(slot).write(Frame { mapped: None, ..frame });
            }
            MemoryInvocation::MapTable { slot, table, mapping, entry_at, word } => {
                self.slot(slot).set_cap(Cap::PageTable(PageTable { mapped: Some(mapping), ..table }));
                self.map_table(entry_at, word);
            }
            MemoryInvocation::UnmapTable { slot, table } => {
                if let Some(mapping) = table.mapped {
                    self.unmap_table(mapping, table.base);
                    self.hal.clear(table.base, sluice_abi::PAGE_SIZE);
                }
                self.slot(slot).set_cap(Cap::PageTable(PageTable { mapped: None, ..table }));
            }
            MemoryInvocation::Maintain { operation, at, bytes } => self.maintain(thread, operation, at, bytes)?,
            MemoryInvocation::Nothing => {}
            MemoryInvocation::GetAddress(address) => return Ok(Outcome::word(address.0)),
            MemoryInvocation::MakePool { untyped, at, base, dest } => {
                if let Some(parent) = self.read::<Untyped>(untyped) {
                    self.slot(untyped).write(Untyped { used: parent.size(), ..parent });
                }
                self.hal.clear(at, sluice_abi::PAGE_SIZE);
                let pool = self.hal.create::<AsidPool>(at);
                self.insert(Cap::AsidPool { pool, base }, untyped, dest);
                self.spaces.set_pool(base, Some(pool));
            }
            MemoryInvocation::AssignAsid { asid, slot, vspace, .. } => {
                self.slot(slot).write(VSpace { asid: Some(asid), ..vspace });
                self.assign_asid(asid, vspace.root);
            }
        }
        Ok(Outcome::Done)
    }

    /// Cache maintenance of any size. What is done already when an interrupt waits is not done again: the first message
    /// word, where the range starts, moves on in the caller's register.
    fn maintain(&mut self, thread: Handle<Tcb>, operation: CacheOp, at: PhysAddr, bytes: u64) -> Result<(), Preempted> {
        let mut done = 0;
        loop {
            // To the end of a step that starts at a multiple of its size, so that no line is done twice.
            let step = (MAINTAIN_STEP - (at.0 + done) % MAINTAIN_STEP).min(bytes - done);
            self.hal.maintain(operation, at.offset(done), step);
            done += step;
            if done == bytes {
                return Ok(());
            }
            if let Err(preempted) = self.preemption_point() {
                let start = &self.tcb(thread).context.x[2];
                start.set(start.get() + done);
                return Err(preempted);
            }
        }
    }
}
