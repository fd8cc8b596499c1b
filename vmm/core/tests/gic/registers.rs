//! What registers hold.

use sluice_vmm::gic::Gic;
use sluice_vmm::layout::{MAX_PROCESSORS, REDISTRIBUTORS};
use sluice_vmm::mmio::{Place, Width};

use crate::{
    CTLR, ICACTIVER, ICENABLER, ICFGR, ICPENDR, IGROUPR, IPRIORITYR, IROUTER, ISACTIVER, ISENABLER, ISPENDR, SGI_FRAME,
    WAKER, cpu, of, word,
};

#[test]
fn the_distributor_says_what_it_is() {
    let gic = Gic::new(2, 4);
    for (name, offset, value) in [
        // One security state, affinity routing, nothing enabled.
        ("CTLR", 0x0, 0x50),
        // 128 INTIDs, 10 bits, no 1 of N.
        ("TYPER", 0x4, 0x0248_0003),
        ("IIDR", 0x8, 0x43b),
        ("TYPER2", 0xc, 0),
        ("STATUSR", 0x10, 0),
        ("PIDR4", 0xffd0, 0x44),
        ("PIDR0", 0xffe0, 0x92),
        ("PIDR1", 0xffe4, 0xb4),
        ("PIDR2", 0xffe8, 0x3b),
        ("CIDR0", 0xfff0, 0x0d),
        ("CIDR3", 0xfffc, 0xb1),
        ("IGROUPR1", 0x84, 0),
        ("ICFGR2", 0xc08, 0),
        ("IPRIORITYR8", 0x420, 0),
        ("IGRPMODR1", 0xd04, 0),
    ] {
        assert_eq!(gic.read_distributor(word(offset)), value, "{name}");
    }
}

#[test]
fn each_redistributor_says_whose_it_is() {
    for processors in 1..=MAX_PROCESSORS {
        let gic = Gic::new(processors, 4);
        for index in 0..processors as u64 {
            let at = of(index as usize, 0);
            let last = if index + 1 == processors as u64 { 1 << 4 } else { 0 };
            let double = Place { offset: at + 8, width: Width::Double };
            assert_eq!(gic.read_redistributors(double), index << 32 | index << 8 | last, "GICR_TYPER");
            assert_eq!(gic.read_redistributors(word(at + 8)), index << 8 | last);
            assert_eq!(gic.read_redistributors(word(at + 12)), index);
            assert_eq!(gic.read_redistributors(word(at + 0xffe8)), 0x3b, "GICR_PIDR2");
            assert_eq!(gic.read_redistributors(word(at)), 0, "GICR_CTLR");
        }
        // There is nobody behind the last one.
        for index in processors..MAX_PROCESSORS {
            assert_eq!(gic.read_redistributors(word(of(index, 0xffe8))), 0);
        }
        assert_eq!(gic.read_redistributors(word(REDISTRIBUTORS.size + 0xffe8)), 0);
    }
}

#[test]
fn numbers_out_of_range_are_brought_into_it() {
    assert_eq!(Gic::new(0, 0), Gic::new(1, 1));
    assert_eq!(Gic::new(100, 100), Gic::new(8, 16));
}

#[test]
fn fixed_bits_of_the_control_register_stay() {
    let mut gic = Gic::new(1, 4);
    for (written, read) in [(u64::MAX, 0x53), (0, 0x50), (0x12, 0x52), (0x8000_0001, 0x51)] {
        gic.write_distributor(word(CTLR), written);
        assert_eq!(gic.read_distributor(word(CTLR)), read, "{written:#x}");
    }
}

/// Pairs of registers of which one sets bits and the other clears them.
const SET_AND_CLEAR: [(u64, u64); 3] = [(ISENABLER, ICENABLER), (ISPENDR, ICPENDR), (ISACTIVER, ICACTIVER)];

#[test]
fn one_register_sets_and_another_clears() {
    for (set, clear) in SET_AND_CLEAR {
        let mut gic = Gic::new(2, 4);
        let (shared, private) = (8, of(1, SGI_FRAME));
        gic.write_distributor(word(set + shared), 0xf0f0);
        gic.write_distributor(word(set + shared), 0x000f);
        gic.write_distributor(word(clear + shared), 0x00f0);
        gic.write_redistributors(word(private + set), 0x3000_0003);
        gic.write_redistributors(word(private + clear), 0x1000_0001);
        for register in [set, clear] {
            assert_eq!(gic.read_distributor(word(register + shared)), 0xf00f);
            assert_eq!(gic.read_redistributors(word(private + register)), 0x2000_0002);
            // Neighbours, other processors, and the private ones in the distributor.
            assert_eq!(gic.read_distributor(word(register + shared - 4)), 0);
            assert_eq!(gic.read_distributor(word(register + shared + 4)), 0);
            assert_eq!(gic.read_redistributors(word(of(0, SGI_FRAME) + register)), 0);
            assert_eq!(gic.read_distributor(word(register)), 0);
        }
    }
}

