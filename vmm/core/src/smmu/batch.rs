//! Invalidations on their way to the kernel: as few calls as the guest's order permits.

use alloc::vec::Vec;

use sluice_abi::smmu::MAX_STAGE1_COMMANDS;

use super::backend::{Backend, Stage1};
use super::formats::{CFGI0, CFGI1, CMD0, TLBI1, opcode};
use super::streams::Streams;

/// One invalidation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Invalidation {
    /// For every stream that has a table: a guest's ASIDs are the same in all its contexts.
    Translations([u64; 2]),
    /// For one stream.
    Descriptors { stream: usize, words: [u64; 2] },
}

impl Invalidation {
    /// Whether it leaves everything cached but translations of single pages and blocks.
    fn is_about_leaves(&self) -> bool {
        match *self {
            Self::Translations([low, high]) => {
                let by_address = matches!(CMD0::OPCODE.read(low), opcode::TLBI_NH_VA | opcode::TLBI_NH_VAA);
                by_address && TLBI1::LEAF.is_set(high)
            }
            Self::Descriptors { .. } => false,
        }
    }
}

/// Invalidations that have not been issued yet. Commands of one call have no order among each other.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Batch {
    /// At most [`MAX_STAGE1_COMMANDS`].
    list: Vec<Invalidation>,
    /// What comes now may count on what is in the list.
    closed: bool,
    /// Those for one stream; empty but while they are issued.
    commands: Vec<[u64; 2]>,
}

impl Batch {
    /// Adds an invalidation of translations of all streams.
    pub(super) fn translations(&mut self, words: [u64; 2], streams: &Streams, world: &mut impl Backend) {
        self.push(Invalidation::Translations(words), streams, world);
    }

    /// Adds an invalidation of one context descriptor, or all, of a stream that has a table with that descriptor; there
    /// is nothing to forget of others.
    pub(super) fn descriptors(
        &mut self,
        stream: usize,
        substream: Option<u32>,
        leaf: bool,
        streams: &Streams,
        world: &mut impl Backend,
    ) {
        let Some(Stage1::Table(table)) = streams.get(stream).map(|stream| stream.stage1) else { return };
        let words = match substream {
            None => [opcode::CFGI_CD_ALL, 0],
            Some(substream) if u64::from(substream) >> table.max != 0 => return,
            Some(substream) => {
                let low = opcode::CFGI_CD | CFGI0::SSID.val(u64::from(substream)).value;
                [low, CFGI1::LEAF.val(u64::from(leaf)).value]
            }
        };
        self.push(Invalidation::Descriptors { stream, words }, streams, world);
    }

    /// A CMD_SYNC. The order that it makes can be seen only where what comes before it takes away something that others
    /// are fetched by, a descriptor or a table: what comes behind it may count on nothing being made by that any more.
    pub(super) fn sync(&mut self) {
        self.closed |= self.list.iter().any(|one| !one.is_about_leaves());
    }

    /// A stream has got another table, or none: what was to be forgotten of its descriptors is, and may not fit any
    /// more.
    pub(super) fn drop_descriptors(&mut self, stream: usize) {
        let of_stream =
            |one: &Invalidation| matches!(one, Invalidation::Descriptors { stream: of, .. } if *of == stream);
        self.list.retain(|one| !of_stream(one));
    }

    fn push(&mut self, invalidation: Invalidation, streams: &Streams, world: &mut impl Backend) {
        if self.closed || self.list.len() == MAX_STAGE1_COMMANDS {
            self.issue(streams, world);
        }
        self.list.push(invalidation);
    }

    /// Issues everything: one call for each stream that it concerns.
    pub(super) fn issue(&mut self, streams: &Streams, world: &mut impl Backend) {
        for (index, stream) in streams.iter().enumerate() {
            if !matches!(stream.stage1, Stage1::Table(_)) {
                continue;
            }
            self.commands.extend(self.list.iter().filter_map(|invalidation| match *invalidation {
                Invalidation::Descriptors { stream, .. } if stream != index => None,
                Invalidation::Translations(words) | Invalidation::Descriptors { words, .. } => Some(words),
            }));
            if !self.commands.is_empty() {
                world.invalidate(index, &self.commands);
            }
            self.commands.clear();
        }
        self.list.clear();
        self.closed = false;
    }
}
