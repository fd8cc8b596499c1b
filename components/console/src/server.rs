//! Receives text and prints it on the UART.

use alloc::vec;

use sluice_console::{Assembly, Refusal, pl011, text};
use sluice_manifest::console::CHANNEL;
use sluice_rt::{Env, Incoming, Registers, RtError};
use sluice_sys::{Message, Received};

/// Columns of the name before each line.
const NAME_COLUMNS: usize = 8;

struct Uart(Registers);

impl Uart {
    fn on(registers: Registers) -> Self {
        registers.write32(pl011::CR, pl011::CR_ON);
        Self(registers)
    }

    fn put(&self, byte: u8) {
        while self.0.read32(pl011::FR) & pl011::FR_TXFF != 0 {
            core::hint::spin_loop();
        }
        self.0.write32(pl011::DR, u32::from(byte));
    }

    fn line(&self, name: &str, text: &[u8]) {
        let padding = core::iter::repeat_n(b' ', NAME_COLUMNS.saturating_sub(name.len()));
        for byte in name.bytes().chain(padding).chain(*b"| ").chain(text.iter().copied()).chain(*b"\r\n") {
            self.put(byte);
        }
    }
}

/// The component's main function.
pub(crate) fn run(env: &Env) {
    match serve(env) {
        Ok(never) => match never {},
        Err(error) => panic!("{error}"),
    }
}

fn serve(env: &Env) -> Result<core::convert::Infallible, RtError> {
    let uart = Uart::on(env.device("uart")?.registers(0)?);
    let channel = env.channel_server(CHANNEL)?;
    let mut assemblies = vec![Assembly::default(); channel.clients().len()];
    loop {
        let Incoming::Message(message) = channel.receive() else { continue };
        let outcome = match channel.client(message.badge()) {
            Some((index, name)) => print(&uart, name, &mut assemblies[index], &message),
            None => Err(Refusal::Client),
        };
        let label = match outcome {
            Ok(()) => 0,
            Err(refusal) => refusal as u64,
        };
        channel.answer(&Message::new(label, []));
    }
}

fn print(uart: &Uart, name: &str, assembly: &mut Assembly, message: &Received) -> Result<(), Refusal> {
    for byte in text(message.label(), message.words())? {
        assembly.push(byte, &mut |line| uart.line(name, line));
    }
    Ok(())
}
