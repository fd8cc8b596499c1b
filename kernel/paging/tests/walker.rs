//! The walker against a map of what was mapped, over random sequences of map, unmap and table removal.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use sluice_abi::{FrameSize, PhysAddr, USER_TOP};
use sluice_paging::{
    Access, Entry, Format, Leaf, Mapping, MemoryType, TableMemory, lookup, mappings, translate, valid,
};

const ROOT: PhysAddr = PhysAddr(0x1000);

/// Words of zeroed memory, with the pages of tables handed out in order.
struct Words {
    words: RefCell<HashMap<u64, u64>>,
    next_page: Cell<u64>,
}

impl Words {
    fn new() -> Self {
        Self { words: RefCell::default(), next_page: Cell::new(0x2000) }
    }

    fn new_table(&self) -> PhysAddr {
        let page = self.next_page.get();
        self.next_page.set(page + 0x1000);
        PhysAddr(page)
    }
}

impl TableMemory for Words {
    fn load(&self, at: PhysAddr) -> u64 {
        assert!(at.is_aligned(3), "{at} is no word");
        self.words.borrow().get(&at.0).copied().unwrap_or(0)
    }

    fn store(&self, at: PhysAddr, value: u64) {
        assert!(at.is_aligned(3), "{at} is no word");
        self.words.borrow_mut().insert(at.0, value);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Map {
        va: u64,
        leaf: Leaf,
    },
    Unmap {
        va: u64,
    },
    /// Takes away the table of the level below `level` that translates `va`.
    DropTable {
        va: u64,
        level: u8,
    },
}

/// Addresses that share tables often: few values for each index, the extremes among them.
fn addresses() -> impl Strategy<Value = u64> {
    let index = || prop::sample::select(vec![0u64, 1, 511]);
    (prop::sample::select(vec![0u64, 1, 31]), index(), index(), index())
        .prop_map(|(l0, l1, l2, l3)| l0 << 39 | l1 << 30 | l2 << 21 | l3 << 12)
}

fn leaves() -> impl Strategy<Value = Leaf> {
    let size = prop::sample::select(FrameSize::ALL.to_vec());
    (size, 0u64..1 << 14, any::<[bool; 3]>(), any::<bool>()).prop_map(
        |(size, frame, [read, write, execute], device)| Leaf {
            address: PhysAddr(frame << size.bits()),
            size,
            access: Access { read, write, execute },
            memory: if device { MemoryType::Device } else { MemoryType::Normal },
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (addresses(), leaves()).prop_map(|(va, leaf)| Step::Map { va, leaf }),
        2 => addresses().prop_map(|va| Step::Unmap { va }),
        1 => (addresses(), 0u8..3).prop_map(|(va, level)| Step::DropTable { va, level }),
    ];
    prop::collection::vec(step, 1..40)
}

/// What ought to be: leaves by first address, and the tables that exist below the root by (level, first address).
#[derive(Default)]
struct Expected {
    leaves: BTreeMap<u64, Leaf>,
    tables: BTreeSet<(u8, u64)>,
}

impl Expected {
    fn leaf_at(&self, va: u64) -> Option<(u64, Leaf)> {
        let (&start, &leaf) = self.leaves.range(..=va).next_back()?;
        (va < start + leaf.size.bytes()).then_some((start, leaf))
    }

    /// Level at which a walk for `va` must end: one below the deepest table that covers it.
    fn level_of_walk(&self, va: u64) -> u8 {
        (1..=3).take_while(|&level| self.tables.contains(&(level, first(level, va)))).last().unwrap_or(0)
    }

    fn remove_range(&mut self, start: u64, bytes: u64, above: u8) {
        self.leaves.retain(|&va, _| va < start || va >= start + bytes);
        self.tables.retain(|&(level, va)| level <= above || va < start || va >= start + bytes);
    }
}

/// First address that a table of `level` translates, when it is on the walk of `va`.
fn first(level: u8, va: u64) -> u64 {
    va & !((1 << Format::coverage_bits(level - 1)) - 1)
}

fn map(mem: &Words, format: Format, expected: &mut Expected, va: u64, leaf: Leaf) {
    let va = va & !(leaf.size.bytes() - 1);
    let target = Format::level_of(leaf.size);
    loop {
        let found = lookup(mem, format, ROOT, va);
        if found.entry != Entry::Invalid || found.level > target {
            // occupied by a leaf, or a table stands where the block would go
            let occupied = expected.leaf_at(va).is_some() || expected.tables.contains(&(target + 1, va));
            assert!(occupied, "the walk ended at {found:?} for a free address");
            return;
        }
        if found.level == target {
            mem.store(found.slot, format.encode_leaf(&leaf));
            expected.leaves.insert(va, format.effective(leaf));
            return;
        }
        mem.store(found.slot, format.encode_table(mem.new_table()));
        expected.tables.insert((found.level + 1, first(found.level + 1, va)));
    }
}

fn unmap(mem: &Words, format: Format, expected: &mut Expected, va: u64) {
    let found = lookup(mem, format, ROOT, va);
    match expected.leaf_at(va) {
        Some((start, _)) => {
            assert!(matches!(found.entry, Entry::Leaf(_)));
            mem.store(found.slot, 0);
            expected.leaves.remove(&start);
        }
        None => assert_eq!(found.entry, Entry::Invalid),
    }
}

fn drop_table(mem: &Words, format: Format, expected: &mut Expected, va: u64, level: u8) {
    let mut table = ROOT;
    for above in 0..=level {
        let slot = table.offset(Format::index(above, va) * 8);
        let Entry::Table(next) = format.decode(above, mem.load(slot)) else { return };
        if above == level {
            mem.store(slot, 0);
            expected.remove_range(first(level + 1, va), 1 << Format::coverage_bits(level), level);
        }
        table = next;
    }
}

fn compare(mem: &Words, format: Format, expected: &Expected, probes: &[u64]) {
    let all: Vec<Mapping> = mappings(mem, format, ROOT).collect();
    let wanted: Vec<Mapping> = expected.leaves.iter().map(|(&va, &leaf)| Mapping { va, leaf }).collect();
    assert_eq!(all, wanted);
    let edges = expected.leaves.iter().flat_map(|(&va, leaf)| {
        let end = va + leaf.size.bytes();
        [va.wrapping_sub(1), va, va + 0xabc, end - 1, end]
    });
    for va in edges.chain(probes.iter().copied()).filter(|&va| va <= USER_TOP) {
        let wanted = expected.leaf_at(va);
        let physical = wanted.map(|(start, leaf)| (leaf.address.offset(va - start), leaf.access, leaf.memory));
        assert_eq!(translate(mem, format, ROOT, va), physical, "{va:#x}");
        let found = lookup(mem, format, ROOT, va);
        assert_eq!(found.level, expected.level_of_walk(va), "{va:#x}");
        assert_eq!(found.entry, wanted.map_or(Entry::Invalid, |(_, leaf)| Entry::Leaf(leaf)), "{va:#x}");
        assert_eq!(found.slot.0 & 0xfff, Format::index(found.level, va) * 8);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_map(steps in steps(), probes in prop::collection::vec(0..=USER_TOP, 8), second_stage: bool) {
        let format = if second_stage { Format::STAGE2 } else { Format::STAGE1 };
        let (mem, mut expected) = (Words::new(), Expected::default());
        for step in steps {
            match step {
                Step::Map { va, leaf } => map(&mem, format, &mut expected, va, leaf),
                Step::Unmap { va } => unmap(&mem, format, &mut expected, va),
                Step::DropTable { va, level } => drop_table(&mem, format, &mut expected, va, level),
            }
            compare(&mem, format, &expected, &probes);
        }
    }
}

#[test]
fn garbage_in_a_table_is_not_followed() {
    let mem = Words::new();
    let va = 0x40_1234_5000;
    for garbage in [u64::MAX, 0x3 | 1 << 44, 0x3 | 1 << 63, 0x1, 0x2003 | 1 << 2] {
        mem.store(ROOT, garbage);
        let found = lookup(&mem, Format::STAGE2, ROOT, va);
        assert_eq!((found.slot, found.level, found.entry), (ROOT, 0, Entry::Invalid), "{garbage:#x}");
        assert_eq!(mappings(&mem, Format::STAGE2, ROOT).count(), 0);
        let [found] = valid(&mem, Format::STAGE2, ROOT).collect::<Vec<_>>()[..] else { panic!("{garbage:#x}") };
        assert_eq!((found.va, found.coverage_bits, found.word, found.leaf), (0, 39, garbage, None));
    }
    mem.store(ROOT, u64::MAX - 1);
    assert_eq!(valid(&mem, Format::STAGE2, ROOT).count(), 0, "a word that is not valid is nothing");
}

#[test]
fn nothing_lies_beyond_the_input_addresses() {
    let mem = Words::new();
    let leaf = Leaf { address: PhysAddr(0), size: FrameSize::Huge, access: Access::READ, memory: MemoryType::Normal };
    let table = mem.new_table();
    // what an address with bit 44 set would be taken for, were it truncated
    mem.store(ROOT, Format::STAGE2.encode_table(table));
    mem.store(table, Format::STAGE2.encode_leaf(&leaf));
    assert!(translate(&mem, Format::STAGE2, ROOT, 0).is_some());
    assert_eq!(translate(&mem, Format::STAGE2, ROOT, 1 << 44), None);
    assert_eq!(translate(&mem, Format::STAGE2, ROOT, 1 << 48), None);
}
