//! The devices the kernel drives itself, from the device tree.

use sluice_abi::bootinfo::SmmuIdentification;
use sluice_abi::smmu::{MAX_SMMUS, STREAM_TABLE_BITS, STREAM_TABLE_SPLIT, StreamId};
use sluice_abi::{PAGE_BITS, PAGE_SIZE};
use sluice_core::boot::Ranges;
use sluice_core::{InterruptUse, Kernel, SmmuAtBoot, context_bytes, descriptor_bytes, table_directory_bytes};
use sluice_platform::{List, Machine as Description, Region, Smmu as SmmuNode, Trigger};
use sluice_smmu::regs::offset;
use sluice_smmu::{Bus as _, Features, Memory, Smmu, memory_needed};

use super::{allocate, or_stop};
use crate::console;
use crate::machine::Machine;
use crate::panic::stop;

/// Second-level stream tables made at boot: more than any device tree needs that names its streams.
const MAX_BOOT_TABLES: usize = 64;
/// Kinds of masters behind no SMMU that are told apart.
const MAX_BINDINGS: usize = 32;
const SPAN_MASK: u32 = (1 << STREAM_TABLE_SPLIT) - 1;

/// Calls `visit` with every register range nobody but the kernel ever has.
pub(super) fn for_each_kernel_region<E>(
    machine: &Description<'_>,
    mut visit: impl FnMut(&Region) -> Result<(), E>,
) -> Result<(), E> {
    visit(&machine.gic.distributor)?;
    machine.gic.redistributors.iter().chain(machine.gic.its.iter()).try_for_each(&mut visit)?;
    machine.smmus.iter().try_for_each(|smmu| visit(&smmu.registers))
}

/// Calls `visit` with every register range the kernel accesses.
pub(super) fn for_each_region<E>(
    machine: &Description<'_>,
    mut visit: impl FnMut(&Region) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(uart) = &machine.console {
        visit(&uart.registers)?;
    }
    for_each_kernel_region(machine, visit)
}

/// Brings every SMMU up with all streams aborting, or leaves it bypassed where the command line says so, and prints what
/// no SMMU confines.
pub(super) fn start_smmus(kernel: &mut Kernel<Machine>, machine: &Description<'_>, free: &mut Ranges, confined: bool) {
    if !confined && !machine.smmus.is_empty() {
        console::line(format_args!("WARNING ********************************************************"));
        console::line(format_args!("WARNING sluice.smmu=off: SMMUs are left in BYPASS. Every device"));
        console::line(format_args!("WARNING reaches ALL memory, the kernel's included."));
        console::line(format_args!("WARNING ********************************************************"));
    }
    for (number, node) in machine.smmus.iter().enumerate() {
        start_smmu(kernel, machine, free, number as u8, node, confined);
    }
    print_unconfined(machine);
}

/// One line for each binding whose devices master memory behind no SMMU.
fn print_unconfined(machine: &Description<'_>) {
    let mut printed: List<&str, MAX_BINDINGS> = List::new();
    let each = machine.visit_unconfined_masters(|first, binding| {
        if printed.iter().any(|known| *known == binding) {
            return;
        }
        let mut count = 0;
        // The first visit found every one of these readable.
        let counted = machine.visit_unconfined_masters(|_, other| count += u32::from(other == binding));
        or_stop(counted);
        let place = first.path();
        match count {
            1 => console::line(format_args!("NOT CONFINED: {binding} at {place} masters memory behind no SMMU")),
            _ => console::line(format_args!(
                "NOT CONFINED: {count} x {binding}, first {place}, master memory behind no SMMU"
            )),
        }
        if printed.push(binding).is_err() {
            stop(format_args!("more than {MAX_BINDINGS} kinds of devices master memory behind no SMMU"));
        }
    });
    or_stop(each);
}

