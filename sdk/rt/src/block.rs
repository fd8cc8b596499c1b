//! Blocks of a disk, from a block server.
//!
//! A component has blocks when it is a client of a channel called `block`, whose server shares a region with it:
//!
//! ```toml
//! [pd.disk]
//! image = "sluice-nvme"
//! args = { scene = "serve", app = "0 1024 app_blocks" }
//!
//! [channel.block]
//! server = "disk"
//! clients = ["app"]
//! ```
//!
//! The data of a transfer goes between the disk and that region, without a copy.
//!
//! A request whose server died ([`RtError::can_ask_again`]) was carried out wholly, in part or not at all. Reads and writes can be
//! made again; writes that were not flushed before the server died are as durable as the disk makes them.

use sluice_manifest::block::{CHANNEL, FLUSH, GEOMETRY, READ, WRITE};
use sluice_sys::{Endpoint, Message};

use crate::{Env, Missing, RtError};

/// The component's range of a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocks {
    server: Endpoint,
}

/// What there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks of the range.
    pub blocks: u64,
    /// Places for blocks in the shared region.
    pub places: u64,
    /// Most blocks of one transfer.
    pub most: u64,
}

/// Blocks and the memory they go to or come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The first block, counted from the beginning of the range.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The first one's place in the shared region, counted in blocks.
    pub place: u64,
}

impl Blocks {
    /// The blocks of the component.
    ///
    /// # Errors
    /// When the spec gives it none.
    pub fn of(env: &Env) -> Result<Self, Missing> {
        Ok(Self { server: env.channel_client(CHANNEL)? })
    }

    /// What there is.
    ///
    /// # Errors
    /// When the server refuses: the spec gives this client no range.
    pub fn geometry(&self) -> Result<Geometry, RtError> {
        let answer = self.server.call(&Message::new(GEOMETRY, []));
        match (answer.label(), answer.words()) {
            (0, &[block_bytes, blocks, places, most]) => Ok(Geometry { block_bytes, blocks, places, most }),
            (label, _) => Err(RtError::answered(CHANNEL, label)),
        }
    }

    /// Reads blocks into the shared region.
    ///
    /// # Errors
    /// When the server refuses, or the disk fails; the memory named may have changed then, and no other.
    pub fn read(&self, extent: Extent) -> Result<(), RtError> {
        self.ask(READ, extent)
    }

    /// Writes blocks from the shared region.
    ///
    /// # Errors
    /// When the server refuses, or the disk fails; the blocks named may have changed then, and no others.
    pub fn write(&self, extent: Extent) -> Result<(), RtError> {
        self.ask(WRITE, extent)
    }

    /// Makes completed writes durable.
    ///
    /// # Errors
    /// When the server refuses, or the disk fails.
    pub fn flush(&self) -> Result<(), RtError> {
        done(self.server.call(&Message::new(FLUSH, [])).label())
    }

    fn ask(&self, label: u64, Extent { first, count, place }: Extent) -> Result<(), RtError> {
        done(self.server.call(&Message::new(label, [first, count, place])).label())
    }
}

const fn done(label: u64) -> Result<(), RtError> {
    match label {
        0 => Ok(()),
        label => Err(RtError::answered(CHANNEL, label)),
    }
}
