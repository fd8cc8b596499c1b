//! Why processors come back.

use sluice_vmm::exit::{
    Abort, Access, Direction, Exception, Exit, Interrupted, Resumed, SystemRegister, Trapped, Wait,
};
use sluice_vmm::gic::SgiRegister;
use sluice_vmm::mmio::Width;

/// A data abort from EL1 on a translation fault at level 3, with a valid syndrome and a four-byte instruction.
const ABORT: u32 = 0x24 << 26 | 1 << 25 | 1 << 24 | 0x07;
const WRITE: u32 = 1 << 6;
const SIXTY_FOUR: u32 = 1 << 15;
const SIGNED: u32 = 1 << 21;

const fn width(field: u32) -> u32 {
    field << 22
}

const fn register(number: u32) -> u32 {
    number << 16
}

fn emulated(syndrome: u32) -> Access {
    let Exit::Data(Abort::Emulate(access)) = Exit::decode(syndrome) else { panic!("{syndrome:#x}") };
    access
}

#[test]
fn loads_and_stores_say_what_they_move() {
    for (field, width_of) in Width::ALL.into_iter().enumerate() {
        for number in 0..32 {
            for (bit, direction) in [(0, Direction::Read), (WRITE, Direction::Write)] {
                let access = emulated(ABORT | width(field as u32) | register(number) | bit);
                assert_eq!((access.width, access.direction), (width_of, direction));
                assert_eq!(access.register.number(), (number < 31).then_some(number as usize));
            }
        }
    }
    // As Linux's writel(w3, [x1]) on a register that stage 2 does not map has it.
    let access = emulated(0x9383_0047);
    assert_eq!((access.width, access.direction, access.register.number()), (Width::Word, Direction::Write, Some(3)));
}

#[test]
fn loads_are_extended_as_their_instruction_says() {
    let value = 0xf1e2_d3c4_8586_8788;
    for (name, flags, result) in [
        ("ldrb w", width(0), 0x88),
        ("ldrsb w", width(0) | SIGNED, 0xffff_ff88),
        ("ldrsb x", width(0) | SIGNED | SIXTY_FOUR, 0xffff_ffff_ffff_ff88),
        ("ldrh w", width(1), 0x8788),
        ("ldrsh w", width(1) | SIGNED, 0xffff_8788),
        ("ldrsh x", width(1) | SIGNED | SIXTY_FOUR, 0xffff_ffff_ffff_8788),
        ("ldr w", width(2), 0x8586_8788),
        ("ldrsw x", width(2) | SIGNED | SIXTY_FOUR, 0xffff_ffff_8586_8788),
        ("ldr x", width(3) | SIXTY_FOUR, value),
    ] {
        assert_eq!(emulated(ABORT | flags).loaded(value), result, "{name}");
    }
    assert_eq!(emulated(ABORT | width(0) | SIGNED | SIXTY_FOUR).loaded(0x7f), 0x7f);
    for (name, flags, result) in [
        ("strb", width(0), 0x88),
        ("strh", width(1), 0x8788),
        ("str w", width(2), 0x8586_8788),
        ("str x", width(3) | SIXTY_FOUR, value),
    ] {
        assert_eq!(emulated(ABORT | WRITE | flags).stored(value), result, "{name}");
    }
}

#[test]
fn what_cannot_be_emulated_is_not() {
    const VALID: u32 = 1 << 24;
    const LONG: u32 = 1 << 25;
    for (name, syndrome, abort) in [
        ("no syndrome", ABORT & !VALID, Abort::Undescribed(Direction::Read)),
        ("no syndrome of a store", ABORT & !VALID | WRITE, Abort::Undescribed(Direction::Write)),
        ("no address", ABORT | 1 << 10, Abort::Undescribed(Direction::Read)),
        ("a short instruction", ABORT & !LONG, Abort::Undescribed(Direction::Read)),
        ("a table walk", ABORT | 1 << 7, Abort::TableWalk),
        ("a table walk without syndrome", ABORT & !VALID | 1 << 7, Abort::TableWalk),
        ("cache maintenance", ABORT & !VALID | 1 << 8 | WRITE, Abort::CacheMaintenance),
        ("an external abort", ABORT & !0x3f | 0x10, Abort::Other),
        ("an external abort on a walk", ABORT & !0x3f | 0x14 | 1 << 7, Abort::Other),
        ("alignment", ABORT & !0x3f | 0x21, Abort::Other),
        ("exclusive", ABORT & !0x3f | 0x35, Abort::Other),
    ] {
        assert_eq!(Exit::decode(syndrome), Exit::Data(abort), "{name}");
    }
    // Address size, translation, access flag and permission, of any level.
    for status in 0..0x10 {
        assert_eq!(emulated(ABORT & !0x3f | status), emulated(ABORT));
    }
}

