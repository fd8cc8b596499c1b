//! That positions of fields are those that the kernel has, whose declarations are checked against the document.
//!
//! The VMM imports nothing of the kernel but its interface, so the two are declared twice, and compared here.

use sluice_smmu::regs as kernel;
use tock_registers::fields::Field;
use tock_registers::{RegisterLongName, UIntLike};

use super::formats;
use super::regs::{self, offset};

fn place<T: UIntLike + Into<u64>, R: RegisterLongName>(field: Field<T, R>) -> (u64, usize) {
    (field.mask.into(), field.shift)
}

/// Asserts that fields have the same place: ours, and the kernel's.
macro_rules! agree {
    ($($ours:path = $theirs:path),+ $(,)?) => { $( assert_eq!(place($ours), place($theirs), stringify!($ours)); )+ };
}

#[test]
fn registers_are_the_kernels() {
    use kernel::offset as k;
    use offset as o;
    for (ours, theirs) in [
        (o::IDR0, k::IDR0),
        (o::IDR1, k::IDR1),
        (o::IDR3, k::IDR3),
        (o::IDR5, k::IDR5),
        (o::AIDR, k::AIDR),
        (o::CR0, k::CR0),
        (o::CR0ACK, k::CR0ACK),
        (o::CR1, k::CR1),
        (o::CR2, k::CR2),
        (o::GBPA, k::GBPA),
        (o::IRQ_CTRL, k::IRQ_CTRL),
        (o::IRQ_CTRLACK, k::IRQ_CTRLACK),
        (o::GERROR, k::GERROR),
        (o::GERRORN, k::GERRORN),
        (o::STRTAB_BASE, k::STRTAB_BASE),
        (o::STRTAB_BASE_CFG, k::STRTAB_BASE_CFG),
        (o::CMDQ_BASE, k::CMDQ_BASE),
        (o::CMDQ_PROD, k::CMDQ_PROD),
        (o::CMDQ_CONS, k::CMDQ_CONS),
        (o::EVENTQ_BASE, k::EVENTQ_BASE),
        (o::EVENTQ_PROD, k::EVENTQ_PROD),
        (o::EVENTQ_CONS, k::EVENTQ_CONS),
    ] {
        assert_eq!(ours, theirs);
    }
    agree! {
        regs::IDR0::S1P = kernel::IDR0::S1P, regs::IDR0::TTF = kernel::IDR0::TTF,
        regs::IDR0::COHACC = kernel::IDR0::COHACC, regs::IDR0::ASID16 = kernel::IDR0::ASID16,
        regs::IDR0::TTENDIAN = kernel::IDR0::TTENDIAN, regs::IDR0::STALL_MODEL = kernel::IDR0::STALL_MODEL,
        regs::IDR0::TERM_MODEL = kernel::IDR0::TERM_MODEL, regs::IDR0::ST_LEVEL = kernel::IDR0::ST_LEVEL,
        regs::IDR1::SIDSIZE = kernel::IDR1::SIDSIZE, regs::IDR1::SSIDSIZE = kernel::IDR1::SSIDSIZE,
        regs::IDR1::EVENTQS = kernel::IDR1::EVENTQS, regs::IDR1::CMDQS = kernel::IDR1::CMDQS,
        regs::IDR3::RIL = kernel::IDR3::RIL, regs::IDR5::OAS = kernel::IDR5::OAS,
        regs::IDR5::GRAN4K = kernel::IDR5::GRAN4K, regs::IDR5::GRAN16K = kernel::IDR5::GRAN16K,
        regs::IDR5::GRAN64K = kernel::IDR5::GRAN64K, regs::AIDR::MINOR = kernel::AIDR::MINOR,
        regs::CR0::SMMUEN = kernel::CR0::SMMUEN, regs::CR0::EVENTQEN = kernel::CR0::EVENTQEN,
        regs::CR0::CMDQEN = kernel::CR0::CMDQEN,
        regs::CR2::RECINVSID = kernel::CR2::RECINVSID, regs::CR2::PTM = kernel::CR2::PTM,
        regs::GBPA::ABORT = kernel::GBPA::ABORT, regs::GBPA::UPDATE = kernel::GBPA::UPDATE,
        regs::IRQ_CTRL::GERROR = kernel::IRQ_CTRL::GERROR, regs::IRQ_CTRL::EVENTQ = kernel::IRQ_CTRL::EVENTQ,
        regs::GERROR::CMDQ = kernel::GERROR::CMDQ, regs::GERROR::EVENTQ_ABT = kernel::GERROR::EVENTQ_ABT,
        regs::STRTAB_BASE_CFG::LOG2SIZE = kernel::STRTAB_BASE_CFG::LOG2SIZE,
        regs::STRTAB_BASE_CFG::SPLIT = kernel::STRTAB_BASE_CFG::SPLIT,
        regs::STRTAB_BASE_CFG::FMT = kernel::STRTAB_BASE_CFG::FMT,
        regs::CMDQ_INDEX::INDEX = kernel::CMDQ_CONS::RD, regs::CMDQ_INDEX::ERR = kernel::CMDQ_CONS::ERR,
        regs::EVENTQ_INDEX::INDEX = kernel::EVENTQ_INDEX::INDEX,
        regs::EVENTQ_INDEX::OVERFLOW = kernel::EVENTQ_INDEX::OVERFLOW,
        regs::STRTAB_BASE::ADDR = kernel::STRTAB_BASE::ADDR, regs::STRTAB_BASE::ALLOCATE = kernel::STRTAB_BASE::RA,
        regs::QUEUE_BASE::LOG2SIZE = kernel::QUEUE_BASE::LOG2SIZE, regs::QUEUE_BASE::ADDR = kernel::QUEUE_BASE::ADDR,
        regs::QUEUE_BASE::ALLOCATE = kernel::QUEUE_BASE::ALLOCATE,
    }
    // CR1 has six fields there, and here what holds them.
    assert_eq!(regs::CR1::QUEUE.shift, kernel::CR1::QUEUE_IC.shift);
    assert_eq!(regs::CR1::TABLE.shift, kernel::CR1::TABLE_IC.shift);
}

