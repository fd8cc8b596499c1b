//! Takes requests, and has the timer fire for the earliest alarm.
//!
//! The timer's condition is a level: it holds from the moment the counter reaches CNTP_CVAL_EL0 until that is moved or the
//! timer turned off (DDI 0487, D12.2.4 Timers). An alarm that becomes due between looking at the counter and
//! writing the register is therefore not lost: the interrupt is there at once.
//!
//! Every thread can write the timer's registers. An interrupt is a reason to look at the counter, which nobody can set, and
//! after each look the registers are written again.

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{CNTP_CTL_EL0, CNTP_CVAL_EL0, Writeable};
use sluice_rt::manifest::timer::CHANNEL;
use sluice_rt::{Env, Incoming, RtError, Server, time};
use sluice_sys::Message;
use sluice_timer::{Alarms, Refusal, deadline};

/// The component's main function.
pub(crate) fn run(env: &Env) {
    match serve(env) {
        Ok(never) => match never {},
        Err(error) => panic!("{error}"),
    }
}

fn serve(env: &Env) -> Result<core::convert::Infallible, RtError> {
    let channel = env.channel_server(CHANNEL)?;
    let interrupt = env.physical_timer()?;
    let mut alarms = Alarms::new(channel.clients().len());
    program(None);
    loop {
        match channel.receive() {
            Incoming::Message(message) => {
                let request = deadline(message.label(), message.words());
                let client = channel.client(message.badge()).ok_or(Refusal::Client);
                let outcome = client.and_then(|(client, _)| request.map(|at| alarms.set(client, at)));
                ring(&mut alarms, &channel)?;
                let label = match outcome {
                    Ok(()) => 0,
                    Err(refusal) => refusal as u64,
                };
                channel.answer(&Message::new(label, []));
            }
            Incoming::Signalled => {
                if interrupt.poll() {
                    ring(&mut alarms, &channel)?;
                    // The line is low by now, or another alarm is due.
                    interrupt.ack()?;
                }
            }
        }
    }
}

/// Signals those whose alarms are due, and sets the timer for the next.
fn ring(alarms: &mut Alarms, channel: &Server<'_>) -> Result<(), RtError> {
    for client in alarms.take_due(time::ticks()) {
        channel.signal(client)?;
    }
    program(alarms.earliest());
    Ok(())
}

/// Sets when the timer fires. CNTPCT_EL0, which it compares with, is CNTVCT_EL0 for native threads: the kernel leaves them
/// an offset of 0.
fn program(at: Option<u64>) {
    match at {
        Some(at) => {
            CNTP_CVAL_EL0.set(at);
            CNTP_CTL_EL0.write(CNTP_CTL_EL0::ENABLE::SET + CNTP_CTL_EL0::IMASK::CLEAR);
        }
        None => CNTP_CTL_EL0.set(0),
    }
    // The acknowledgement that may follow must find the line as it is now.
    barrier::isb(barrier::SY);
}
