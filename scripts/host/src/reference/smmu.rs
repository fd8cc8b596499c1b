//! Numbers, records and tables of SMMUs.

use sluice_abi::invocation::Invocation;
use sluice_abi::smmu::{MAX_CBS, MAX_SMMUS, Record, STREAM_TABLE_BITS, STREAM_TABLE_SPLIT, event};
use sluice_abi::{Constant, Label};

use super::{Page, cell, heading, section, table};

pub(super) fn page() -> Page {
    let mut text = heading(
        "SMMUs",
        "In a message a stream is `smmu << 32 | sid` and a context `smmu << 32 | cb`; SMMUs are numbered in the order of \
         the device tree. For SMMU 0 the words are seL4's.",
    );
    text += &section("Sizes");
    let row = |what: &str, value: u64| vec![what.to_owned(), value.to_string()];
    let rows = [
        row("most SMMUs", MAX_SMMUS as u64),
        row("most contexts of one", MAX_CBS.into()),
        row("streams of a stream table, log2", STREAM_TABLE_SPLIT.into()),
        row("bytes of a stream table, log2", STREAM_TABLE_BITS.into()),
    ];
    text += &table(&["What", "Value"], rows);
    text += &section("Records");
    text += "What SID_GetFault and SIDControl_GetEventq give. No word ever holds a physical address.\n\n";
    let words = Invocation::of(Label::SidGetFault).results.iter().enumerate();
    text += &table(&["Word", "Content"], words.map(|(index, word)| vec![index.to_string(), (*word).to_owned()]));
    text += &section("Flags of a record");
    let single = Record::FLAGS.iter().map(|flag: &Constant| {
        (
            flag.value.trailing_zeros(),
            vec![flag.value.trailing_zeros().to_string(), cell(flag.about).replace("Flag: ", "")],
        )
    });
    let class = Record::CLASS_SHIFT;
    let substream = Record::SUBSTREAM_SHIFT;
    let mut rows: Vec<_> = single.collect();
    let fetch = "CLASS: 0 CD fetch, 1 translation table walk, 2 the input address itself";
    rows.push((class, vec![format!("{}:{class}", class + 1), fetch.to_owned()]));
    rows.push((substream, vec![format!("{}:{substream}", substream + 19), "the substream number".to_owned()]));
    rows.sort_by_key(|(bit, _)| *bit);
    text += &table(&["Bits", "Meaning"], rows.into_iter().map(|(_, row)| row));
    text += &section("Event types");
    text += "Numbers of IHI 0070, 7.3.\n\n";
    let rows =
        event::ALL.iter().map(|kind| vec![format!("{:#04x}", kind.value), kind.name.to_owned(), cell(kind.about)]);
    text += &table(&["Type", "Name", "Meaning"], rows);
    Page { name: "smmu.md", about: "streams, contexts, fault records", text }
}
