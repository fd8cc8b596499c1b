//! Makes a page of the Untyped `page`, and answers clients for ever.

use core::convert::Infallible;

use sluice_abi::ObjectType;
use sluice_canary::{CHANNEL, Keeper};
use sluice_manifest::slot;
use sluice_rt::{Env, Incoming, RtError, Tables};
use sluice_sys::{CNode, Frame};

/// The component's main function.
pub(crate) fn run(env: &Env) {
    match serve(env) {
        Ok(never) => match never {},
        Err(error) => panic!("{error}"),
    }
}

fn serve(env: &Env) -> Result<Infallible, RtError> {
    let untyped = env.untyped("page")?.cap;
    let place = env.slots().take()?;
    let own = CNode::from(slot::CNODE).from_offset(place.index);
    untyped.retype(ObjectType::SmallPage, 0, own, 1).map_err(RtError::refused("make a frame"))?;
    let frame = Frame::from(place.index);
    let page = env.map_page(frame, &Tables::new(untyped, env.slots()))?;
    let server = env.channel_server(CHANNEL)?;
    let mut keeper = Keeper::new(env, page, frame)?;
    loop {
        match server.receive() {
            Incoming::Message(message) => server.answer(&keeper.answer(&message)),
            Incoming::Signalled => {}
        }
    }
}
