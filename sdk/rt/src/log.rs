//! Where a component's lines go: the console server, or the kernel's debug console when there is no channel to it.

use alloc::string::String;
use core::fmt::{self, Write};

use sluice_manifest::console;
use sluice_sys::{Endpoint, Message, debug_put_char};
use spin::Mutex;

use crate::RtError;
use crate::line::{Line, pack};

struct Sink {
    console: Option<Endpoint>,
    /// The console server prefixes lines; without it the component does.
    name: String,
}

static SINK: Mutex<Sink> = Mutex::new(Sink { console: None, name: String::new() });

/// From here on lines go where the manifest says.
#[cfg(target_os = "none")]
pub(crate) fn open(manifest: &sluice_manifest::Manifest) {
    let client = manifest.clients.iter().find(|client| client.name == console::CHANNEL);
    let mut sink = SINK.lock();
    sink.console = client.map(|client| Endpoint::from(client.endpoint));
    sink.name.clone_from(&manifest.name);
}

/// Prints one line; use `println!`.
pub fn print_line(arguments: fmt::Arguments<'_>) {
    let line = format(arguments);
    write_out(&SINK.lock(), line);
}

/// As [`print_line`], but never waits for the lock: the panic may be inside it.
#[cfg(target_os = "none")]
pub(crate) fn print_panic(arguments: fmt::Arguments<'_>) {
    let line = format(arguments);
    match SINK.try_lock() {
        Some(sink) => write_out(&sink, line),
        None => write_debug("?", line),
    }
}

fn format(arguments: fmt::Arguments<'_>) -> Line {
    let mut line = Line::new();
    if line.write_fmt(arguments).is_err() {
        // Only a `Display` implementation can fail here; what it wrote so far is shown.
        line = Line::new();
    }
    line
}

fn write_out(sink: &Sink, mut line: Line) {
    let Some(server) = sink.console else {
        write_debug(&sink.name, line);
        return;
    };
    let (words, length) = pack(line.finish());
    let message = Message::new(console::WRITE, words).shortened(length);
    if print_at(server, &message).is_err() {
        write_debug(&sink.name, line);
    }
}

/// Sends the console server a message that prints, once more when the server dies of the first: text is better there twice than not
/// at all, but what the server dies of is not sent for ever.
///
/// # Errors
/// When the server refuses it, died both times, or is gone for good.
pub fn print_at<const WORDS: usize>(server: Endpoint, message: &Message<WORDS>) -> Result<(), RtError> {
    let print = || match server.call(message).label() {
        0 => Ok(()),
        label => Err(RtError::answered(console::CHANNEL, label)),
    };
    print().or_else(|error| if error.can_ask_again() { print() } else { Err(error) })
}

fn write_debug(name: &str, mut line: Line) {
    for byte in name.bytes().chain(core::iter::repeat_n(b' ', 8usize.saturating_sub(name.len()))) {
        debug_put_char(byte);
    }
    for byte in b"| ".iter().chain(line.finish()) {
        debug_put_char(*byte);
    }
}
