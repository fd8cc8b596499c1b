//! Address spaces: ASIDs, the tags of the CPU's TLB, and the tables that CPU and SMMU walk together.
//!
//! Whoever removes or changes a mapping here has removed it from every TLB when the invocation ends: the CPU's under the
//! VSpace's VMID, and each SMMU's under the tag of every context the VSpace is assigned to.

use sluice_abi::{ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS, FrameSize, PAGE_BITS, PhysAddr, VirtAddr};
use sluice_paging::{Entry, Format, Found, lookup};

use crate::Kernel;
use crate::cap::{Asid, Frame, Mapping, PageTable, VSpace};
use crate::error::Preempted;
use crate::hal::Hal;
use crate::iommu::Extent;
use crate::object::{AsidEntry, AsidPool, Context, Tcb, TcbSlot};
use crate::store::{Handle, Store};

const POOLS: usize = 1 << ASID_POOL_COUNT_BITS;
const POOL_SIZE: u16 = 1 << ASID_POOL_INDEX_BITS;
const VMIDS: usize = 1 << 8;
/// Tag of the empty VSpace.
const EMPTY_VMID: u8 = 0;

/// Which pools exist, and who has which CPU tag.
pub(crate) struct AddressSpaces {
    pools: [Option<Handle<AsidPool>>; POOLS],
    // Tag 0 is the empty VSpace's.
    owners: [Option<Asid>; VMIDS],
    next_vmid: u8,
    /// The tag in use.
    loaded: u8,
    empty_root: PhysAddr,
}

impl AddressSpaces {
    pub(crate) const fn new(empty_root: PhysAddr) -> Self {
        Self { pools: [None; POOLS], owners: [None; VMIDS], next_vmid: 1, loaded: EMPTY_VMID, empty_root }
    }

    /// The first ASID of a pool that does not exist yet.
    pub(crate) fn free_pool(&self) -> Option<Asid> {
        let index = self.pools.iter().position(Option::is_none)?;
        Some(Asid((index as u16) << ASID_POOL_INDEX_BITS))
    }

    pub(crate) fn pool(&self, base: Asid) -> Option<Handle<AsidPool>> {
        self.pools.get(pool_index(base)).copied().flatten()
    }

    pub(crate) fn set_pool(&mut self, base: Asid, pool: Option<Handle<AsidPool>>) {
        if let Some(entry) = self.pools.get_mut(pool_index(base)) {
            *entry = pool;
        }
    }

    /// The entry of an ASID.
    pub(crate) fn entry(&self, store: &impl Store, asid: Asid) -> Option<AsidEntry> {
        store.get(self.pool(asid)?).entry(entry_index(asid))
    }

    /// Who has a CPU tag.
    pub(crate) fn owner(&self, vmid: u8) -> Option<Asid> {
        self.owners[usize::from(vmid)]
    }

    pub(crate) fn set_entry(&self, store: &impl Store, asid: Asid, entry: Option<AsidEntry>) {
        if let Some(pool) = self.pool(asid) {
            store.get(pool).set_entry(entry_index(asid), entry);
        }
    }
}

const fn pool_index(asid: Asid) -> usize {
    (asid.0 >> ASID_POOL_INDEX_BITS) as usize
}

const fn entry_index(asid: Asid) -> usize {
    (asid.0 & (POOL_SIZE - 1)) as usize
}

impl<H: Hal> Kernel<H> {
    /// The root table an ASID names.
    pub(crate) fn root_of(&self, asid: Asid) -> Option<PhysAddr> {
        self.spaces.entry(&self.hal, asid).map(|entry| entry.root)
    }

    /// The format of the tables of an ASID's VSpace.
    pub(crate) fn format_of(&self, asid: Asid) -> Format {
        self.spaces.entry(&self.hal, asid).map_or(Format::STAGE2, |entry| entry.format)
    }

    /// Whether nothing is mapped in an ASID's VSpace, and neither a CPU nor an SMMU has translated with it.
    pub(crate) fn is_untouched(&self, asid: Asid) -> bool {
        self.spaces.entry(&self.hal, asid).is_some_and(|AsidEntry { root, vmid, contexts, .. }| {
            let words = sluice_abi::PAGE_SIZE / 8;
            vmid.is_none() && contexts.is_none() && (0..words).all(|word| self.hal.load(root.offset(8 * word)) == 0)
        })
    }

