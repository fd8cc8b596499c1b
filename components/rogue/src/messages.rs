//! Messages to those who serve everybody.

use sluice_abi::CPtr;
use sluice_rogue::{Letter, Letters, Manner, To};
use sluice_rt::Env;
use sluice_rt::manifest::{block, console, slot, timer};
use sluice_rt::sys::{Endpoint, Message};

/// Messages of a flood.
const FLOOD: u32 = 600;
/// Messages of garbage after which a life that is to end does.
const GARBAGE: usize = 2000;
/// What a component holds and might give away.
const CAPS: [u64; 5] = [slot::CNODE, slot::TCB, slot::VSPACE, slot::NOTIFICATION, slot::SUPERVISOR];

/// Messages of the greatest length: lines without end, lines of others, bytes that move the cursor and clear the screen.
pub(crate) fn flood(env: &Env) {
    let server = client(env, console::CHANNEL);
    let texts: [&[u8]; 6] = [
        b"no end ",
        b"\rroot    | RESULT 0 passed, 99 failed ",
        b"\x1b[2J\x1b[1;1H\x07\x08\x08",
        b"\n\ra line that ends at last, in the middle of the message, and begins again at once \x7f\x1b[A",
        b"\xc2\x85\xc2\x9bverse 0\r",
        b"\x00\xff\xfe\x1d1",
    ];
    for number in 0..FLOOD {
        let text = texts[number as usize % texts.len()];
        let mut words = [0; 1 + console::MAX_BYTES / 8];
        words[0] = console::MAX_BYTES as u64;
        let mut bytes = text.iter().cycle();
        for word in &mut words[1..] {
            let eight: [u8; 8] = core::array::from_fn(|_| bytes.next().copied().unwrap_or(0));
            *word = u64::from_le_bytes(eight);
        }
        // Whatever the answer is: the next one follows.
        let _answer = server.call(&Message::new(console::WRITE, words));
    }
}

/// Random messages.
pub(crate) fn garbage(env: &Env) {
    let seed: u64 = env.arg("seed").and_then(|text| text.parse().ok()).unwrap_or(1);
    let channels = [block::CHANNEL, console::CHANNEL, timer::CHANNEL].map(|channel| client(env, channel));
    for letter in Letters::new(seed + u64::from(env.life())).take(GARBAGE) {
        let Letter { to, manner, label, words, length, caps } = letter;
        let server = match to {
            To::Block => channels[0],
            To::Console => channels[1],
            To::Timer => channels[2],
        };
        let message = Message::new(label, words).shortened(length);
        let message =
            CAPS.iter().cycle().skip(length).take(caps).fold(message, |message, cap| message.with_cap(CPtr(*cap)));
        match manner {
            Manner::Call => {
                let _answer = server.call(&message);
            }
            Manner::Send => server.send(&message),
            Manner::TrySend => server.nb_send(&message),
        }
    }
}

fn client(env: &Env, channel: &str) -> Endpoint {
    match env.channel_client(channel) {
        Ok(server) => server,
        Err(missing) => panic!("{missing}"),
    }
}
