//! The machine as the kernel's [`Hal`].

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;

use sluice_abi::{PhysAddr, VirtAddr};
use sluice_core::boot::Ranges;
use sluice_core::cap::Slot;
use sluice_core::object::{FpuContext, Tcb, UserContext};
use sluice_core::{CacheOp, Hal, Handle, Kernel, Object, SlotRef, Store};
use sluice_paging::TableMemory;
use sluice_smmu::Bus;

use crate::gic::Gic;
use crate::timer::Timer;
use crate::{boot, console, cpu, fpu, phys, psci, semihosting};

/// What the kernel drives.
pub(crate) struct Machine {
    pub(crate) gic: Gic,
    pub(crate) timer: Timer,
    /// All RAM.
    pub(crate) ram: Ranges,
    /// The page that attacks on kernel memory aim at (debug builds).
    pub(crate) canary: Option<boot::Canary>,
    /// Whether events are logged to the debugger or emulator (debug builds, `sluice.trace=semihosting`).
    pub(crate) tracing: bool,
}

struct TheKernel(UnsafeCell<MaybeUninit<Kernel<Machine>>>);

// SAFETY: one core uses it, and nothing interrupts its use: EL2 runs with interrupts masked, and an exception of EL2 itself
// ends in `crate::panic`, which does not touch it.
unsafe impl Sync for TheKernel {}

static KERNEL: TheKernel = TheKernel(UnsafeCell::new(MaybeUninit::uninit()));

/// The kernel.
///
/// # Safety
/// Boot has installed it, and no reference to it lives: to be called once in each exception of a thread, in which the
/// reference ends.
#[inline(always)]
pub(crate) unsafe fn the_kernel() -> &'static mut Kernel<Machine> {
    // SAFETY: the caller's promise, and nobody else looks meanwhile (`Sync` above).
    let kernel: &mut MaybeUninit<Kernel<Machine>> = unsafe { &mut *KERNEL.0.get() };
    // SAFETY: the caller's promise: it is installed.
    unsafe { kernel.assume_init_mut() }
}

/// Makes `kernel` the one kernel. Boot does so once.
pub(crate) fn install(kernel: Kernel<Machine>) -> &'static mut Kernel<Machine> {
    // SAFETY: no thread has run, so no exception can have used what is there; boot, which gets the reference, ends before
    // the first does.
    let place: &'static mut MaybeUninit<Kernel<Machine>> = unsafe { &mut *KERNEL.0.get() };
    place.write(kernel)
}

/// Handles interrupts until none is pending.
pub(crate) fn take_interrupts(kernel: &mut Kernel<Machine>) {
    while let Some(intid) = kernel.hal.gic.take() {
        kernel.enter_interrupt(intid);
    }
}

/// The registers of the thread to run; waits while there is none.
#[inline(always)]
pub(crate) fn next_context(kernel: &mut Kernel<Machine>) -> *const UserContext {
    let current = match kernel.current() {
        Some(current) => current,
        None => wait_for_thread(kernel),
    };
    &raw const kernel.tcb(current).context
}

#[cold]
fn wait_for_thread(kernel: &mut Kernel<Machine>) -> Handle<Tcb> {
    loop {
        cpu::wait();
        take_interrupts(kernel);
        if let Some(current) = kernel.current() {
            return current;
        }
    }
}

impl TableMemory for Machine {
    fn load(&self, at: PhysAddr) -> u64 {
        phys::load(at)
    }

    fn store(&self, at: PhysAddr, value: u64) {
        phys::store(at, value);
    }
}

impl Bus for Machine {
    fn read32(&self, at: PhysAddr) -> u32 {
        phys::read32(at)
    }

    fn write32(&self, at: PhysAddr, value: u32) {
        phys::write32(at, value);
    }

    fn read64(&self, at: PhysAddr) -> u64 {
        phys::load(at)
    }

    fn write64(&self, at: PhysAddr, value: u64) {
        phys::store(at, value);
    }

    fn barrier(&self) {
        cpu::synchronise();
    }