#[test]
fn structures_are_the_kernels() {
    agree! {
        formats::L1STD::SPAN = kernel::L1STD::SPAN, formats::L1STD::L2PTR = kernel::L1STD::L2PTR,
        formats::STE0::V = kernel::STE0::V, formats::STE0::CONFIG = kernel::STE0::CONFIG,
        formats::STE0::S1FMT = kernel::STE0::S1FMT, formats::STE0::S1CONTEXTPTR = kernel::STE0::S1CONTEXTPTR,
        formats::STE0::S1CDMAX = kernel::STE0::S1CDMAX, formats::STE1::S1DSS = kernel::STE1::S1DSS,
        formats::STE1::S1CIR = kernel::STE1::S1CIR, formats::STE1::S1COR = kernel::STE1::S1COR,
        formats::STE1::S1CSH = kernel::STE1::S1CSH, formats::STE1::S1STALLD = kernel::STE1::S1STALLD,
        formats::STE1::STRW = kernel::STE1::STRW,
        formats::CMD0::OPCODE = kernel::CMD0_CFGI::OPCODE, formats::CMD0::SSEC = kernel::CMD0_CFGI::SSEC,
        formats::CFGI0::SSID = kernel::CMD0_CFGI::SSID, formats::CFGI0::SID = kernel::CMD0_CFGI::SID,
        formats::CFGI1::LEAF = kernel::CMD1_CFGI::LEAF, formats::CFGI1::RANGE = kernel::CMD1_CFGI::RANGE,
        formats::TLBI0::NUM = kernel::CMD0_TLBI::NUM, formats::TLBI0::SCALE = kernel::CMD0_TLBI::SCALE,
        formats::TLBI0::ASID = kernel::CMD0_TLBI::ASID, formats::TLBI1::LEAF = kernel::CMD1_TLBI::LEAF,
        formats::TLBI1::TTL = kernel::CMD1_TLBI::TTL, formats::TLBI1::TG = kernel::CMD1_TLBI::TG,
        formats::TLBI1::ADDR = kernel::CMD1_TLBI::ADDR, formats::SYNC0::CS = kernel::CMD0_SYNC::CS,
        formats::EVT0::KIND = kernel::EVT0::KIND, formats::EVT0::SSV = kernel::EVT0::SSV,
        formats::EVT0::SSID = kernel::EVT0::SSID, formats::EVT0::SID = kernel::EVT0::SID,
        formats::EVT1::PNU = kernel::EVT1::PNU, formats::EVT1::IND = kernel::EVT1::IND,
        formats::EVT1::RNW = kernel::EVT1::RNW, formats::EVT1::CLASS = kernel::EVT1::CLASS,
        formats::EVT3::FETCHADDR = kernel::EVT3::FETCH,
    }
}

#[test]
fn numbers_are_the_kernels() {
    use formats::{config, opcode};
    use kernel::opcode as theirs;
    for (ours, theirs) in [
        (opcode::PREFETCH_CONFIG, theirs::PREFETCH_CONFIG),
        (opcode::PREFETCH_ADDR, theirs::PREFETCH_ADDR),
        (opcode::CFGI_STE, theirs::CFGI_STE),
        (opcode::CFGI_STE_RANGE, theirs::CFGI_STE_RANGE),
        (opcode::CFGI_CD, theirs::CFGI_CD),
        (opcode::CFGI_CD_ALL, theirs::CFGI_CD_ALL),
        (opcode::TLBI_NH_ALL, theirs::TLBI_NH_ALL),
        (opcode::TLBI_NH_ASID, theirs::TLBI_NH_ASID),
        (opcode::TLBI_NH_VA, theirs::TLBI_NH_VA),
        (opcode::TLBI_NH_VAA, theirs::TLBI_NH_VAA),
        (opcode::TLBI_NSNH_ALL, theirs::TLBI_NSNH_ALL),
        (opcode::SYNC, theirs::SYNC),
        (config::BYPASS, kernel::config::BYPASS),
        (config::STAGE1, kernel::config::STAGE1),
    ] {
        assert_eq!(ours, theirs);
    }
}
