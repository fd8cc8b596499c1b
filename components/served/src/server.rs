//! The servers: both are the same program, and one of them is asked to die.

use sluice_abi::VirtAddr;
use sluice_manifest::layout;
use sluice_rt::sys::{Endpoint, Message};
use sluice_rt::{Env, Incoming, Memory, RtError, check};
use sluice_served::{REFUSED, Request, echo};

use crate::program::deaths;

/// Serves for ever.
pub(crate) fn run(env: &Env, channel: &str) -> Result<(), RtError> {
    let server = env.channel_server(channel)?;
    let place = env.slots().take()?;
    let life = u64::from(env.life());
    // The number of the client that is kept.
    let mut kept = None;
    loop {
        let Incoming::Message(message) = server.receive() else { continue };
        let number = message.word(0);
        match Request::from_label(message.label()) {
            Some(Request::Ask) => server.answer(&Message::new(0, [echo(number), life])),
            Some(Request::Keep) if kept.is_none() => {
                place.save_caller().map_err(RtError::refused("save the caller"))?;
                kept = Some(number);
            }
            Some(Request::Release) => {
                if let Some(number) = kept.take() {
                    Endpoint::from(place.index).send(&Message::new(0, [echo(number), life]));
                }
                server.answer(&Message::new(0, [echo(number), life]));
            }
            Some(Request::Die) => die(env),
            Some(Request::Keep) | None => server.answer(&Message::new(REFUSED, [])),
        }
    }
}

/// Dies with the caller unanswered, each life in another way than the one before.
fn die(env: &Env) -> ! {
    if u64::from(env.life()) >= deaths(env) {
        check!("lives-on", false, "life {} is the last", env.life());
    }
    if env.life().is_multiple_of(2)
        && let Some(nowhere) = Memory::at(VirtAddr(layout::FREE + (1 << 32)), 4096)
    {
        nowhere.write64(0, 0);
    }
    panic!("of life {}, as it was to be", env.life());
}
