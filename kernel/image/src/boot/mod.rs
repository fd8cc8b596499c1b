//! From the first line of Rust to the root task.

mod canary;
mod devices;
mod image;

pub(crate) use canary::Canary;

use core::fmt;

use sluice_abi::bootinfo::{EXTRA_DEBUG_CANARY, EXTRA_FDT, EXTRA_SMMUS};
use sluice_abi::{PAGE_BITS, PAGE_SIZE, PHYS_BITS, PhysAddr, SLOT_BITS};
use sluice_core::boot::{BootMemory, Extra, Range, Ranges};
use sluice_core::object::UserContext;
use sluice_core::secure::open_interrupts;
use sluice_core::{InterruptUse, Kernel, KernelMemory};
use sluice_platform::{Console, Machine as Description, ValidBlob, cut_slack, option, remove_nops, validate};
use sluice_smmu::shut_secure_side;

use crate::el3::El3;
use crate::gic::Gic;
use crate::machine::{Machine, install, next_context};
use crate::mmu::{Kind, Tables};
use crate::panic::stop;
use crate::timer::Timer;
use crate::{console, cpu, phys, psci};

/// Most bytes of a device tree (the arm64 boot protocol's limit).
const MAX_TREE: usize = 2 << 20;
/// What `sluice.smmu=` says to leave SMMUs bypassed.
const OFF: &str = "off";

/// A step of boot that must not fail: stops with one line when it does.
fn or_stop<T, E: fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| stop(format_args!("{error}")))
}

/// Called by `start` with the MMU on. Returns the registers of the root thread.
#[unsafe(no_mangle)]
extern "C" fn sluice_boot(tree: PhysAddr, load: PhysAddr, entered_at_el3: u64) -> *const UserContext {
    let el3 = El3::entered(entered_at_el3);
    let tree_bytes = tree_bytes(tree);
    let blob = validate(tree_bytes).unwrap_or_else(|error| stop(format_args!("device tree: {error}")));
    let machine = Description::from_blob(&blob).unwrap_or_else(|error| {
        // Nothing is mapped but this gigabyte, and nothing printed yet: find a console for this one line.
        map_console(&blob, load, tree, tree_bytes.len());
        stop(format_args!("{error}"))
    });
    map(&machine, load, tree, tree_bytes.len());
    if let Some(uart) = &machine.console {
        console::set(uart.registers.base());
    }
    // Firmware at EL3 would have been replaced, whatever the tree says of it.
    psci::set(if el3.is_some() { None } else { machine.psci });
    console::line(format_args!(
        "sluice {} at {load}, {} MiB of memory",
        env!("CARGO_PKG_VERSION"),
        mebibytes(&machine)
    ));
    if !cpu::has_44_bits() {
        stop(format_args!("this core has fewer than {PHYS_BITS} physical address bits (ID_AA64MMFR0_EL1.PARange)"));
    }
    cpu::configure();

    let ram = or_stop(ram(&machine));
    let root_image = or_stop(image::find(load, &ram));
    let mut memory = or_stop(free_memory(&machine, &ram, load, &root_image, tree, tree_bytes.len()));
    let canary =
        cfg!(debug_assertions).then(|| Canary::new(allocate(&mut memory.free, PAGE_SIZE, PAGE_BITS, "canary")));
    if let Some(el3) = el3 {
        leave_el3(el3, &machine);
    }
    let gic = or_stop(start_gic(&machine));
    let kernel_memory = KernelMemory {
        interrupt_node: allocate(&mut memory.free, u64::from(gic.count()) << SLOT_BITS, PAGE_BITS, "interrupts"),
        interrupt_count: gic.count(),
        empty_root: allocate(&mut memory.free, PAGE_SIZE, PAGE_BITS, "empty VSpace"),
    };
    cpu::set_empty_root(kernel_memory.empty_root);
    let tracing = cfg!(debug_assertions) && option(machine.bootargs, "sluice.trace") == Some("semihosting");
    if cpu::counter_frequency() == 0 {
        stop(format_args!("the counter's frequency is not known (CNTFRQ_EL0, or clock-frequency of the timer)"));
    }
    let hal = Machine { gic, timer: Timer::new(), ram, canary, tracing };
    let kernel = install(Kernel::new(hal, kernel_memory));
    let confined = option(machine.bootargs, "sluice.smmu") != Some(OFF);
    devices::start_smmus(kernel, &machine, &mut memory.free, confined);
    let timer = &machine.timer.hypervisor;
    kernel.reserve_interrupt(timer.intid, InterruptUse::Timer, false);
    let maintenance = machine.gic.maintenance.map(|interrupt| interrupt.intid);
    kernel.start_virtualization(machine.timer.virtual_timer.intid, maintenance);
    let canary_chunk = canary.map(|canary| canary.chunk());
    let smmus = devices::identification(kernel, &machine);
    let extras = [
        Extra { id: EXTRA_FDT, bytes: blob.bytes() },
        Extra {
            id: EXTRA_SMMUS,
            bytes: smmus.get(..machine.smmus.len() * devices::IDENTIFICATION_BYTES).unwrap_or(&[]),
        },
        Extra { id: EXTRA_DEBUG_CANARY, bytes: canary_chunk.as_ref().map_or(&[], |chunk| chunk) },
    ];
    let count = if canary.is_some() { 3 } else { 2 };
    or_stop(kernel.boot_root_task(root_image, memory, &extras[..count]));
    kernel.hal.timer.rearm();
    next_context(kernel)
}

