//! What is in each CNode, thread, address space, stream and context.

use sluice_abi::{FrameSize, PAGE_SIZE};
use sluice_manifest::{layout, slot};
use sluice_root_task::plan::{Grant, Plan};
use sluice_spec::{Component, Device, Mode, Perms, System};

use super::objects::{ROOT_NOTIFICATION, heap, line};
use super::{has_pages_of_bars, is_behind, is_function, names};

pub(super) fn show(out: &mut String, system: &System, plans: &[Plan]) {
    for (index, (component, plan)) in system.components.iter().zip(plans).enumerate() {
        thread(out, component);
        cnode(out, system, (index, component), plan);
        space(out, system, component, plan);
        for device in component.devices.iter().filter(|device| device.mode != Mode::None) {
            of_device(out, system, component, device);
        }
        for (_, grant) in &plan.grants {
            if let Grant::Interrupt { intid, badge, .. } = grant {
                table(out, &format!("irq_{intid}"), &[format!("0: ntfn_{} (W, badge: {badge:#x})", component.name)]);
            }
        }
    }
}

fn thread(out: &mut String, component: &Component) {
    let name = &component.name;
    let entries = [
        format!("cspace: cnode_{name}"),
        format!("vspace: vspace_{name}"),
        format!("ipc_buffer_slot: frame_{name}_ipc"),
        format!("bound_notification: ntfn_{name}"),
    ];
    table(out, &format!("tcb_{name}"), &entries);
}

fn cnode(out: &mut String, system: &System, (index, component): (usize, &Component), plan: &Plan) {
    let name = &component.name;
    let mut entries = vec![
        format!("{:#x}: cnode_{name} (guard: 0, guard_size: {})", slot::CNODE, 64 - plan.manifest.cnode_bits),
        format!("{:#x}: tcb_{name}", slot::TCB),
        format!("{:#x}: vspace_{name}", slot::VSPACE),
        format!("{:#x}: ntfn_{name} (RW)", slot::NOTIFICATION),
        format!("{:#x}: ep_supervisor (WP, badge: {:#x})", slot::SUPERVISOR, index + 1),
    ];
    let shifted = has_pages_of_bars(component);
    let mut untyped = component.untyped.iter();
    let mut told = false;
    for (first, grant) in &plan.grants {
        if shifted && is_behind(grant) && !told {
            let slots = "-- the pages of each function's BARs come before its other capabilities; slots after that are the \
                machine's to decide";
            entries.push(slots.to_owned());
            told = true;
        }
        let at = if told { String::new() } else { format!("{first:#x}: ") };
        entries.push(format!("{at}{}", capability(grant, system, component, &mut untyped)));
    }
    table(out, &format!("cnode_{name}"), &entries);
}

fn capability<'a>(
    grant: &Grant,
    system: &System,
    component: &Component,
    untyped: &mut impl Iterator<Item = &'a sluice_spec::UntypedGrant>,
) -> String {
    let device = |index: usize| component.devices.get(index);
    let found = match grant {
        Grant::Interrupt { intid, .. } => Some(format!("irq_{intid}")),
        Grant::Client { channel, badge } => {
            system.channels.get(*channel).map(|channel| format!("ep_{} (WGP, badge: {badge:#x})", channel.name))
        }
        Grant::Server { channel } => system.channels.get(*channel).map(|channel| format!("ep_{} (RG)", channel.name)),
        Grant::Signal { component, badge } => {
            system.components.get(*component).map(|other| format!("ntfn_{} (W, badge: {badge:#x})", other.name))
        }
        Grant::Alarm => Some(format!("{ROOT_NOTIFICATION} (W, badge: 0x1)")),
        Grant::Stream { device: index, stream } => {
            device(*index).and_then(|device| device.streams.get(*stream)).map(|word| names::sid(*word))
        }
        Grant::Context { device: index } => device(*index).and_then(names::cb),
        Grant::Space { device: index } => device(*index).map(|device| names::io_space(component, device)),
        Grant::Frames { device: index, mapping } => {
            let map = device(*index).and_then(|device| device.dma.get(*mapping));
            let region = map.and_then(|map| system.regions.get(map.region as usize));
            region.map(|region| format!("{} (mapped for the device)", names::region(region)))
        }
        Grant::RegionFrames { map } => {
            let map = component.maps.get(*map);
            map.and_then(|map| system.regions.get(map.region as usize)).map(names::region)
        }
        Grant::RegisterFrames { base, size } => Some(names::registers(*base, *size)),
        Grant::AsidPool => Some(format!("asid_pool_{}", component.name)),
        Grant::Untyped { .. } => untyped.next().map(|grant| format!("ut_{}_{}", component.name, grant.name)),
    };
    found.unwrap_or_else(|| "-- a capability of nothing".to_owned())
}

