//! Fault messages.

use sluice_abi::fault::FaultLabel;

use super::{Page, cell, heading, prose, table};

pub(super) fn page() -> Page {
    let mut text = heading(
        "Faults",
        "What a thread's fault handler receives, with the badge of the handler's capability. The handler's endpoint is \
         looked up in the CSpace of the thread that faulted and needs the right to write, and to grant or to grant replies; \
         a thread without one stops. A reply resumes the thread at its faulting instruction.",
    );
    for fault in FaultLabel::ALL.into_iter().filter(|fault| *fault != FaultLabel::Null) {
        text += &format!("## {fault:?} ({})\n\n{}\n\n", fault as u64, prose(&cell(fault.description())));
        let words = fault.words().iter().enumerate();
        text += &table(&["Word", "Content"], words.map(|(index, word)| vec![index.to_string(), (*word).to_owned()]));
        if fault.reply_words() > 0 {
            let about = format!(
                "A reply with label 0 writes its words, as many of the first {} as it has, back to the thread and resumes it; \
                 one with another label leaves it stopped.",
                fault.reply_words()
            );
            text += &format!("{}\n\n", prose(&about));
        }
    }
    Page { name: "faults.md", about: "messages to fault handlers", text }
}