#[test]
fn other_exits_are_told_apart() {
    const LONG: u32 = 1 << 25;
    for (syndrome, exit) in [
        (0x01 << 26 | LONG, Exit::Wait(Wait::ForInterrupt)),
        (0x01 << 26 | LONG | 0xe << 20 | 1 << 24, Exit::Wait(Wait::ForInterrupt)),
        (0x01 << 26 | LONG | 1, Exit::Wait(Wait::ForEvent)),
        (0x17 << 26 | LONG, Exit::Smc(0)),
        (0x17 << 26 | LONG | 0xffff, Exit::Smc(0xffff)),
        (0x16 << 26 | LONG | 5, Exit::Hvc(5)),
        (0x20 << 26 | LONG | 7, Exit::Fetch),
        (0x00, Exit::Other(0)),
        (0x03 << 26 | LONG, Exit::Other(0x03)),
        (0x13 << 26 | LONG, Exit::Other(0x13)),
        (0x21 << 26, Exit::Other(0x21)),
        (0x25 << 26 | 7, Exit::Other(0x25)),
        (0xffff_ffff, Exit::Other(0x3f)),
    ] {
        assert_eq!(Exit::decode(syndrome), exit, "{syndrome:#x}");
    }
    let Exit::Wait(Wait::WithTimeout(register)) = Exit::decode(0x01 << 26 | LONG | 7 << 5 | 1 << 2 | 2) else {
        panic!("not WFIT")
    };
    assert_eq!(register.number(), Some(7));
    // HVC comes back behind itself, everything else at the instruction.
    assert_eq!([Exit::decode(0x17 << 26), Exit::decode(ABORT), Exit::decode(0x16 << 26)].map(Exit::step), [4, 4, 0]);
}

/// ESR_EL2 of an access of a system register by x7.
fn system([op0, op1, crn, crm, op2]: [u32; 5], read: bool) -> u32 {
    let fields = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | 7 << 5 | crm << 1;
    0x18 << 26 | 1 << 25 | fields | u32::from(read)
}

#[test]
fn system_registers_do_what_the_machine_has_them_do() {
    use Trapped::{Ignored, ReadsZero, Sgi, Undefined};
    for (name, encoding, written, read) in [
        ("ICC_SGI1R_EL1", [3, 0, 12, 11, 5], Sgi(SgiRegister::Group1), ReadsZero),
        ("ICC_ASGI1R_EL1", [3, 0, 12, 11, 6], Sgi(SgiRegister::OtherGroup1), ReadsZero),
        ("ICC_SGI0R_EL1", [3, 0, 12, 11, 7], Sgi(SgiRegister::Group0), ReadsZero),
        ("ICC_DIR_EL1", [3, 0, 12, 11, 1], Ignored, ReadsZero),
        ("MDSCR_EL1", [2, 0, 0, 2, 2], Ignored, ReadsZero),
        ("OSLAR_EL1", [2, 0, 1, 0, 4], Ignored, ReadsZero),
        ("DBGBCR5_EL1", [2, 0, 0, 5, 5], Ignored, ReadsZero),
        ("PMCR_EL0", [3, 3, 9, 12, 0], Ignored, ReadsZero),
        ("PMUSERENR_EL0", [3, 3, 9, 14, 0], Ignored, ReadsZero),
        ("CNTP_CTL_EL0", [3, 3, 14, 2, 1], Ignored, ReadsZero),
        ("LORC_EL1", [3, 0, 10, 4, 3], Ignored, ReadsZero),
        ("ERRIDR_EL1", [3, 0, 5, 3, 0], Ignored, ReadsZero),
        ("S3_1_C15_C2_1", [3, 1, 15, 2, 1], Ignored, ReadsZero),
        ("a system instruction", [1, 0, 15, 0, 0], Undefined, Undefined),
        ("no space that there is", [0, 0, 0, 0, 0], Undefined, Undefined),
    ] {
        for (is_read, decision) in [(false, written), (true, read)] {
            let Exit::System(access) = Exit::decode(system(encoding, is_read)) else { panic!("{name}") };
            let [op0, op1, crn, crm, op2] = encoding.map(|field| field as u8);
            assert_eq!(access.what, SystemRegister { op0, op1, crn, crm, op2 }, "{name}");
            assert_eq!(access.register.number(), Some(7));
            assert_eq!(access.direction, if is_read { Direction::Read } else { Direction::Write });
            assert_eq!(access.decide(), decision, "{name}, read: {is_read}");
        }
    }
}