fn start_smmu(
    kernel: &mut Kernel<Machine>,
    machine: &Description<'_>,
    free: &mut Ranges,
    number: u8,
    node: &SmmuNode<'_>,
    confined: bool,
) {
    let base = node.registers.base();
    let features = Features::read(&kernel.hal, base)
        .unwrap_or_else(|error| stop(format_args!("SMMU {number} at {base} cannot be used: {error}")));
    let mut tables = [0; MAX_BOOT_TABLES];
    let count = named_tables(machine, number, &mut tables);
    let highest = tables[..count].iter().max().map_or(0, |first| first | SPAN_MASK);
    let needs = memory_needed(&features, highest);
    let mut take = |bytes: u64, what| {
        let bytes = bytes.next_multiple_of(PAGE_SIZE).next_power_of_two();
        allocate(free, bytes, bytes.ilog2(), what)
    };
    let memory = Memory {
        strtab: take(needs.strtab_bytes, "the stream table"),
        cmdq: take(needs.cmdq_bytes, "the command queue"),
        evtq: take(needs.evtq_bytes, "the event queue"),
    };
    let driver = Smmu::new(base, features, needs, memory);
    let result = if confined { driver.enable(&kernel.hal) } else { driver.leave_bypassed(&kernel.hal) };
    if let Err(failure) = result {
        stop(format_args!("SMMU {number} at {base}: {failure}"));
    }
    console::line(format_args!("SMMU {number}: {driver}"));
    let context_count = driver.features().contexts();
    let contexts = allocate(free, context_bytes(context_count).next_multiple_of(PAGE_SIZE), PAGE_BITS, "contexts");
    let bytes = table_directory_bytes(driver.streams()).next_multiple_of(PAGE_SIZE);
    let directory = allocate(free, bytes, PAGE_BITS, "the directory of stream tables");
    let descriptors = (!driver.features().stage2).then(|| {
        allocate(free, descriptor_bytes(context_count).next_multiple_of(PAGE_SIZE), PAGE_BITS, "context descriptors")
    });
    kernel.add_smmu(number, SmmuAtBoot { driver, contexts, context_count, tables: directory, descriptors });
    for first in &tables[..count] {
        let table = allocate(free, 1 << STREAM_TABLE_BITS, STREAM_TABLE_BITS, "a stream table");
        if !kernel.add_stream_table(StreamId { smmu: number, sid: *first }, table) {
            stop(format_args!("SMMU {number} does not take a stream table for streams from {first:#x}"));
        }
    }
    let interrupts = &node.interrupts;
    for interrupt in [interrupts.combined, interrupts.event_queue, interrupts.global_error].into_iter().flatten() {
        let edge = interrupt.trigger == Trigger::Edge;
        kernel.reserve_interrupt(interrupt.intid, InterruptUse::Smmu(number), edge);
    }
}

/// Bytes of a [`SmmuIdentification`].
pub(super) const IDENTIFICATION_BYTES: usize = size_of::<SmmuIdentification>();

/// The identification registers of every SMMU, as the root task gets them.
pub(super) fn identification(
    kernel: &Kernel<Machine>,
    machine: &Description<'_>,
) -> [u8; MAX_SMMUS * IDENTIFICATION_BYTES] {
    let mut bytes = [0; MAX_SMMUS * IDENTIFICATION_BYTES];
    for (smmu, chunk) in machine.smmus.iter().zip(bytes.chunks_exact_mut(IDENTIFICATION_BYTES)) {
        let base = smmu.registers.base();
        let registers = [offset::IDR0, offset::IDR1, offset::IDR3, offset::IDR5];
        for (register, word) in registers.into_iter().zip(chunk.chunks_exact_mut(8)) {
            word.copy_from_slice(&u64::from(kernel.hal.read32(base.offset(register))).to_le_bytes());
        }
    }
    bytes
}

/// First streams of the tables that cover what the device tree names: streams in `iommus`, and the first bus of each PCIe
/// host.
fn named_tables(machine: &Description<'_>, smmu: u8, tables: &mut [u32; MAX_BOOT_TABLES]) -> usize {
    let mut count = 0;
    let mut name = |stream: StreamId| {
        let first = stream.sid & !SPAN_MASK;
        if stream.smmu == smmu && !tables[..count].contains(&first) {
            let Some(entry) = tables.get_mut(count) else {
                stop(format_args!("SMMU {smmu}: streams of more than {MAX_BOOT_TABLES} tables are named"))
            };
            *entry = first;
            count += 1;
        }
    };
    for host in machine.pci_hosts.iter() {
        let bus = u16::from(host.first_bus) << 8;
        for rid in [bus, bus | 0xff] {
            if let Some(stream) = or_stop(machine.stream_of(host, rid)) {
                name(stream);
            }
        }
    }
    machine.visit_devices(|device| {
        for stream in or_stop(device.streams()).iter() {
            name(*stream);
        }
    });
    count
}
