//! The disk for others: each client of the channel `block` has a range of blocks, and data moves between these and a region of the
//! client's.
//!
//! One request is done after the other, in the order in which the kernel has them. A client waits for its answer, so that between two
//! requests of one client every other client that asked has its turn. The controller reaches the clients' regions itself; this
//! component does not see them.
//!
//! What a client asks for and may not have is refused; when the controller is of no use any more, the component ends.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::convert::Infallible;

use sluice_abi::Iova;
use sluice_nvme::hardware::Interrupt as _;
use sluice_nvme::machine::{Bar, Counter, Line, Patient, Shared};
use sluice_nvme::share::{Flaw, Format, Grant, Refusal, Request, Share, Transfer};
use sluice_nvme::{Controller, Data, Error, Operation, stream};
use sluice_rt::manifest::block::CHANNEL;
use sluice_rt::sys::Message;
use sluice_rt::timer::Timer;
use sluice_rt::{Env, Incoming, Missing, RtError, Server, println};

use super::hardware::Problem;

/// The driver's own region.
const QUEUE: &str = "disk_queue";

struct Disk {
    controller: Controller<Bar, Shared, Counter>,
    interrupt: Patient,
}

/// Serves until the controller fails.
pub(super) fn run(env: &Env) -> Result<Infallible, Problem> {
    let device = env.device("disk").map_err(RtError::from)?;
    let server = env.channel_server(CHANNEL).map_err(RtError::from)?;
    let controller = Controller::open(Bar(device.registers(0)?), Shared(device.dma(QUEUE)?), Counter)?;
    let mut interrupt = Patient { line: Line(device.interrupt()?), timer: Timer::of(env).ok() };
    interrupt.rearm();
    let mut disk = Disk { controller, interrupt };
    let shares = match shares(env, &server, &disk, |region| device.dma_range(region)) {
        Ok(shares) => shares,
        Err(text) => panic!("{text}"),
    };
    println!("{} clients have a share of {} blocks", shares.iter().flatten().count(), disk.format().blocks);
    loop {
        let Incoming::Message(message) = server.receive() else { continue };
        let share = server.client(message.badge()).and_then(|(client, _)| *shares.get(client)?);
        let request = share.ok_or(Refusal::Client).and_then(|share| share.admit(message.label(), message.words()));
        match request {
            Err(refusal) => server.answer(&Message::new(refusal as u64, [])),
            Ok(Request::Geometry(words)) => server.answer(&Message::new(0, words)),
            Ok(Request::Read(Transfer { lba, blocks, memory })) => {
                let outcome = disk.run(Operation::Read { lba, blocks, data: Data::At(memory) })?;
                server.answer(&Message::new(outcome, []));
            }
            Ok(Request::Write(Transfer { lba, blocks, memory })) => {
                let outcome = disk.run(Operation::Write { lba, blocks, data: Data::At(memory) })?;
                server.answer(&Message::new(outcome, []));
            }
            Ok(Request::Flush) => {
                let outcome = disk.run(Operation::Flush)?;
                server.answer(&Message::new(outcome, []));
            }
        }
    }
}

impl Disk {
    fn format(&self) -> Format {
        let namespace = self.controller.namespace();
        let max_transfer = self.controller.identity().max_transfer;
        Format { block_bytes: namespace.block_bytes(), blocks: namespace.blocks, max_transfer }
    }

    /// Does it, and returns the label of the answer.
    fn run(&mut self, operation: Operation) -> Result<u64, Error> {
        let ended = stream::single(&mut self.controller, &mut self.interrupt, operation)?;
        Ok(ended.map_or_else(
            |status| {
                println!("{operation:?} failed: {status}");
                Refusal::Disk as u64
            },
            |()| 0,
        ))
    }
}

/// What each client has, in the channel's order; none where the spec has no argument of the client's name.
fn shares(
    env: &Env,
    server: &Server<'_>,
    disk: &Disk,
    find: impl Fn(&str) -> Result<(Iova, u64), Missing>,
) -> Result<Vec<Option<Share>>, String> {
    let words = |flaw: Flaw<'_>| flaw.to_string();
    let arguments = server.clients().map(|name| env.arg(name).map(Grant::parse).transpose());
    let given = arguments.collect::<Result<Vec<_>, _>>().map_err(words)?;
    let all: Vec<Grant<'_>> = given.iter().flatten().copied().collect();
    let format = disk.format();
    all.iter().try_for_each(|grant| grant.check(&all, &format, QUEUE)).map_err(words)?;
    let share = |grant: Grant<'_>| {
        let (memory, bytes) = find(grant.region).map_err(|missing| missing.to_string())?;
        grant.share(&format, memory, bytes).map_err(words)
    };
    given.into_iter().map(|grant| grant.map(share).transpose()).collect()
}
