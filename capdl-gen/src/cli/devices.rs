//! What a platform offers, as aligned text.

use crate::platform::{Host, Interrupt, Node, Platform, Range};

/// Shows a platform.
pub(super) fn show(platform: &Platform) -> String {
    let mut out = format!("platform {}\n", platform.name());
    section(&mut out, "memory", platform.memory.iter().map(|memory| vec![range(memory)]));
    let smmus = platform.smmus.iter().enumerate();
    section(
        &mut out,
        "SMMUs",
        smmus.map(|(number, smmu)| vec![number.to_string(), range(&smmu.registers), smmu.path.clone()]),
    );
    for (number, host) in platform.hosts.iter().enumerate() {
        let title = format!("PCI host {number}, buses {:02x} to {:02x}: {}", host.first_bus, host.last_bus, host.path);
        section(&mut out, &title, (0..32).map(|device| slot(host, device)));
    }
    let masters = |node: &&Node| !node.streams.is_empty();
    section(&mut out, "masters behind an SMMU", platform.nodes.iter().filter(masters).map(master));
    let unprotected = platform.masters.iter().map(|(path, binding)| vec![path.clone(), binding.clone()]);
    section(&mut out, "masters behind no SMMU: whoever holds their registers reaches all memory", unprotected);
    let kept =
        |node: &&Node| platform.owned.iter().any(|owned| node.registers.iter().any(|own| own.overlaps(&owned.range)));
    let confined = |node: &&Node| platform.unprotected_master(&node.path).is_none();
    let others = platform.nodes.iter().filter(confined).filter(|node| node.streams.is_empty() && !kept(node));
    section(&mut out, "devices", others.map(device));
    let aliases = platform.aliases.iter().map(|(name, path)| vec![name.clone(), path.clone()]);
    section(&mut out, "aliases", aliases);
    section(
        &mut out,
        "kept by the system",
        platform.owned.iter().map(|owned| vec![range(&owned.range), owned.what.clone()]),
    );
    out
}

/// A title and rows in columns; nothing when there is no row.
fn section(out: &mut String, title: &str, rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}\n"));
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        out.push_str(format!("    {}", cells.collect::<Vec<_>>().join("  ")).trim_end());
        out.push('\n');
    }
}

fn range(range: &Range) -> String {
    format!("{:#012x} to {:#012x}", range.start, range.last())
}

fn slot(host: &Host, device: u8) -> Vec<String> {
    let stream = match host.stream(device, 0) {
        Ok(Some(stream)) => format!("SMMU {} SID {:#06x}", stream.smmu, stream.sid),
        Ok(None) => "behind no SMMU".to_owned(),
        Err(error) => error,
    };
    let pins = (1..=4).map(|pin| match host.pin(device, pin) {
        Ok(interrupt) => interrupt.intid.to_string(),
        Err(_) => "-".to_owned(),
    });
    vec![
        format!("{:02x}:{device:02x}.0", host.first_bus),
        stream,
        format!("INTA to INTD: {}", pins.collect::<Vec<_>>().join(" ")),
    ]
}

fn master(node: &Node) -> Vec<String> {
    let streams = node.streams.iter().map(|stream| format!("SMMU {} SID {:#06x}", stream.smmu, stream.sid));
    let mut row = device(node);
    row.insert(1, streams.collect::<Vec<_>>().join(", "));
    row
}

fn device(node: &Node) -> Vec<String> {
    if let Some(error) = &node.error {
        return vec![node.path.clone(), error.clone()];
    }
    let registers = node.registers.first().map_or_else(|| "no registers".to_owned(), range);
    let interrupts = node.interrupts.iter().map(interrupt).collect::<Vec<_>>().join(", ");
    vec![node.path.clone(), registers, node.compatible.clone(), interrupts]
}

fn interrupt(interrupt: &Interrupt) -> String {
    format!("irq {} {}", interrupt.intid, if interrupt.edge { "edge" } else { "level" })
}
