//! What the root task finds.

use sluice_abi::bootinfo::{
    BootInfo, DebugCanary, EXTRAS, ExtraHeader, ROOT_CNODE_BITS, SlotRegion, SmmuIdentification, UntypedDesc, slot,
};
use sluice_abi::{Constant, Field, PAGE_SIZE};

use super::{Page, cell, heading, section, table};

pub(super) fn page() -> Page {
    let mut text = heading(
        "Boot information",
        "The root task starts with the address of its boot information in `x0`, every other register and the stack pointer \
         0, at priority 255 which is also the highest it may give.",
    );
    text += &section("Initial capabilities");
    text += &format!(
        "Slots of the root CNode, which has 2^{ROOT_CNODE_BITS} unless the image asks for more, and a guard of 0 that makes \
         a slot's number its capability pointer. Slots below {} that are not listed are empty.\n\n",
        slot::FIRST_FREE
    );
    text += &table(&["Slot", "Name", "What is there"], constants(slot::ALL));
    text += &section("BootInfo");
    text += &format!(
        "{} bytes in memory. Extra information, if there is any, begins {PAGE_SIZE} bytes behind its first byte.\n\n",
        size_of::<BootInfo>()
    );
    text += &fields(BootInfo::FIELDS);
    text += "### A region of slots\n\n";
    text += &fields(SlotRegion::FIELDS);
    text += "### An Untyped of the list\n\n";
    text += &fields(UntypedDesc::FIELDS);
    text += &section("Extra information");
    text += "Chunks one behind the other, each with a header.\n\n";
    text += &fields(ExtraHeader::FIELDS);
    text += &table(&["Id", "Name", "Content"], constants(EXTRAS));
    text += "### DebugCanary\n\n";
    text += &fields(DebugCanary::FIELDS);
    text += "### SmmuIdentification\n\n";
    text += &fields(SmmuIdentification::FIELDS);
    Page { name: "boot-info.md", about: "initial capabilities, boot information", text }
}

fn constants(constants: &[Constant]) -> impl Iterator<Item = Vec<String>> {
    constants.iter().map(|known| vec![known.value.to_string(), known.name.to_owned(), cell(known.about)])
}

fn fields(fields: &[Field]) -> String {
    let rows = fields
        .iter()
        .map(|field| vec![field.offset.to_string(), field.bytes.to_string(), field.name.to_owned(), cell(field.about)]);
    table(&["Offset", "Bytes", "Field", "Content"], rows)
}