    /// The first ASID of a pool that nothing has; ASID 0 is never given out.
    pub(crate) fn free_asid(&self, pool: Handle<AsidPool>, base: Asid) -> Option<Asid> {
        (0..POOL_SIZE)
            .map(|index| Asid(base.0 + index))
            .find(|asid| asid.0 != 0 && self.get(pool).entry(entry_index(*asid)).is_none())
    }

    /// Gives a VSpace its ASID.
    pub(crate) fn assign_asid(&mut self, asid: Asid, root: PhysAddr) {
        let entry = AsidEntry { root, vmid: None, contexts: None, format: Format::STAGE2 };
        self.spaces.set_entry(&self.hal, asid, Some(entry));
    }

    /// Takes the ASIDs of a pool that is going away from its VSpaces, one between two looks for interrupts.
    pub(crate) fn drain_asid_pool(&mut self, pool: Handle<AsidPool>, base: Asid) -> Result<(), Preempted> {
        if self.spaces.pool(base) != Some(pool) {
            return Ok(());
        }
        while let Some((asid, root)) = self.first_asid(pool, base) {
            self.delete_asid(asid, root);
            self.preemption_point()?;
        }
        Ok(())
    }

    fn first_asid(&self, pool: Handle<AsidPool>, base: Asid) -> Option<(Asid, PhysAddr)> {
        let entries = (0..POOL_SIZE).map(|index| Asid(base.0 + index));
        entries.into_iter().find_map(|asid| Some((asid, self.get(pool).entry(entry_index(asid))?.root)))
    }

    /// The last capability of an ASID pool goes; [`Kernel::drain_asid_pool`] has come to its end.
    pub(crate) fn delete_asid_pool(&mut self, pool: Handle<AsidPool>, base: Asid) {
        if self.spaces.pool(base) != Some(pool) {
            return;
        }
        debug_assert!(self.first_asid(pool, base).is_none(), "the pool was not drained");
        self.spaces.set_pool(base, None);
        self.hal.destroy(pool);
        self.reload_vspace();
    }

    /// Ends an ASID: no CPU or SMMU translates with its VSpace after.
    fn delete_asid(&mut self, asid: Asid, root: PhysAddr) {
        while let Some(context) =
            self.spaces.entry(&self.hal, asid).filter(|entry| entry.root == root).and_then(|entry| entry.contexts)
        {
            let Some(handle) = self.smmus.context(context) else { break };
            self.delete_one(handle.slot(Context::VSPACE));
        }
        let Some(entry) = self.spaces.entry(&self.hal, asid).filter(|entry| entry.root == root) else { return };
        self.spaces.set_entry(&self.hal, asid, None);
        // The CPU may fill its TLB from the loaded tables at any time: what it holds can be forgotten for good only after
        // another table is loaded, and the tag can be another's only after that.
        self.reload_vspace();
        if let Some(vmid) = entry.vmid {
            self.hal.invalidate_vmid(vmid);
            self.spaces.owners[usize::from(vmid)] = None;
        }
    }

    pub(crate) fn finalise_vspace(&mut self, vspace: VSpace, last: bool) {
        if let (Some(context), Some(asid)) = (vspace.bound, vspace.asid) {
            self.detach_context(context, asid);
        }
        if let (true, Some(asid)) = (last, vspace.asid) {
            self.delete_asid(asid, vspace.root);
        }
    }

    pub(crate) fn finalise_page_table(&mut self, table: PageTable) {
        if let Some(mapping) = table.mapped {
            self.unmap_table(mapping, table.base);
        }
    }

    pub(crate) fn finalise_frame(&mut self, frame: Frame) {
        if let Some(mapping) = frame.mapped {
            self.unmap_frame(mapping, &frame);
        }
    }

