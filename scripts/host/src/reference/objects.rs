//! Object types and capabilities.

use sluice_abi::cap::CapTag;
use sluice_abi::{
    ASID_POOL_COUNT_BITS, ASID_POOL_INDEX_BITS, MAX_PRIORITY, MAX_UNTYPED_BITS, MIN_UNTYPED_BITS, NUM_DOMAINS,
    ObjectType, PHYS_BITS, RETYPE_FAN_OUT_LIMIT, SLOT_BITS, TIME_SLICE_TICKS, TIMER_TICK_US, USER_TOP,
};

use super::{Page, cell, heading, section, table};

pub(super) fn page() -> Page {
    let mut text = heading(
        "Objects",
        "What `Untyped_Retype` makes. An object lies at a multiple of its size. StreamTable is Sluice's own.",
    );
    let rows = ObjectType::ALL
        .map(|kind| vec![(kind as u64).to_string(), format!("{kind:?}"), cell(kind.description()), size(kind)]);
    text += &table(&["Type", "Name", "What it is", "Size, log2 of bytes"], rows);
    text += &section("Limits");
    text += &table(&["What", "Value"], limits());
    text += &section("Type tags of capabilities");
    text += "As the debug system call reports them.\n\n";
    let rows = CapTag::ALL.map(|tag| vec![(tag as u8).to_string(), format!("{tag:?}"), cell(tag.description())]);
    text += &table(&["Tag", "Capability", ""], rows);
    Page { name: "objects.md", about: "object types and sizes, limits, type tags", text }
}

/// Where the size argument counts, by how much it adds.
fn size(kind: ObjectType) -> String {
    match (kind.size_bits(0), kind.size_bits(1)) {
        (least, more) if least == more => least.to_string(),
        (0, _) => "size_bits".to_owned(),
        (least, _) => format!("size_bits + {least}"),
    }
}

fn limits() -> Vec<Vec<String>> {
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    vec![
        row("bits of a physical address", PHYS_BITS.to_string()),
        row("last address of a VSpace", format!("{USER_TOP:#x}")),
        row("bytes of a slot, log2", SLOT_BITS.to_string()),
        row("smallest Untyped, log2 of bytes", MIN_UNTYPED_BITS.to_string()),
        row("largest Untyped, log2 of bytes", MAX_UNTYPED_BITS.to_string()),
        row("most objects of one retype", RETYPE_FAN_OUT_LIMIT.to_string()),
        row("highest priority", MAX_PRIORITY.to_string()),
        row("scheduling domains", NUM_DOMAINS.to_string()),
        row("timer tick, microseconds", TIMER_TICK_US.to_string()),
        row("time slice, ticks", TIME_SLICE_TICKS.to_string()),
        row("ASID pools", (1u32 << ASID_POOL_COUNT_BITS).to_string()),
        row("ASIDs of a pool", (1u32 << ASID_POOL_INDEX_BITS).to_string()),
    ]
}