    fn clean(&self, at: PhysAddr, bytes: u64) {
        // Discarded too: a non-coherent SMMU writes its event queue behind the cache.
        cpu::maintain(CacheOp::CleanInvalidate, at, bytes);
    }
}

impl Store for Machine {
    fn get<T: Object>(&self, handle: Handle<T>) -> &T {
        // SAFETY: the capability state has a live object of this type at the handle (`Store`); objects are only changed
        // through their cells, so shared references may coexist, and none outlives `&self`.
        unsafe { &*phys::pointer::<T>(handle.at().offset(T::BODY)) }
    }

    fn slot(&self, slot: SlotRef) -> &Slot {
        // SAFETY: as for objects; a slot is valid whatever its words are.
        unsafe { &*phys::pointer::<Slot>(slot.at()) }
    }

    fn create<T: Object>(&mut self, at: PhysAddr) -> Handle<T> {
        self.create_slots(at, T::SLOTS);
        // SAFETY: the memory is RAM that holds no object, large and aligned enough for this one (`ObjectType::size_bits`
        // and the size assertion beside each type).
        unsafe { phys::pointer::<T>(at.offset(T::BODY)).write(T::new()) }
        Handle::new(at)
    }

    // The memory is zeroed, and zero words are an empty slot (`Slot::empty` in `cap::slot`, asserted there): a table of a
    // million slots costs no more than one of two.
    fn create_slots(&mut self, _at: PhysAddr, _count: u64) {}

    fn destroy<T: Object>(&mut self, _handle: Handle<T>) {}

    fn destroy_slots(&mut self, _at: PhysAddr, _count: u64) {}
}

impl Hal for Machine {
    const MEASURES: bool = cfg!(feature = "bench");

    fn frame_load(&self, at: PhysAddr) -> u64 {
        phys::load(at)
    }

    fn frame_store(&self, at: PhysAddr, value: u64) {
        phys::store(at, value);
    }

    fn is_memory(&self, at: PhysAddr, bytes: u64) -> bool {
        let end = at.0.checked_add(bytes);
        self.ram.iter().any(|range| range.start <= at.0 && end.is_some_and(|end| end <= range.end))
    }

    fn clear(&self, at: PhysAddr, bytes: u64) {
        cpu::clear(at, bytes);
    }

    fn maintain(&self, operation: CacheOp, at: PhysAddr, bytes: u64) {
        cpu::maintain(operation, at, bytes);
    }

    fn load_vspace(&self, root: PhysAddr, vmid: u8) {
        cpu::set_stage2(root, vmid);
    }

    fn invalidate_vmid(&self, vmid: u8) {
        cpu::invalidate_vmid(vmid);
    }

    fn invalidate_page(&self, vmid: u8, vaddr: VirtAddr) {
        cpu::invalidate_page(vmid, vaddr);
    }

    fn open_fpu(&self, open: bool) {
        fpu::open(open);
    }

    fn save_fpu(&self, to: &FpuContext) {
        fpu::save(to);
    }

    fn load_fpu(&self, from: &FpuContext) {
        fpu::load(from);
    }

    fn interrupt_pending(&self) -> bool {
        cpu::interrupt_pending()
    }

    fn set_interrupt_enabled(&self, intid: u32, enabled: bool) {
        self.gic.set_enabled(intid, enabled);
    }

    fn set_interrupt_edge(&self, intid: u32, edge: bool) {
        self.gic.set_edge(intid, edge);
    }

    fn acknowledge_interrupt(&self, intid: u32) {
        self.gic.deactivate(intid);
    }

    fn rearm_timer(&self) {
        self.timer.rearm();
    }

    fn is_tracing(&self) -> bool {
        cfg!(debug_assertions) && self.tracing
    }

    fn trace(&self, line: core::fmt::Arguments<'_>) {
        semihosting::print_line(line);
    }

    fn put_byte(&self, byte: u8) {
        console::put(byte);
    }

    fn power_off(&self) {
        if let Some(canary) = &self.canary {
            canary.report();
        }
        psci::power_off();
    }

    fn halt(&self, cause: &'static str) -> ! {
        crate::panic::stop(format_args!("{cause}"))
    }
}