#[test]
fn every_syndrome_is_something() {
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..1_000_000 {
        let syndrome = random.u32(..);
        match Exit::decode(syndrome) {
            Exit::Data(Abort::Emulate(access)) => {
                assert_eq!(syndrome >> 26, 0x24);
                assert_ne!(syndrome & 1 << 24, 0);
                let value = random.u64(..);
                let low = |moved: u64| moved & access.width.mask() & Width::Word.mask();
                assert_eq!(low(access.loaded(value)), low(access.stored(value)));
            }
            Exit::System(access) => {
                assert!(access.direction == Direction::Write || !matches!(access.decide(), Trapped::Sgi(_)))
            }
            Exit::Other(class) => assert!(![0x01, 0x16, 0x17, 0x18, 0x20, 0x24].contains(&class)),
            Exit::Wait(_) | Exit::Smc(_) | Exit::Hvc(_) | Exit::Data(_) | Exit::Fetch => {}
        }
    }
}

#[test]
fn exceptions_are_taken_where_the_vector_table_says() {
    let vbar = 0xffff_8000_0801_1800;
    for (mode, offset, same) in
        [("EL1t", 0x000, true), ("EL1h", 0x200, true), ("EL0t", 0x400, false), ("AArch32 User", 0x600, false)]
    {
        let bits = match mode {
            "EL1t" => 0b00100,
            "EL1h" => 0b00101,
            "EL0t" => 0b00000,
            _ => 0b10000,
        };
        // SS and IL are set.
        let pstate = 0x6030_0000 | 1 << 7 | bits;
        let interrupted = Interrupted { pc: 0x1234, pstate, vbar: vbar | 0x7ff, sctlr: 1 << 23 };
        for (exception, class, low) in [
            (Exception::Undefined, 0x00, 0),
            (Exception::DataAbort { write: false }, if same { 0x25 } else { 0x24 }, 1 << 10 | 0x10),
            (Exception::DataAbort { write: true }, if same { 0x25 } else { 0x24 }, 1 << 10 | 1 << 6 | 0x10),
            (Exception::FetchAbort, if same { 0x21 } else { 0x20 }, 1 << 10 | 0x10),
        ] {
            assert_eq!(
                interrupted.take(exception),
                Resumed {
                    pc: vbar + offset,
                    // NZCV stays, everything is masked, EL1h.
                    pstate: 0x6000_03c5,
                    elr: 0x1234,
                    spsr: pstate,
                    esr: class << 26 | 1 << 25 | low,
                },
                "{mode} {exception:?}"
            );
        }
    }
    let wraps = Interrupted { pc: 0, pstate: 0, vbar: u64::MAX, sctlr: 0 }.take(Exception::Undefined);
    assert_eq!(wraps.pc, 0xffff_ffff_ffff_fc00);
}

#[test]
fn bits_of_later_extensions_are_what_the_processor_would_make_them() {
    const PAN: u64 = 1 << 22;
    const DIT: u64 = 1 << 24;
    const UAO: u64 = 1 << 23;
    const SSBS: u64 = 1 << 12;
    const SPAN: u64 = 1 << 23;
    const DSSBS: u64 = 1 << 44;
    for (name, pstate, sctlr, expected) in [
        ("PAN is set", 0, 0, PAN),
        ("PAN stays clear", 0, SPAN, 0),
        ("PAN stays set", PAN, SPAN, PAN),
        ("DIT stays", DIT, SPAN, DIT),
        ("UAO is cleared", UAO, SPAN, 0),
        ("SSBS is cleared", SSBS, SPAN, 0),
        ("SSBS is set", 0, SPAN | DSSBS, SSBS),
    ] {
        let taken = Interrupted { pc: 0, pstate, vbar: 0, sctlr }.take(Exception::Undefined);
        assert_eq!(taken.pstate, expected | 0x3c5, "{name}");
    }
}
