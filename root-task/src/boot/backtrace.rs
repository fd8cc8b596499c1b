//! Where a component was when its life ended, from its frame records.
//!
//! A hint, for the one who reads the console: it is made of what the component left on its stack, which may be anything.
//! So every address is looked at before it is followed, and a walk takes a bounded number of steps. Programs that were built
//! without frame records have a shorter one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use sluice_abi::{PAGE_BITS, PAGE_SIZE, Register, VirtAddr};
use sluice_manifest::layout;

use super::builder::{Builder, FILL};
use super::running::Running;
use crate::kernel::{Invocation, Kernel};

/// Most addresses of one trace.
const MOST: usize = 16;

/// Where a thread is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Position {
    /// Its program counter.
    pc: u64,
    /// x30: the return address of a function that has called nothing yet.
    link: u64,
    /// x29: its innermost frame record.
    frame: u64,
}

impl<K: Kernel> Running<'_, K> {
    /// Addresses in the code of a component that has stopped, the innermost first: `NAME backtrace ADDRESS …`.
    pub(super) fn backtrace(&mut self, index: usize) -> Option<String> {
        let component = self.system.components.get(index)?;
        let (image, built) = (self.lasting.images.get(index)?, self.lasting.built.get(index)?);
        let context = self.builder.kernel.registers(built.thread).ok()?;
        let at = Position {
            pc: context.get(Register::Pc),
            link: context.get(Register::X(30)),
            frame: context.get(Register::X(29)),
        };
        let is_code = |address: u64| {
            let page = address & !(PAGE_SIZE - 1);
            image.pages.binary_search_by_key(&page, |page| page.vaddr).is_ok_and(|at| image.pages[at].perms.execute)
        };
        let bottom = layout::STACK_TOP - component.stack;
        let mut window = Window { builder: &mut self.builder, who: &component.name, first: built.stack, open: None };
        let addresses = walk(at, is_code, bottom..layout::STACK_TOP, |at| window.word(at - bottom));
        window.close();
        let shown: Vec<String> = addresses.iter().map(|address| format!("{address:#x}")).collect();
        Some(format!("{} backtrace {}", component.name, shown.join(" ")))
    }
}

/// Follows frame records (AAPCS64, 6.4.6): two words, that of the caller's record and that of the return address.
fn walk(
    at: Position,
    is_code: impl Fn(u64) -> bool,
    stack: Range<u64>,
    mut word: impl FnMut(u64) -> Option<u64>,
) -> Vec<u64> {
    let mut addresses = alloc::vec![at.pc];
    // A branch to nowhere leaves its origin in the link register only.
    if !is_code(at.pc) && is_code(at.link) {
        addresses.push(at.link);
    }
    let (mut frame, mut above) = (at.frame, stack.start);
    while addresses.len() < MOST && frame >= above && frame.is_multiple_of(8) && frame < stack.end - 8 {
        let (Some(caller), Some(address)) = (word(frame), word(frame + 8)) else { break };
        if !is_code(address) {
            break;
        }
        if addresses.last() != Some(&address) {
            addresses.push(address);
        }
        (frame, above) = (caller, frame + 16);
    }
    addresses
}

/// The page of a component's stack that the root task looks at.
struct Window<'b, K> {
    builder: &'b mut Builder<K>,
    who: &'b str,
    /// Slot of the frame of the lowest page.
    first: u64,
    /// The page that is mapped.
    open: Option<u64>,
}

impl<K: Kernel> Window<'_, K> {
    /// The word at an offset of the stack, a multiple of eight inside it.
    fn word(&mut self, offset: u64) -> Option<u64> {
        let page = offset >> PAGE_BITS;
        if self.open != Some(page) {
            self.close();
            let copy = self.builder.copy_frame_in_transit(self.who, self.first + page).ok()?;
            self.open = Some(page);
            self.builder.show(self.who, copy).ok()?;
        }
        let at = FILL + (offset & (PAGE_SIZE - 1));
        let half = |at| u64::from(self.builder.kernel.load(VirtAddr(at)));
        Some(half(at) | half(at + 4) << 32)
    }

    /// A frame that is no more named is no more mapped.
    fn close(&mut self) {
        if self.open.take().is_some() {
            let slot = self.builder.transit();
            if let Err(refused) = self.builder.invoke(self.who, Invocation::Delete { slot }) {
                self.builder.kernel.line(&format!("{refused}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const STACK: Range<u64> = 0x1000..0x2000;

    fn code(address: u64) -> bool {
        (0x40_0000..0x41_0000).contains(&address)
    }

    fn trace(at: Position, memory: &[(u64, u64)]) -> Vec<u64> {
        let memory: BTreeMap<u64, u64> = memory.iter().copied().collect();
        walk(at, code, STACK, |at| {
            assert!(STACK.contains(&at) && at.is_multiple_of(8), "{at:#x}");
            Some(memory.get(&at).copied().unwrap_or(0))
        })
    }

    const AT: Position = Position { pc: 0x40_0100, link: 0x40_0200, frame: 0x1100 };

    #[test]
    fn records_are_followed_to_the_last() {
        let memory = [(0x1100, 0x1140), (0x1108, 0x40_0300), (0x1140, 0), (0x1148, 0x40_0400)];
        assert_eq!(trace(AT, &memory), [0x40_0100, 0x40_0300, 0x40_0400]);
    }

    #[test]
    fn a_branch_to_nowhere_shows_where_it_came_from() {
        let memory = [(0x1100, 0), (0x1108, 0x40_0300)];
        assert_eq!(trace(Position { pc: 0xbad0, ..AT }, &memory), [0xbad0, 0x40_0200, 0x40_0300]);
        assert_eq!(trace(Position { pc: 0xbad0, link: 7, ..AT }, &memory), [0xbad0, 0x40_0300]);
    }

    #[test]
    fn whatever_is_on_the_stack_the_walk_ends_and_stays_inside() {
        // In circles, downwards, on the spot, outside, not aligned, to what is no code.
        for (caller, expected) in [(0x1100, 2), (0x10f0, 2), (0x1108, 2), (0x1ff8, 2), (u64::MAX - 7, 2), (0x1141, 2)] {
            let memory = [(0x1100, caller), (0x1108, 0x40_0300), (0x1148, 0x40_0400)];
            assert_eq!(trace(AT, &memory).len(), expected, "{caller:#x}");
        }
        for frame in [0, 8, 0xff8, 0x1ff8, 0x2000, 0x1104, u64::MAX, u64::MAX - 7] {
            assert_eq!(trace(Position { frame, ..AT }, &[]).len(), 1, "{frame:#x}");
        }
        assert_eq!(trace(AT, &[(0x1100, 0x1140), (0x1108, 0x50_0000)]).len(), 1);
        let long: Vec<(u64, u64)> = (0..200)
            .flat_map(|index| {
                let at = 0x1000 + 16 * index;
                [(at, at + 16), (at + 8, 0x40_0000 + 4 * index)]
            })
            .collect();
        assert_eq!(trace(Position { frame: 0x1000, ..AT }, &long).len(), MOST);
    }
}
