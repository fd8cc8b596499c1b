//! Commands in the guest's queue, and what may be asked of the kernel for them.

use crate::guest::{COMMANDS, IOVA, STREAMS};
use crate::step::Command;

/// Puts a command into the queue at an index.
pub(crate) fn put(index: u32, command: Command, mut store: impl FnMut(u64, u64)) {
    let at = COMMANDS + 16 * u64::from(index & 0xff);
    let [low, high] = words(command);
    store(at, low);
    store(at + 8, high);
}

/// The index after one.
pub(crate) const fn after(index: u32) -> u32 {
    (index + 1) & 0x1ff
}

/// What is asked of the kernel for a command, or may be, by stream.
pub(crate) fn names(command: Command) -> Vec<(Option<usize>, [u64; 2])> {
    match command {
        Command::Stream { stream, .. } | Command::Descriptors { stream } => vec![(Some(stream), [0x06, 0])],
        Command::AllStreams => (0..STREAMS.len()).map(|stream| (Some(stream), [0x06, 0])).collect(),
        Command::Descriptor { stream } => vec![(Some(stream), [0x05, 1])],
        Command::All | Command::EveryAll => vec![(None, [0x10, 0])],
        Command::Asid(_) | Command::Address { .. } | Command::Range { .. } => {
            let [low, high] = words(command);
            vec![(None, [low & !(0xffff << 32), high])]
        }
        Command::Sync | Command::Illegal => Vec::new(),
    }
}

/// The command in the queue. A guest without stage 2 may leave anything in the VMID.
fn words(command: Command) -> [u64; 2] {
    let sid = |stream: usize| u64::from(STREAMS[stream]) << 32;
    let vmid = 0x77 << 32;
    let va = |page: usize| IOVA + ((page as u64) << 12);
    let by = |asid: Option<u64>| asid.map_or(0x13, |asid| asid << 48 | 0x12);
    match command {
        Command::Stream { stream, leaf } => [sid(stream) | 0x03, leaf.into()],
        Command::AllStreams => [0x04, 31],
        Command::Descriptor { stream } => [sid(stream) | 0x05, 1],
        Command::Descriptors { stream } => [sid(stream) | 0x06, 0],
        Command::All => [vmid | 0x10, 0],
        Command::EveryAll => [0x30, 0],
        Command::Asid(asid) => [asid << 48 | vmid | 0x11, 0],
        Command::Address { asid, page, leaf } => [by(asid) | vmid, va(page) | u64::from(leaf)],
        Command::Range { asid, page, pages, leaf, level } => {
            // One page without a level is reserved.
            let level = if level || pages == 1 { 3 << 8 } else { 0 };
            [by(asid) | vmid | (pages - 1) << 12, va(page) | u64::from(leaf) | level | 1 << 10]
        }
        Command::Sync => [0x2046, 0],
        Command::Illegal => [0x2a, 0],
    }
}
