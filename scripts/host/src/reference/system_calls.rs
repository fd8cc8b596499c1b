//! System calls.

use sluice_abi::Syscall;

use super::{Page, cell, heading, table};

pub(super) fn page() -> Page {
    let mut text = heading(
        "System calls",
        "Made with `svc #0`, the number in `x7`. Registers that a call does not give back are as they were before. A signal \
         sets `x0` to its badge and leaves `x1` to `x5` alone. Any other number is an \
         [unknown system call](faults.md). Debug builds alone have the calls from -9 to -14, bench builds alone -22; \
         elsewhere they are unknown.",
    );
    let rows = Syscall::ALL.into_iter().map(|call| {
        let mut row = vec![format!("`{call:?}`"), (call as i64).to_string(), cell(call.description())];
        row.push(registers(call.takes()));
        row.push(registers(call.gives()));
        row
    });
    text += &table(&["Call", "`x7`", "What it does", "Takes", "Gives"], rows);
    Page { name: "system-calls.md", about: "numbers and registers", text }
}

fn registers(meanings: [&str; 3]) -> String {
    let named = ["`x0`", "`x1`", "`x2`..`x5`"].into_iter().zip(meanings).filter(|(_, meaning)| !meaning.is_empty());
    named.map(|(register, meaning)| format!("{register} {meaning}")).collect::<Vec<_>>().join("; ")
}