fn space(out: &mut String, system: &System, component: &Component, plan: &Plan) {
    let name = &component.name;
    let mut entries = Vec::new();
    for (map, told) in component.maps.iter().zip(&plan.manifest.regions) {
        let Some(region) = system.regions.get(map.region as usize) else { continue };
        let cached = if map.cached { "" } else { ", uncached" };
        entries.push(format!("{:#x}: {} ({}{cached})", told.vaddr, names::region(region), rights(map.perms)));
    }
    let native = |device: &&Device| device.guest_slot.is_none() && is_function(&device.location);
    let first = component.devices.iter().position(|device| native(&device));
    for page in &plan.registers {
        // BARs of functions that come before take addresses too.
        let position = component.devices.iter().position(|device| device.name == page.device);
        let at = match first < position && first.is_some() {
            true => "-- behind BARs: ".to_owned(),
            false => format!("{:#x}: ", page.vaddr),
        };
        entries.push(format!("{at}{} (RW, uncached)", names::registers(page.base, page.size)));
    }
    for device in component.devices.iter().filter(|device| is_function(&device.location)) {
        let to = if device.guest_slot.is_some() { "the guest's, where the VMM maps them" } else { "placed at boot" };
        entries.push(format!("-- BARs of {}: {to}", device.name));
    }
    let stack = names::range(&format!("frame_{name}_stack"), component.stack / PAGE_SIZE);
    entries.push(format!("{:#x}: {stack} (RW)", layout::STACK_TOP - component.stack));
    let (large, small) = heap(component);
    let behind = layout::HEAP + large * FrameSize::Large.bytes();
    for (part, count, at) in [("heap_large", large, layout::HEAP), ("heap", small, behind)] {
        if count != 0 {
            entries.push(format!("{at:#x}: {} (RW)", names::range(&format!("frame_{name}_{part}"), count)));
        }
    }
    entries.push(format!("{:#x}: frame_{name}_ipc (RW)", layout::IPC_BUFFER));
    table(out, &format!("vspace_{name}"), &entries);
}

fn of_device(out: &mut String, system: &System, component: &Component, device: &Device) {
    let context = names::cb(device);
    for stream in &device.streams {
        let way = match (&device.mode, &context) {
            (Mode::Bypass, _) => "-- bypasses translation: reaches all memory".to_owned(),
            (_, Some(_)) if device.guest_slot.is_some() => {
                "-- aborts until the VMM binds it to the guest's memory".to_owned()
            }
            (_, Some(context)) => format!("cb: {context}"),
            (_, None) => "-- aborts".to_owned(),
        };
        let faults =
            device.faults.as_ref().map(|faults| format!("fault_handler: ntfn_{} ({})", component.name, faults.notify));
        table(out, &names::sid(*stream), &[way].into_iter().chain(faults).collect::<Vec<_>>());
    }
    let Some(context) = context.filter(|_| device.guest_slot.is_none()) else { return };
    let space = names::io_space(component, device);
    let stage = if device.mode == Mode::Stage1 { "stage 1" } else { "stage 2" };
    table(out, &context, &[format!("vspace: {space} ({stage})")]);
    let entries = device.dma.iter().filter_map(|dma| {
        let region = system.regions.get(dma.region as usize)?;
        let frames = format!("{} ({})", names::region(region), rights(dma.perms));
        Some(match device.mode {
            Mode::Bypass => format!("{frames} -- at its physical address"),
            Mode::None | Mode::Stage2 | Mode::Nested | Mode::Stage1 => format!("{:#x}: {frames}", dma.iova),
        })
    });
    table(out, &space, &entries.collect::<Vec<_>>());
}

fn table(out: &mut String, name: &str, entries: &[String]) {
    if entries.is_empty() {
        return line(out, &format!("{name} {{}}"));
    }
    line(out, &format!("{name} {{"));
    for entry in entries {
        line(out, &format!("    {entry}"));
    }
    line(out, "}");
}

fn rights(perms: Perms) -> String {
    let letters = [(perms.read, 'R'), (perms.write, 'W'), (perms.execute, 'X')];
    letters.into_iter().filter(|(has, _)| *has).map(|(_, letter)| letter).collect()
}
