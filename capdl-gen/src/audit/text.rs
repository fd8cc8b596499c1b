//! Reach as a table.

use std::fmt::Write as _;

use sluice_spec::Perms;

use super::graph::{Access, Audit, Kind, Reach, Via};

/// Columns of names of parties and memories.
const NAME: usize = 24;
/// Columns of sizes and rights.
const SIZE: usize = 8;

pub(super) fn show(audit: &Audit) -> String {
    let mut out = format!("reach on {}\n", audit.platform);
    for (position, party) in audit.parties.iter().enumerate() {
        let kind = match party.kind {
            Kind::Component => "component",
            Kind::Vmm => "VMM",
            Kind::Guest => "guest",
            Kind::Device => "device",
        };
        line(&mut out, format_args!("\n{} ({kind})", party.name.trim_end_matches(" (VMM)")));
        let mut all = audit.reach(position).peekable();
        if all.peek().is_none() {
            line(&mut out, format_args!("    nothing"));
        }
        for reach in all {
            let memory = &audit.memories[reach.edge.memory];
            let (perms, size) = (rights(reach.edge.perms), bytes(memory.bytes));
            line(
                &mut out,
                format_args!("    {:<NAME$} {size:>SIZE$}  {perms:<3}  {}", memory.name, way(audit, &reach)),
            );
        }
    }
    if !audit.groups.is_empty() {
        line(&mut out, format_args!("\nno SMMU is between"));
    }
    for (what, members) in &audit.groups {
        let names: Vec<&str> = members.iter().map(|party| audit.parties[*party].name.as_str()).collect();
        line(&mut out, format_args!("    {}: {what}", names.join(", ")));
    }
    let denied = &audit.denied;
    if !denied.is_empty() {
        line(&mut out, format_args!("\ndenied, and so it is"));
        for (who, what) in denied {
            line(&mut out, format_args!("    {who:<NAME$} -> {what}"));
        }
    }
    let unconfined: Vec<&str> = audit.unconfined.iter().map(|party| audit.parties[*party].name.as_str()).collect();
    match unconfined[..] {
        [] => line(&mut out, format_args!("\nkernel memory: nobody")),
        _ => line(&mut out, format_args!("\nkernel memory, and all there is: {}", unconfined.join(", "))),
    }
    out
}

fn way(audit: &Audit, reach: &Reach<'_>) -> String {
    let how = match reach.edge.access {
        Access::Cpu { at: Some(at) } => format!("CPU at {at:#x}"),
        Access::Cpu { at: None } => "CPU".to_owned(),
        Access::Dma { iova, stages: [1, 2] } => format!("DMA, the guest's stage 1 under stage 2 at {iova:#x}"),
        Access::Dma { iova, stages: [1] } => format!("DMA at {iova:#x}, stage 1"),
        Access::Dma { iova, .. } => format!("DMA at {iova:#x}, stage 2"),
        Access::Bypass => "DMA, BYPASSES TRANSLATION".to_owned(),
    };
    match reach.via {
        Via::Itself => how,
        Via::Device(device) => format!("{how}, through {}", audit.parties[device].name),
    }
}

/// Rights as a spec writes them.
pub(crate) fn rights(perms: Perms) -> String {
    let letters = [(perms.read, 'r'), (perms.write, 'w'), (perms.execute, 'x')];
    letters.into_iter().filter(|(has, _)| *has).map(|(_, letter)| letter).collect()
}

/// Bytes in the largest unit that divides them.
pub(super) fn bytes(size: u64) -> String {
    let units = [(30, "G"), (20, "M"), (10, "K")];
    let unit = units.into_iter().find(|(shift, _)| size != 0 && size.trailing_zeros() >= *shift);
    unit.map_or_else(|| size.to_string(), |(shift, unit)| format!("{}{unit}", size >> shift))
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String fails only when an argument's own formatting does; none here does.
    let written = writeln!(out, "{text}");
    debug_assert!(written.is_ok());
}
