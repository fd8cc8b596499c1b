//! The canary page: a page of memory this component shares with its disk's controller, for another component to aim at.

use sluice_canary::{CHANNEL, Keeper};
use sluice_nvme::layout;
use sluice_nvme::prp::PAGE;
use sluice_rt::{Env, Incoming, RtError, Server};

use super::hardware::Problem;

/// The channel, with the page that is asked about.
pub(crate) struct Vault<'a> {
    server: Server<'a>,
    keeper: Keeper<'a>,
}

impl<'a> Vault<'a> {
    /// Keeps the last page of the queue region of device `name`, which the driver leaves alone.
    pub(crate) fn open(env: &'a Env, name: &str, region: &str) -> Result<Self, Problem> {
        let view = env.device(name).map_err(RtError::from)?.dma(region)?;
        let given = view.memory.len() as u64;
        let last = given.checked_sub(PAGE).filter(|last| *last >= layout::BYTES);
        let page = last.and_then(|last| view.memory.part(last as usize, PAGE as usize));
        let frame = view.frames.last().filter(|_| view.frames.len() as u64 * PAGE == given);
        let (Some(page), Some(frame)) = (page, frame) else {
            return Err(Problem::NoCanaryPage { needed: layout::BYTES + PAGE, given });
        };
        let server = env.channel_server(CHANNEL).map_err(RtError::from)?;
        Ok(Self { server, keeper: Keeper::new(env, page, *frame)? })
    }

    /// Answers clients for ever.
    pub(crate) fn serve(mut self) -> ! {
        loop {
            match self.server.receive() {
                Incoming::Message(message) => self.server.answer(&self.keeper.answer(&message)),
                // The controllers are shut down: a late interrupt or fault record is nobody's business.
                Incoming::Signalled => {}
            }
        }
    }
}
