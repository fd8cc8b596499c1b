//! Messages: their word, their buffer, rights and attributes.

use sluice_abi::{CapRights, Constant, MessageInfo, VmAttributes, ipc_buffer};

use super::{Page, cell, heading, section, table};

pub(super) fn page() -> Page {
    let mut text = heading(
        "Messages",
        "A message is a word that says what follows, message words of which the first four travel in `x2` to `x5`, and \
         capabilities. The rest is in the IPC buffer of the thread.",
    );
    text += &section("The message word");
    text += &table(&["Bits", "Field", "Meaning"], message_word());
    text += &section("The IPC buffer");
    text +=
        &format!("{} bytes at a multiple of as many, in one frame of ordinary memory.\n\n", 1 << ipc_buffer::SIZE_BITS);
    text += &table(&["Offset", "Words", "Content"], buffer());
    text += &section("Rights");
    text += "Of endpoints, notifications and frames; no other capability has rights.\n\n";
    text += &flags(CapRights::NAMED);
    text += &section("Attributes of mappings");
    text += &flags(VmAttributes::NAMED);
    Page { name: "messages.md", about: "message word, IPC buffer, rights, attributes of mappings", text }
}

/// The fields by the bits that only they set.
fn message_word() -> Vec<Vec<String>> {
    let bits = |word: MessageInfo| {
        let (low, high) = (word.word().trailing_zeros(), 63 - word.word().leading_zeros());
        format!("{high}:{low}")
    };
    let row = |word, name: &str, meaning: String| vec![bits(word), name.to_owned(), meaning];
    vec![
        row(
            MessageInfo::new(0, 0, 0, u64::MAX),
            "length",
            format!("message words; more than {0} count as {0}", MessageInfo::MAX_LENGTH),
        ),
        row(
            MessageInfo::new(0, 0, u64::MAX, 0),
            "extra capabilities",
            format!("capabilities sent, or received; at most {}", MessageInfo::MAX_EXTRA_CAPS),
        ),
        row(
            MessageInfo::new(0, u64::MAX, 0, 0),
            "unwrapped",
            "bit i: capability i was one to the receiver's own endpoint, and its badge came instead".to_owned(),
        ),
        row(
            MessageInfo::new(u64::MAX, 0, 0, 0),
            "label",
            "to a kernel object an invocation, in its answer an error, between threads what they agree on".to_owned(),
        ),
    ]
}

fn buffer() -> Vec<Vec<String>> {
    let row =
        |offset: u64, words: usize, content: &str| vec![offset.to_string(), words.to_string(), content.to_owned()];
    vec![
        row(0, 1, "for the user; the kernel neither reads nor writes it"),
        row(ipc_buffer::message(0), ipc_buffer::MESSAGE_WORDS, "message words; the first four travel in registers"),
        row(ipc_buffer::USER_DATA, 1, "for the user"),
        row(
            ipc_buffer::cap_or_badge(0),
            MessageInfo::MAX_EXTRA_CAPS as usize,
            "capability pointers to send; badges received",
        ),
        row(ipc_buffer::RECEIVE_CNODE, 1, "capability pointer of the CNode for a received capability"),
        row(ipc_buffer::RECEIVE_INDEX, 1, "index of the slot below it"),
        row(ipc_buffer::RECEIVE_DEPTH, 1, "depth of the index"),
    ]
}

fn flags(flags: &[Constant]) -> String {
    let rows = flags.iter().map(|flag| vec![flag.value.to_string(), flag.name.to_owned(), cell(flag.about)]);
    table(&["Value", "Name", "Meaning"], rows)
}
