//! Memory by the word. What nobody wrote or cleared reads as garbage, so that a missing clear shows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sluice_abi::{PAGE_SIZE, PhysAddr};

const WORDS: usize = PAGE_SIZE as usize / 8;
/// What uncleared memory holds, by the word of its page: in a table it would map pages, and lead to another table.
const fn garbage(index: usize) -> u64 {
    if index == 5 { 0x4242_4003 } else { 0x4242_47ff }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Page {
    Zero,
    Words(Rc<[u64; WORDS]>),
}

impl Page {
    fn word(&self, index: usize) -> u64 {
        match self {
            Self::Zero => 0,
            Self::Words(words) => words[index],
        }
    }

    fn words(&mut self) -> &mut [u64; WORDS] {
        if *self == Self::Zero {
            *self = Self::Words(Rc::new([0; WORDS]));
        }
        match self {
            Self::Zero => unreachable!(),
            Self::Words(words) => Rc::make_mut(words),
        }
    }
}

/// Sparse memory; copies share pages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Contents(BTreeMap<u64, Page>);

impl Contents {
    pub(crate) fn word(&self, at: PhysAddr) -> u64 {
        assert!(at.is_aligned(3), "unaligned access at {at}");
        self.0.get(&(at.0 / PAGE_SIZE)).map_or_else(|| garbage(index(at)), |page| page.word(index(at)))
    }

    pub(crate) fn set_word(&mut self, at: PhysAddr, value: u64) {
        assert!(at.is_aligned(3), "unaligned access at {at}");
        let page = self.0.entry(at.0 / PAGE_SIZE).or_insert_with(|| Page::Words(Rc::new(std::array::from_fn(garbage))));
        page.words()[index(at)] = value;
    }

    pub(crate) fn clear(&mut self, at: PhysAddr, bytes: u64) {
        let end = at.0 + bytes;
        let mut from = at.0;
        while from < end {
            if from.is_multiple_of(PAGE_SIZE) && end - from >= PAGE_SIZE {
                self.0.insert(from / PAGE_SIZE, Page::Zero);
                from += PAGE_SIZE;
            } else {
                self.set_word(PhysAddr(from), 0);
                from += 8;
            }
        }
    }
}

fn index(at: PhysAddr) -> usize {
    (at.0 % PAGE_SIZE) as usize / 8
}

/// The machine's memory.
#[derive(Default)]
pub(crate) struct Memory(RefCell<Contents>);

impl Memory {
    pub(crate) fn load(&self, at: PhysAddr) -> u64 {
        self.0.borrow().word(at)
    }

    pub(crate) fn store(&self, at: PhysAddr, value: u64) {
        self.0.borrow_mut().set_word(at, value);
    }

    pub(crate) fn clear(&self, at: PhysAddr, bytes: u64) {
        self.0.borrow_mut().clear(at, bytes);
    }

    #[track_caller]
    pub(crate) fn assert_zero(&self, at: PhysAddr, bytes: u64) {
        let contents = self.0.borrow();
        let word = (0..bytes / 8).map(|index| at.offset(8 * index)).find(|at| contents.word(*at) != 0);
        assert_eq!(word, None, "an object was made in memory that is not clear");
    }

    /// What an object leaves behind.
    pub(crate) fn soil(&self, at: PhysAddr, bytes: u64) {
        for index in 0..bytes / 8 {
            self.store(at.offset(8 * index), garbage(0));
        }
    }

    pub(crate) fn contents(&self) -> Contents {
        self.0.borrow().clone()
    }
}
