//! The guest's streams, and what each of them does.

use alloc::vec::Vec;

use super::backend::{Backend, Stage1};

/// Most streams of a guest. What one command can cost is proportional to them.
pub const MAX_STREAMS: usize = 64;

/// Why a list of StreamIDs is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadStreams {
    /// There are more than [`MAX_STREAMS`].
    TooMany,
    /// The guest's StreamIDs do not go as far as this one.
    Beyond(u32),
    /// This one is there twice.
    Twice(u32),
}

/// A stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// Its number in the guest.
    pub(super) sid: u32,
    /// What it does.
    pub(super) stage1: Stage1,
    /// What was found as its entry when that was last looked at.
    pub(super) found: Found,
}

/// What was found as the entry of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// None that is valid.
    Nothing,
    /// One that is carried out.
    Good,
    /// An illegal one.
    Bad,
}

/// All streams, in the order in which they were given.
#[derive(Clone, Debug)]
pub(super) struct Streams(Vec<Stream>);

impl Streams {
    /// The streams of a list, which abort: so does a stream that nobody bound.
    pub(super) fn new(sids: &[u32], sid_bits: u32) -> Result<Self, BadStreams> {
        if sids.len() > MAX_STREAMS {
            return Err(BadStreams::TooMany);
        }
        let mut streams: Vec<Stream> = Vec::with_capacity(sids.len());
        for sid in sids.iter().copied() {
            if u64::from(sid) >> sid_bits != 0 {
                return Err(BadStreams::Beyond(sid));
            }
            if streams.iter().any(|stream| stream.sid == sid) {
                return Err(BadStreams::Twice(sid));
            }
            streams.push(Stream { sid, stage1: Stage1::Abort, found: Found::Nothing });
        }
        Ok(Self(streams))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.0.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Stream> {
        self.0.get(index)
    }

    /// Index of the stream with a number of the guest's.
    pub(super) fn find(&self, sid: u32) -> Option<usize> {
        self.0.iter().position(|stream| stream.sid == sid)
    }

    /// Has a stream do something; whether it did not do that before.
    pub(super) fn set(&mut self, index: usize, stage1: Stage1, world: &mut impl Backend) -> bool {
        let Some(stream) = self.0.get_mut(index) else { return false };
        let changes = stream.stage1 != stage1;
        if changes {
            stream.stage1 = stage1;
            world.set_stage1(index, stage1);
        }
        changes
    }

    /// Notes what was found as the entry of a stream, and says what had been found before.
    pub(super) fn note(&mut self, index: usize, found: Found) -> Found {
        self.0.get_mut(index).map_or(found, |stream| core::mem::replace(&mut stream.found, found))
    }
}
