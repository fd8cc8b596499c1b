//! A system as text: what each component has and what each device reaches.

use std::fmt;

use sluice_abi::smmu::StreamId;
use sluice_spec::{Component, Device, Location, Mode, Perms, Restart, System};

/// Shows a system, a line for each thing that is handed to somebody.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a System);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = self.0;
        writeln!(f, "platform {}", system.platform)?;
        for region in &system.regions {
            writeln!(
                f,
                "mr {}: {:#x} bytes in pages of {:#x}{}",
                region.name,
                region.size,
                1u64 << region.frame_bits,
                contents(region.contents, system)
            )?;
        }
        for component in &system.components {
            show_component(f, component, system)?;
        }
        for channel in &system.channels {
            let name = |index: u32| system.components.get(index as usize).map_or("?", |component| &component.name);
            let clients: Vec<&str> = channel.clients.iter().map(|client| name(*client)).collect();
            let notify = if channel.notify { ", and signals each" } else { "" };
            writeln!(f, "channel {}: {} serves {}{notify}", channel.name, name(channel.server), clients.join(", "))?;
        }
        for blob in system.blobs.iter().filter(|blob| blob.len != 0) {
            writeln!(f, "file {}: {:#x} bytes at {:#x}", blob.name, blob.len, blob.offset)?;
        }
        Ok(())
    }
}

fn show_component(f: &mut fmt::Formatter<'_>, component: &Component, system: &System) -> fmt::Result {
    let image = system.blobs.get(component.image as usize).map_or("?", |blob| &blob.name);
    let ending = if component.must_finish { ", must finish" } else { "" };
    let restart = match component.restart {
        Restart::Never => String::new(),
        Restart::Always => ", starts again".to_owned(),
        Restart::Times(times) => format!(", starts again {times} times"),
    };
    writeln!(
        f,
        "pd {}: image {}, priority {}, stack {:#x}, heap {:#x}{ending}{restart}",
        component.name, image, component.priority, component.stack, component.heap
    )?;
    for (key, value) in &component.args {
        writeln!(f, "    arg {key} = {value}")?;
    }
    for map in &component.maps {
        let cached = if map.cached { "cached" } else { "uncached" };
        let at = map.vaddr.map_or(String::new(), |vaddr| format!(" at {vaddr:#x}"));
        writeln!(f, "    maps {} {} {cached}{at}", region(map.region, system), access(map.perms))?;
    }
    for grant in &component.untyped {
        writeln!(f, "    untyped {}: {:#x} bytes", grant.name, 1u64 << grant.size_bits)?;
    }
    if let Some(guest) = &component.guest {
        let initrd = guest.initrd.map_or("none", |initrd| region(initrd, system));
        let (kernel, ram) = (region(guest.kernel, system), region(guest.ram, system));
        writeln!(f, "    guest: {} vCPU, ram {ram}, kernel {kernel}, initrd {initrd}", guest.vcpus)?;
        writeln!(f, "        bootargs {}", guest.bootargs)?;
    }
    if component.asid_pool {
        writeln!(f, "    ASID pool")?;
    }
    if let Some((intid, edge)) = component.timer {
        writeln!(f, "    timer irq {intid} {}", if edge { "edge" } else { "level" })?;
    }
    for device in &component.devices {
        show_device(f, device, system)?;
    }
    Ok(())
}

fn show_device(f: &mut fmt::Formatter<'_>, device: &Device, system: &System) -> fmt::Result {
    write!(f, "    device {} at {}", device.name, Place(&device.location))?;
    if let Some((vendor, number)) = device.expect {
        write!(f, " expect {vendor:04x}:{number:04x}")?;
    }
    if let Some(slot) = device.guest_slot {
        write!(f, " as slot {slot}")?;
    }
    match device.interrupt {
        Some((intid, true)) => write!(f, " irq {intid} edge")?,
        Some((intid, false)) => write!(f, " irq {intid} level")?,
        None => {}
    }
    match device.mode {
        Mode::None => writeln!(f, ", masters nothing")?,
        Mode::Bypass => {
            let sids: String = device.streams.iter().map(|word| format!(" sid {}", stream(*word))).collect();
            let manage = if device.manage { format!(" cb {}, managed", device.context) } else { String::new() };
            writeln!(f, ",{sids}{manage} BYPASSES TRANSLATION: reaches all memory")?;
            writeln!(f, "        because {}", device.why.as_deref().unwrap_or("?"))?;
        }
        Mode::Stage2 | Mode::Nested | Mode::Stage1 => {
            let sids: Vec<String> = device.streams.iter().map(|word| stream(*word)).collect();
            let stage = if device.mode == Mode::Stage1 { ", stage 1" } else { "" };
            let manage = match (device.mode == Mode::Nested, device.manage) {
                (true, _) => ", nested",
                (false, true) => ", managed",
                (false, false) => "",
            };
            writeln!(
                f,
                ", sid {} cb {}, {} address bits{stage}{manage}",
                sids.join(" "),
                device.context,
                device.address_bits
            )?;
        }
    }
    for (start, size) in &device.registers {
        writeln!(f, "        registers {start:#x} to {:#x}", start.saturating_add(size.saturating_sub(1)))?;
    }
    for dma in &device.dma {
        let size = system.regions.get(dma.region as usize).map_or(0, |region| region.size);
        let last = dma.iova.saturating_add(size.saturating_sub(1));
        if device.mode == Mode::Bypass {
            let (access, name) = (access(dma.perms), region(dma.region, system));
            writeln!(f, "        dma of {size:#x} bytes at the physical address {access} {name}")?;
            continue;
        }
        writeln!(f, "        dma {:#x} to {last:#x} {} {}", dma.iova, access(dma.perms), region(dma.region, system))?;
    }
    if let Some(faults) = &device.faults {
        writeln!(f, "        faults to {}, budget {}", faults.notify, faults.budget)?;
    }
    Ok(())
}

fn contents(file: Option<u32>, system: &System) -> String {
    let file = file.and_then(|file| system.blobs.get(file as usize));
    file.map_or_else(String::new, |file| format!(" with {}", file.name))
}

struct Place<'a>(&'a Location);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Location::Pci { host, bridges, bus, device, function } => {
                write!(f, "{bus:02x}:{device:02x}.{function}")?;
                for (position, (device, function)) in bridges.iter().enumerate() {
                    let separator = if position == 0 { " behind " } else { "/" };
                    write!(f, "{separator}{device:02x}.{function}")?;
                }
                write!(f, " of {host}")
            }
            Location::Node { path } => f.write_str(path),
            Location::Streams => f.write_str("no place (streams by number)"),
        }
    }
}

fn stream(word: u64) -> String {
    StreamId::from_word(word).map_or_else(|| format!("{word:#x}?"), |stream| stream.to_string())
}

fn region(index: u32, system: &System) -> &str {
    system.regions.get(index as usize).map_or("?", |region| &region.name)
}

fn access(perms: Perms) -> &'static str {
    match (perms.read, perms.write, perms.execute) {
        (true, true, true) => "rwx",
        (true, true, false) => "rw",
        (true, false, true) => "rx",
        (true, false, false) => "r",
        (false, true, true) => "wx",
        (false, true, false) => "w",
        (false, false, true) => "x",
        (false, false, false) => "none",
    }
}