#[test]
fn what_is_private_is_not_in_the_distributor() {
    let mut gic = Gic::new(2, 4);
    let before = gic.clone();
    for register in [IGROUPR, ISENABLER, ISPENDR, ISACTIVER, IPRIORITYR, ICFGR + 4, IROUTER, IROUTER + 8 * 31] {
        gic.write_distributor(word(register), 0xffff_ffff);
        assert_eq!(gic.read_distributor(word(register)), 0, "{register:#x}");
    }
    // Neither is what does not exist: INTID 128 and up.
    for register in [IGROUPR + 16, ISENABLER + 16, IPRIORITYR + 128, ICFGR + 32, IROUTER + 8 * 128] {
        gic.write_distributor(word(register), 0xffff_ffff);
        assert_eq!(gic.read_distributor(word(register)), 0, "{register:#x}");
    }
    assert_eq!(gic, before);
}

#[test]
fn priorities_have_five_bits_and_a_byte_each() {
    let mut gic = Gic::new(1, 4);
    let byte = |offset| Place { offset, width: Width::Byte };
    gic.write_distributor(word(IPRIORITYR + 40), 0xff00_a57f);
    assert_eq!(gic.read_distributor(word(IPRIORITYR + 40)), 0xf800_a078);
    gic.write_distributor(byte(IPRIORITYR + 42), 0x27);
    assert_eq!(gic.read_distributor(word(IPRIORITYR + 40)), 0xf820_a078);
    for (index, value) in [0x78, 0xa0, 0x20, 0xf8].into_iter().enumerate() {
        assert_eq!(gic.read_distributor(byte(IPRIORITYR + 40 + index as u64)), value);
    }
    gic.write_redistributors(byte(SGI_FRAME + IPRIORITYR + 31), 0x80);
    assert_eq!(gic.read_redistributors(word(SGI_FRAME + IPRIORITYR + 28)), 0x8000_0000);
    // Half words are no accesses of these registers, and neither are bytes of the others.
    gic.write_distributor(Place { offset: IPRIORITYR + 40, width: Width::Half }, 0);
    gic.write_distributor(byte(ISENABLER + 4), 0xff);
    assert_eq!(gic.read_distributor(word(IPRIORITYR + 40)), 0xf820_a078);
    assert_eq!(gic.read_distributor(word(ISENABLER + 4)), 0);
}

#[test]
fn triggers_are_the_upper_of_two_bits_and_those_of_sgis_are_fixed() {
    let mut gic = Gic::new(1, 4);
    gic.write_distributor(word(ICFGR + 8), 0xffff_ffff);
    gic.write_distributor(word(ICFGR + 12), 0x5555_5558);
    assert_eq!(gic.read_distributor(word(ICFGR + 8)), 0xaaaa_aaaa);
    assert_eq!(gic.read_distributor(word(ICFGR + 12)), 0x8);
    let (sgis, ppis) = (word(SGI_FRAME + ICFGR), word(SGI_FRAME + ICFGR + 4));
    assert_eq!((gic.read_redistributors(sgis), gic.read_redistributors(ppis)), (0xaaaa_aaaa, 0));
    gic.write_redistributors(sgis, 0);
    gic.write_redistributors(ppis, 2 << 22);
    assert_eq!((gic.read_redistributors(sgis), gic.read_redistributors(ppis)), (0xaaaa_aaaa, 2 << 22));
}

#[test]
fn routes_are_written_whole_or_by_halves() {
    let mut gic = Gic::new(4, 4);
    let double = |intid: u64| Place { offset: IROUTER + 8 * intid, width: Width::Double };
    gic.write_distributor(double(127), u64::MAX);
    assert_eq!(gic.read_distributor(double(127)), 0xff_ffff, "Aff3 and the routing mode are zero");
    gic.write_distributor(word(IROUTER + 8 * 33), 3);
    gic.write_distributor(word(IROUTER + 8 * 33 + 4), 0xffff_ffff);
    assert_eq!(gic.read_distributor(double(33)), 3);
    assert_eq!(gic.read_distributor(word(IROUTER + 8 * 33)), 3);
    assert_eq!(gic.read_distributor(word(IROUTER + 8 * 33 + 4)), 0);
    assert_eq!(gic.read_distributor(double(32)), 0);
    // A double word across two of them is not aligned.
    assert_eq!(gic.read_distributor(Place { offset: IROUTER + 8 * 33 - 4, width: Width::Double }), 0);
}

#[test]
fn a_redistributor_sleeps_until_it_is_woken() {
    let mut gic = Gic::new(3, 4);
    let [first, second, third] = [0, 1, 2].map(|index| word(of(index, WAKER)));
    let state = |gic: &Gic| [first, second, third].map(|waker| gic.read_redistributors(waker));
    assert_eq!(state(&gic), [0, 6, 6], "the first processor is on");
    gic.write_redistributors(second, 4);
    assert_eq!(state(&gic), [0, 0, 6]);
    gic.write_redistributors(second, 2);
    assert_eq!(state(&gic), [0, 6, 6]);
    gic.switched_on(cpu(2));
    assert_eq!(state(&gic), [0, 6, 0]);
    gic.switched_off(cpu(0));
    assert_eq!(state(&gic), [6, 6, 0]);
}