    /// The tag the CPU uses for a VSpace from now on, taken from another if all are in use. The caller loads the VSpace.
    fn vmid_of(&mut self, asid: Asid, entry: AsidEntry) -> u8 {
        if let Some(vmid) = entry.vmid {
            return vmid;
        }
        let free = (1..VMIDS).find(|vmid| self.spaces.owners[*vmid].is_none());
        let vmid = free.map_or_else(|| self.steal_vmid(), |vmid| vmid as u8);
        self.spaces.owners[usize::from(vmid)] = Some(asid);
        self.spaces.set_entry(&self.hal, asid, Some(AsidEntry { vmid: Some(vmid), ..entry }));
        vmid
    }

    fn steal_vmid(&mut self) -> u8 {
        let vmid = self.spaces.next_vmid;
        self.spaces.next_vmid = if vmid == u8::MAX { 1 } else { vmid + 1 };
        if let Some(victim) = self.spaces.owners[usize::from(vmid)].take()
            && let Some(entry) = self.spaces.entry(&self.hal, victim)
        {
            self.spaces.set_entry(&self.hal, victim, Some(AsidEntry { vmid: None, ..entry }));
        }
        // The victim may be the loaded one, whose tables would fill the TLB under its tag again.
        self.load_empty_vspace();
        self.hal.invalidate_vmid(vmid);
        vmid
    }

    /// Makes the CPU use a thread's VSpace, or the empty one if it has none that the CPU can walk. A VSpace in the format of
    /// stage 1 never has a tag.
    #[inline(always)]
    pub(crate) fn load_vspace_of(&mut self, thread: Handle<Tcb>) {
        if let Some(VSpace { root, asid: Some(asid), .. }) = self.read(thread.slot(TcbSlot::VSpace as u64))
            && let Some(AsidEntry { root: found, vmid: Some(vmid), .. }) = self.spaces.entry(&self.hal, asid)
            && found == root
        {
            self.load_tables(root, vmid);
        } else {
            self.load_untagged_vspace_of(thread);
        }
    }

    /// As [`Kernel::load_vspace_of`], when the VSpace has no tag yet or there is none.
    #[cold]
    fn load_untagged_vspace_of(&mut self, thread: Handle<Tcb>) {
        if let Some(VSpace { root, asid: Some(asid), .. }) = self.read(thread.slot(TcbSlot::VSpace as u64))
            && let Some(entry) = self.spaces.entry(&self.hal, asid)
            && entry.root == root
            && entry.format == Format::STAGE2
        {
            let vmid = self.vmid_of(asid, entry);
            self.load_tables(root, vmid);
        } else {
            self.load_empty_vspace();
        }
    }

    /// The tables that the CPU walks while a thread runs; `None` when they are the empty VSpace's.
    pub(crate) fn tables_of(&self, thread: Handle<Tcb>) -> Option<PhysAddr> {
        self.walked_by_processors(self.read(thread.slot(TcbSlot::VSpace as u64))?)
    }

    /// The tables of a VSpace, if a CPU can walk them.
    pub(crate) fn walked_by_processors(&self, VSpace { root, asid, .. }: VSpace) -> Option<PhysAddr> {
        let entry = self.spaces.entry(&self.hal, asid?)?;
        (entry.root == root && entry.format == Format::STAGE2).then_some(root)
    }

    pub(crate) fn load_empty_vspace(&mut self) {
        self.load_tables(self.spaces.empty_root, EMPTY_VMID);
    }

    #[inline(always)]
    fn load_tables(&mut self, root: PhysAddr, vmid: u8) {
        self.spaces.loaded = vmid;
        self.hal.load_vspace(root, vmid);
    }

    /// The tag of the VSpace that the CPU uses.
    pub(crate) fn loaded_tag(&self) -> u8 {
        self.spaces.loaded
    }

    fn reload_vspace(&mut self) {
        match self.current {
            Some(current) => self.load_vspace_of(current),
            None => self.load_empty_vspace(),
        }
    }

    /// The entry that maps `vaddr`, or would.
    pub(crate) fn find_entry(&self, format: Format, root: PhysAddr, vaddr: VirtAddr) -> Found {
        lookup(&self.hal, format, root, vaddr.0)
    }