/// The device tree's bytes, without what the loader crossed out and the room that it left behind them.
fn tree_bytes(tree: PhysAddr) -> &'static [u8] {
    /// Offset of the big-endian `totalsize` (Devicetree Specification, 5.2).
    const TOTAL_SIZE: u64 = 4;
    let size = u32::from_be(phys::read32(tree.offset(TOTAL_SIZE))) as usize;
    let size = size.min(MAX_TREE);
    // SAFETY: start.rs has mapped the gigabyte of the tree and the next; this is the only reference to it, and it ends
    // before the next one is made.
    let bytes = unsafe { phys::bytes_mut(tree, size) };
    remove_nops(bytes);
    let size = cut_slack(bytes);
    // SAFETY: as above; firmware and this function have written it and are done.
    unsafe { phys::bytes(tree, size) }
}

fn map(machine: &Description<'_>, load: PhysAddr, tree: PhysAddr, tree_len: usize) {
    // SAFETY: boot runs once.
    let tables = unsafe { Tables::new(load) };
    let result = tables.and_then(|mut tables| {
        for region in machine.memory.iter() {
            tables.map_window(region.base(), region.size(), Kind::Memory)?;
        }
        if !machine.memory.iter().any(|region| region.base() <= tree && tree < region.end()) {
            tables.map_window(tree, tree_len as u64, Kind::Memory)?;
        }
        devices::for_each_region(machine, |region| tables.map_window(region.base(), region.size(), Kind::Device))?;
        tables.activate();
        Ok(())
    });
    if result.is_err() {
        stop(format_args!("the machine has more memory ranges and devices than the kernel can map"));
    }
}

/// An address space with the kernel, the device tree and the console: enough to say why boot stops.
fn map_console(blob: &ValidBlob<'_>, load: PhysAddr, tree: PhysAddr, tree_len: usize) {
    let Some(uart) = Console::registers_of(blob) else { return };
    // SAFETY: boot stops after this.
    let tables = unsafe { Tables::new(load) };
    let result = tables.and_then(|mut tables| {
        tables.map_window(tree, tree_len as u64, Kind::Memory)?;
        tables.map_window(uart.base(), uart.size(), Kind::Device)?;
        tables.activate();
        Ok(())
    });
    if result.is_ok() {
        console::set(uart.base());
    }
}

fn mebibytes(machine: &Description<'_>) -> u64 {
    machine.memory.iter().map(|region| region.size()).sum::<u64>() >> 20
}

