//! What was handed to whom, one line a thing.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use sluice_abi::smmu::StreamId;
use sluice_manifest::Perms;
use sluice_spec::{Component, Device, Location, Mode, System};

use super::machine::Checked;
use crate::plan::Plan;

/// The lines about one component.
pub(super) fn lines(
    system: &System,
    component: &Component,
    plan: &Plan,
    checked: &[Checked],
    translating: bool,
) -> Vec<String> {
    let mut things = Vec::new();
    let mut described = plan.manifest.devices.iter();
    for (device, checked) in component.devices.iter().zip(checked) {
        things.push(describe(device, checked, translating));
        // A guest's device reaches what the guest does.
        let Some(told) = described.next().filter(|_| device.guest_slot.is_none()) else { continue };
        for dma in told.dma.iter().filter(|_| translating) {
            let perms = Letters(dma.perms);
            let (name, iova) = (&device.name, dma.iova);
            things.push(format!("dma {} {perms} {} for {name} at {iova:#x}", dma.region, bytes(dma.size)));
        }
    }
    for region in &plan.manifest.regions {
        let perms = Letters(region.perms);
        things.push(format!("mr {} {perms} {} at {:#x}", region.name, bytes(region.size), region.vaddr));
    }
    if let Some(guest) = &plan.manifest.guest {
        let vcpus = if guest.vcpus == 1 { "" } else { "s" };
        things.push(format!(
            "guest of {} vCPU{vcpus}, memory {}, kernel {} bytes",
            guest.vcpus, guest.ram, guest.kernel.1
        ));
    }
    for untyped in &plan.manifest.untyped {
        things.push(format!("untyped {} {}", untyped.name, bytes(1 << untyped.size_bits)));
    }
    if let Some((intid, edge)) = component.timer {
        things.push(format!("physical timer irq {intid} {}", if edge { "edge" } else { "level" }));
    }
    if plan.manifest.asid_pool.is_some() {
        things.push("ASID pool".into());
    }
    for server in &plan.manifest.servers {
        let notify =
            if server.clients.iter().any(|client| client.signal.is_some()) { ", and signals each" } else { "" };
        things.push(format!("channel {} as server of {}{notify}", server.name, server.clients.len()));
    }
    for client in &plan.manifest.clients {
        let server = system.channels.iter().find(|channel| channel.name == client.name);
        let server = server.and_then(|channel| system.components.get(channel.server as usize));
        things.push(format!("channel {} to {}", client.name, server.map_or("?", |server| server.name.as_str())));
    }
    things.into_iter().map(|thing| format!("{:<8}gets {thing}", component.name)).collect()
}

fn describe(device: &Device, checked: &Checked, translating: bool) -> String {
    let mut text = format!("device {}", device.name);
    match (&device.location, checked.function) {
        (Location::Pci { .. }, Some(function)) => push(&mut text, format_args!(" pci {}", function.at)),
        (Location::Node { path }, _) => push(&mut text, format_args!(" dt {path}")),
        (Location::Pci { .. } | Location::Streams, _) => {}
    }
    for stream in device.streams.iter().filter_map(|word| StreamId::from_word(*word)) {
        push(&mut text, format_args!(" sid {stream}"));
    }
    if !device.streams.is_empty() {
        match translating {
            true if device.mode == Mode::Bypass && !device.manage => {}
            true => push(&mut text, format_args!(" cb {}", device.context)),
            false => push(&mut text, format_args!(" UNCONFINED")),
        }
    }
    if let Some((intid, edge)) = device.interrupt {
        push(&mut text, format_args!(" irq {intid} {}", if edge { "edge" } else { "level" }));
    }
    for (index, base, size) in &checked.live.registers {
        let kind = if checked.function.is_some() { "bar" } else { "reg" };
        push(&mut text, format_args!(" {kind}{index} {base:#x}+{size:#x}"));
    }
    if let Some(slot) = device.guest_slot {
        let how = if device.mode == Mode::Nested { "nested" } else { "stage 2" };
        push(&mut text, format_args!(" for the guest's slot {slot}, {how}"));
    }
    if device.manage && translating {
        push(&mut text, format_args!(" managed"));
    }
    if device.mode == Mode::Stage1 && translating {
        push(&mut text, format_args!(" stage 1"));
    }
    if device.mode == Mode::Bypass {
        let why = device.why.as_deref().unwrap_or("no reason is given");
        push(&mut text, format_args!(" BYPASSES TRANSLATION, reaches all memory: {why}"));
    }
    text
}

fn push(text: &mut String, more: core::fmt::Arguments<'_>) {
    // Writing to a String fails only when an argument's own formatting does; none here does.
    if text.write_fmt(more).is_err() {
        text.push('?');
    }
}

/// Rights as a spec writes them.
struct Letters(Perms);

impl core::fmt::Display for Letters {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let letters = [(self.0.read, 'r'), (self.0.write, 'w'), (self.0.execute, 'x')];
        letters.into_iter().filter(|(has, _)| *has).try_for_each(|(_, letter)| f.write_char(letter))
    }
}

/// A size in the largest unit that divides it.
fn bytes(size: u64) -> String {
    match size {
        size if size.is_multiple_of(1 << 20) => format!("{}M", size >> 20),
        size if size.is_multiple_of(1 << 10) => format!("{}K", size >> 10),
        size => format!("{size}"),
    }
}
