//! Shows text on the UART, and hands out what is typed.

use sluice_console::{Desk, Refusal, answer, pl011, room, text};
use sluice_manifest::console::{CHANNEL, READ, READ_BYTES};
use sluice_rt::{Env, Incoming, Interrupt, Registers, RtError, Server};
use sluice_sys::{Message, Received};

struct Uart(Registers);

impl Uart {
    /// The UART, which interrupts when something was typed if somebody can wait for that.
    fn on(registers: Registers, interrupts: bool) -> Self {
        registers.write32(pl011::CR, pl011::CR_ON);
        registers.write32(pl011::IMSC, if interrupts { pl011::RECEIVE } else { 0 });
        Self(registers)
    }

    fn put(&self, byte: u8) {
        while self.0.read32(pl011::FR) & pl011::FR_TXFF != 0 {
            core::hint::spin_loop();
        }
        self.0.write32(pl011::DR, u32::from(byte));
    }

    /// The next byte with its flags, if one has come.
    fn get(&self) -> Option<u32> {
        (self.0.read32(pl011::FR) & pl011::FR_RXFE == 0).then(|| self.0.read32(pl011::DR))
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
    let device = env.device("uart")?;
    // A spec may keep it away; nobody can type then.
    let interrupt = device.interrupt().ok();
    let uart = Uart::on(device.registers(0)?, interrupt.is_some());
    let channel = env.channel_server(CHANNEL)?;
    let mut desk = Desk::new(env.name(), channel.clients());
    let mut put = |byte| uart.put(byte);
    if let Some(name) = env.arg("attach").filter(|name| !desk.attach_to(name, &mut put)) {
        desk.say(&alloc::format!("attach={name}: there is no such client"), &mut put);
    }
    loop {
        tell(&mut desk, &channel);
        match channel.receive() {
            Incoming::Message(message) => match channel.client(message.badge()) {
                Some((client, _)) if message.label() == READ => read(&mut desk, client, &channel, &message),
                Some((client, _)) => {
                    let text = text(message.label(), message.words());
                    let outcome = text.map(|text| desk.write(client, text, &mut put));
                    channel.answer(&Message::new(outcome.map_or_else(|refusal| refusal as u64, |()| 0), []));
                }
                None => channel.answer(&Message::new(Refusal::Client as u64, [])),
            },
            Incoming::Signalled => {
                if let Some(interrupt) = interrupt.filter(Interrupt::poll) {
                    listen(&mut desk, &uart);
                    interrupt.ack()?;
                }
            }
        }
    }
}

/// Takes all that was typed. The interrupt is cleared before: what comes later raises it again.
fn listen(desk: &mut Desk<'_>, uart: &Uart) {
    uart.0.write32(pl011::ICR, pl011::RECEIVE);
    while let Some(data) = uart.get() {
        if data & (pl011::DR_OVERRUN | pl011::DR_BAD) != 0 {
            desk.lost(1);
        }
        if data & pl011::DR_BAD == 0 {
            desk.press(data as u8, &mut |byte| uart.put(byte));
        }
    }
}

fn read(desk: &mut Desk<'_>, client: usize, channel: &Server<'_>, message: &Received) {
    let mut bytes = [0; READ_BYTES];
    match room(message.label(), message.words()) {
        Ok(room) => {
            let (count, lost, attached) = desk.read(client, &mut bytes[..room]);
            channel.answer(&Message::new(0, answer(&bytes[..count], lost, attached)));
        }
        Err(refusal) => channel.answer(&Message::new(refusal as u64, [])),
    }
}

/// Signals the clients that have something to ask for.
fn tell(desk: &mut Desk<'_>, channel: &Server<'_>) {
    for client in desk.take_news() {
        // Without `notify` there are no signals: clients that want input ask now and then.
        if channel.signal(client).is_err() {
            return;
        }
    }
}