fn ram(machine: &Description<'_>) -> Result<Ranges, BootFailure> {
    let mut ram = Ranges::new();
    for region in machine.memory.iter() {
        ram.add(Range { start: region.base().0, end: region.end().0 }).map_err(|_| BootFailure::Ranges)?;
    }
    Ok(ram)
}

fn free_memory(
    machine: &Description<'_>,
    ram: &Ranges,
    load: PhysAddr,
    image: &sluice_core::boot::RootImage,
    tree: PhysAddr,
    tree_len: usize,
) -> Result<BootMemory, BootFailure> {
    let too_many = |_| BootFailure::Ranges;
    let mut free = ram.clone();
    for reserved in machine.reserved.iter() {
        let range = Range { start: reserved.region.base().0, end: reserved.region.end().0 };
        free.remove(whole_pages(range)).map_err(too_many)?;
    }
    free.remove(Range { start: load.0, end: image.at.0 + image.pages * PAGE_SIZE }).map_err(too_many)?;
    free.remove(whole_pages(Range { start: tree.0, end: tree.0 + tree_len as u64 })).map_err(too_many)?;

    let mut devices = Ranges::new();
    devices.add(Range { start: 0, end: 1 << PHYS_BITS }).map_err(too_many)?;
    for range in ram.iter() {
        devices.remove(whole_pages(range)).map_err(too_many)?;
    }
    devices::for_each_kernel_region(machine, |region| {
        devices.remove(whole_pages(Range { start: region.base().0, end: region.end().0 })).map_err(too_many)
    })?;
    Ok(BootMemory { free, devices })
}

const fn whole_pages(range: Range) -> Range {
    Range { start: range.start & !(PAGE_SIZE - 1), end: range.end.next_multiple_of(PAGE_SIZE) }
}

/// Takes from the secure side what EL2 needs, shuts the rest, and gives EL3 up.
fn leave_el3(el3: El3, machine: &Description<'_>) {
    let gic = &machine.gic;
    let redistributor = or_stop(Gic::redistributor(redistributors(machine), gic.redistributor_stride));
    let distributor = gic.distributor.base();
    let were_secure = or_stop(open_interrupts(&el3, distributor, redistributor, Gic::count_of(distributor)));
    for (number, smmu) in machine.smmus.iter().enumerate() {
        let base = smmu.registers.base();
        if let Err(register) = shut_secure_side(&el3, base) {
            stop(format_args!("SMMU {number} at {base}: secure register {:#x} does not acknowledge", register.0));
        }
    }
    // What the tree says, where nobody has set CNTFRQ_EL0 before.
    let frequency = if cpu::counter_frequency() == 0 { machine.timer.frequency.map_or(0, u64::from) } else { 0 };
    el3.close(frequency);
    let interrupts = if were_secure { "taken from the secure side" } else { "in one security state" };
    console::line(format_args!("entered at EL3; interrupts {interrupts}"));
}

fn redistributors(machine: &Description<'_>) -> impl Iterator<Item = (PhysAddr, u64)> {
    machine.gic.redistributors.iter().map(|region| (region.base(), region.size()))
}

fn start_gic(machine: &Description<'_>) -> Result<Gic, crate::gic::GicError> {
    let gic = &machine.gic;
    Gic::start(gic.distributor.base(), redistributors(machine), gic.redistributor_stride)
}

/// Takes zeroed memory for the kernel, or stops.
fn allocate(free: &mut Ranges, bytes: u64, align_bits: u32, what: &str) -> PhysAddr {
    let at = free
        .allocate(bytes, align_bits)
        .unwrap_or_else(|| stop(format_args!("not enough memory for {what} ({bytes:#x} bytes)")));
    phys::clear(at, bytes);
    at
}

/// Why boot stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BootFailure {
    /// Memory is in too many pieces.
    Ranges,
}

impl fmt::Display for BootFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ranges => write!(f, "memory and devices are in more pieces than boot can keep apart"),
        }
    }
}