    /// Writes a table word so that every walker sees it before anything that follows.
    fn write_entry(&self, slot: PhysAddr, word: u64) {
        self.hal.store(slot, word);
        if self.smmus.any_non_coherent() {
            self.hal.clean(slot, 8);
        }
        self.hal.barrier();
    }

    /// Installs a leaf where nothing, or another leaf of the same size, is mapped.
    ///
    /// Replacing goes through an invalid entry (break-before-make, Arm ARM D8.14.1) unless it only changes permissions.
    pub(crate) fn map_frame(&mut self, mapping: Mapping, frame: &Frame, slot: PhysAddr, word: u64, old: Entry) {
        match old {
            Entry::Leaf(leaf) if leaf.address == frame.base && self.hal.load(slot) == word => {}
            Entry::Leaf(leaf) => {
                self.write_entry(slot, 0);
                self.invalidate_range(mapping.asid(), mapping.vaddr(), leaf.size);
                self.write_entry(slot, word);
            }
            Entry::Invalid | Entry::Table(_) => self.write_entry(slot, word),
        }
    }

    /// Installs a table where nothing is mapped.
    pub(crate) fn map_table(&mut self, slot: PhysAddr, word: u64) {
        self.write_entry(slot, word);
    }

    /// Removes a frame from where its capability says it is mapped, if it still is.
    pub(crate) fn unmap_frame(&mut self, mapping: Mapping, frame: &Frame) {
        let Some(AsidEntry { root, format, vmid, .. }) = self.spaces.entry(&self.hal, mapping.asid()) else { return };
        let Found { slot, entry, .. } = self.find_entry(format, root, mapping.vaddr());
        let Entry::Leaf(leaf) = entry else { return };
        if leaf.size != frame.size || leaf.address != frame.base {
            return;
        }
        self.write_entry(slot, 0);
        if let Some(vmid) = vmid {
            self.hal.invalidate_page(vmid, mapping.vaddr());
        }
        self.invalidate_contexts_later(mapping.asid(), extent(mapping.vaddr(), frame.size));
    }

    /// Takes a table out of its VSpace, if it is still there.
    pub(crate) fn unmap_table(&mut self, mapping: Mapping, table: PhysAddr) {
        let Some(root) = self.root_of(mapping.asid()) else { return };
        let Some((slot, level)) = self.table_slot(root, mapping.vaddr(), table) else { return };
        let bytes = 1 << Format::coverage_bits(level);
        let extent = Extent { vaddr: mapping.vaddr(), bytes, leaf_bits: PAGE_BITS };
        self.write_entry(slot, 0);
        if let Some(vmid) = self.spaces.entry(&self.hal, mapping.asid()).and_then(|entry| entry.vmid) {
            self.hal.invalidate_vmid(vmid);
        }
        self.invalidate_contexts(mapping.asid(), extent);
    }

    /// The entry on the way to `vaddr` that points at `table`, and its level.
    fn table_slot(&self, root: PhysAddr, vaddr: VirtAddr, table: PhysAddr) -> Option<(PhysAddr, u8)> {
        let mut at = root;
        for level in 0..3 {
            let slot = at.offset(8 * Format::index(level, vaddr.0));
            match Format::STAGE2.decode(level, self.hal.load(slot)) {
                Entry::Table(next) if next == table => return Some((slot, level)),
                Entry::Table(next) => at = next,
                Entry::Leaf(_) | Entry::Invalid => return None,
            }
        }
        None
    }

    fn invalidate_range(&mut self, asid: Asid, vaddr: VirtAddr, size: FrameSize) {
        self.invalidate_page(asid, vaddr);
        self.invalidate_contexts(asid, extent(vaddr, size));
    }

    /// Removes a page or block from the CPU's TLB.
    fn invalidate_page(&self, asid: Asid, vaddr: VirtAddr) {
        if let Some(vmid) = self.spaces.entry(&self.hal, asid).and_then(|entry| entry.vmid) {
            self.hal.invalidate_page(vmid, vaddr);
        }
    }
}

const fn extent(vaddr: VirtAddr, size: FrameSize) -> Extent {
    Extent { vaddr, bytes: size.bytes(), leaf_bits: size.bits() }
}
