//! What the console server promises: what is typed goes to the attached client, whole and in order, and to nobody else.
//!
//! The operator of `systems/typing.keys` attaches two clients in turn; each knows what it is to be told.

use sluice_rt::sys::yield_now;
use sluice_rt::terminal::Terminal;
use sluice_rt::time::Deadline;
use sluice_rt::{Env, RtError, check, println};

/// Reads what is typed for this client, until the operator has left it for good.
pub(crate) fn run(env: &Env) -> Result<(), RtError> {
    let terminal = Terminal::of(env)?;
    let expected = env.arg("expected").unwrap_or_default().as_bytes();
    println!("ready");
    let mut text = [0; 64];
    let (mut length, mut lost, mut attached) = (0, 0, false);
    while length < expected.len() || attached {
        terminal.signal().wait();
        loop {
            let typed = terminal.read(&mut text[length..])?;
            (length, lost) = (length + typed.count, lost + typed.lost);
            attached = typed.attached;
            if typed.count == 0 {
                break;
            }
        }
    }
    let same = &text[..length] == expected;
    check!("typed-text", same && lost == 0, "{length} bytes of {} for this client, {lost} lost", expected.len());
    let quiet = Deadline::in_milliseconds(300);
    let mut more = 0;
    while !quiet.passed() {
        more += terminal.read(&mut text)?.count;
        yield_now();
    }
    check!("typed-for-others", more == 0, "{more} bytes that were not for this client");
    Ok(())
}
